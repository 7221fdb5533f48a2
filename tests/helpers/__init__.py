"""What tests share: rows, callers, browsers, races, a Stripe account. Nothing here is a test."""
