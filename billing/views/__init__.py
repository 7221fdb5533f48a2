"""The pages of buying."""
