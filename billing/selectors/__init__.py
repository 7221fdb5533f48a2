"""Reads that span tables, for pages and the API alike."""
