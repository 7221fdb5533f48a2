"""The ground floor's REST API, and what every floor's stands on: problems, parsing, signing in, Teams in URLs."""
