"""The operator's view of the second floor.

Rows are read-only: they say what Stripe said. What an operator does is asked of Stripe by a workflow.
"""

from billing.admin import inbox, payments, promotions, subscriptions

__all__ = ["inbox", "payments", "promotions", "subscriptions"]
