"""The ground floor's REST API, and what every floor's stands on: problems, parsing, sign-in, Teams."""
