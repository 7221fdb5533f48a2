"""The REST API about people and Teams, and the bases of every view for people."""
