"""The REST API of the ground floor, and what every floor's API stands on: problems, parsing, signing in,
Teams in URLs."""
