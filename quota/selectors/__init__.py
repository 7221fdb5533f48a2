"""Reads that span tables. What is shown and what is enforced come from the same functions."""
