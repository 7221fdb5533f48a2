"""The operators' pages of what was bought.

Rows are read-only, for they mirror Stripe. What an operator does is asked of Stripe by a workflow.
"""

from billing.admin import campaigns, inbox, payments, plans, promotions, subscriptions

__all__ = ["campaigns", "inbox", "payments", "plans", "promotions", "subscriptions"]
