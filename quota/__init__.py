"""First floor: plans, keys, windows, reservations, usage, Credits.

What may be used; the hot path lives here alone.
"""
