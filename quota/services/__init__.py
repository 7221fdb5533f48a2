"""The first floor's verbs. Each is one transaction; `at` is the moment and `by` the actor, None for the system."""
