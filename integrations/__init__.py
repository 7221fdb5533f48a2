"""What stands outside of the console and calls it: each package here knows its HTTP API alone."""
