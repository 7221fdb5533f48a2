"""A local Stripe: a small stateful server that speaks Stripe's HTTP API (2026-10-28.endive) as far as we use
it, for machines without an account. The real SDK reaches it by its base address; nothing of ours knows the
difference, and it knows nothing of ours.

`store` keeps the objects, `params` reads what is sent, `app` answers over HTTP; the other modules are the
resources, one a subject. Amounts are cents, moments are seconds since 1970, as at Stripe.
"""
