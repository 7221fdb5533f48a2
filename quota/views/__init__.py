"""The first floor's pages: one's own bars and keys, and a Team's members, seats, Credits and usage."""
