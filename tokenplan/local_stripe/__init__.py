"""A local Stripe: a small stateful server that speaks Stripe's HTTP API (2026-10-28.endive) as far as we use
it, for machines without an account. The real SDK reaches it by its base address; nothing of ours knows the
difference, and it knows nothing of ours.

`store` keeps the objects, `params` reads what is sent, `app` answers over HTTP; the other modules are the
resources, one a subject. Amounts are cents, moments are seconds since 1970, as at Stripe.

Where Stripe's documents leave it open, or let the account choose:
- cents are rounded to the nearest, halves away from zero, line by line (`amounts`);
- credits are counted from what was billed, after discounts (`items`), as in its flexible billing mode;
- failed renewals are tried again after 3, 5 and 7 days (`invoices`); then a subscription is `unpaid`, unless
  `standing.set_after_retries` says otherwise;
- a test clock is `ready` when `advance` answers (`test_clocks`);
- a change paid by bank debit is done when the debit begins (`standing`);
- a bank debit settles after a minute of its customer's time (`payments`).
It is more lenient with cards: one that is always declined can be attached to a customer, and one added in the
portal counts as authenticated. Checkout wants a customer.
It reckons no tax, knows dollars only, and has no trials, metered prices, mixed intervals or credit notes.
"""
