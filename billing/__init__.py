"""What was bought: prices, subscriptions, purchases, and Stripe, which is paid.

It says to `quota` what a seat is entitled to and which Credits to grant, and nothing else.
"""
