"""The pages of quota: one's own bars and keys, and a Team's members, seats, Credits and usage."""
