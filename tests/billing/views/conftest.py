"""The fixtures of every folder that tests pages."""

from tests.helpers.page_fixtures import account, as_user, at_t0, nothing_enqueued

__all__ = ["account", "as_user", "at_t0", "nothing_enqueued"]
