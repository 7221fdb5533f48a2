"""Sends a trace of calls through the HTTP API, as a gateway would. A client: it needs no database."""
