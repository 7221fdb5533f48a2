"""Shared building blocks, which know nothing of the apps that use them.

Transactions, enqueueing, refusals and problem documents, parsers, paging, OpenAPI helpers, and the bases of
pages, API views and the admin.
"""
