"""Fetches one of Stripe's objects and makes our rows agree with it. However often, and in whatever order, the
same object is synced, our rows end up the same.

Each `sync_…` asks Stripe, each `apply_…` takes what was fetched already; both return what changed in our
rows, a line each. What belongs to other customers of the same Stripe account changes nothing.
"""
