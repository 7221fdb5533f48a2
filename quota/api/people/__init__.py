"""What people, and their scripts, see and change of a Team: seats, requests for a seat, Credits, usage."""
