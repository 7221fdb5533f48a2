"""What may be used: plans, windows, reservations, usage, Credits, and the hot path that each call takes."""
