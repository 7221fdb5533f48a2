"""The fixtures of every folder that tests pages."""

from tests.helpers.page_fixtures import account, at_t0, no_ring, visit

__all__ = ["account", "at_t0", "no_ring", "visit"]
