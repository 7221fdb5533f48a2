"""The second floor's pages."""
