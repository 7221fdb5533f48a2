"""What runs at every model call: authorize before it, settle after it, or its usage reported later.

This room knows the models and the pure modules alone. Reads that lock rows stand here and nowhere else.
"""
