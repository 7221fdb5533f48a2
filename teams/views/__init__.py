"""The ground floor's pages, and what all pages about a Team start from (base)."""
