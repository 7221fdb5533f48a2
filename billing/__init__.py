"""Second floor: what was bought.

It tells `quota` what a seat is entitled to and which Credits to grant, and nothing else.
"""
