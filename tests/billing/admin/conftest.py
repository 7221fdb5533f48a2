"""The fixtures of every folder that tests pages."""

from tests.helpers.page_fixtures import account, at_t0, nothing_enqueued, visit

__all__ = ["account", "at_t0", "nothing_enqueued", "visit"]
