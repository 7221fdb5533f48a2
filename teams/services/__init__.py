"""The verbs of the ground floor, one module a noun. Each is one transaction, or part of the caller's."""
