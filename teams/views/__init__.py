"""The pages about people and Teams, and the bases of all pages about a Team."""
