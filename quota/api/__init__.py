"""The REST API of the first floor: gateways, key holders, people, and what trackers poll."""
