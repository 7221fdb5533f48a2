"""The REST API of buying: what is on sale, and what a Team's Owner buys."""
