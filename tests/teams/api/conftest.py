"""Mails stay queued, for the tests to see."""

from tests.helpers.page_fixtures import nothing_enqueued

__all__ = ["nothing_enqueued"]
