"""A small stateful server that speaks Stripe's HTTP API, for machines without a Stripe account. See
README.md.

It imports nothing of ours, and nothing of ours but the command that starts it imports it. Amounts are
cents and moments are seconds since 1970, UTC, as at Stripe.
"""
