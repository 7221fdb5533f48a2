"""The operators' pages of what was bought, the support desk, and how the jobs are.

Rows are read-only, for they mirror Stripe. What an operator does is asked of Stripe by a workflow.
"""

from billing.admin import campaigns, inbox, jobs, payments, plans, promotions, subscriptions, support

__all__ = ["campaigns", "inbox", "jobs", "payments", "plans", "promotions", "subscriptions", "support"]
