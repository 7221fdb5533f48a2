"""The ground that every floor stands on, and that knows nothing of Teams, quota or billing.

Transactions, enqueueing, refusals and problem documents, parsers, paging, OpenAPI helpers, and what pages,
API views and the admin start from.
"""
