"""The verbs of quota. Each is one transaction; `at` is the moment, `by` the actor (None: the system)."""
