"""The second floor's part of the REST API: what is on sale, and what a Team's Owner buys."""
