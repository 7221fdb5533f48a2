"""What the holder of a Subscription Key may see with it: usage in the Team, and what trackers poll."""
