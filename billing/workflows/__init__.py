"""Actions that ask Stripe. None runs inside a transaction: the intent is recorded first, then Stripe is
asked, then the object is synced, so that our rows agree with Stripe. A crash in between leaves a row that a
periodic task finds.
"""
