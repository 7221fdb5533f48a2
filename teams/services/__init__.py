"""Services about people and Teams, one module a noun. Each is one transaction, or part of its caller's."""
