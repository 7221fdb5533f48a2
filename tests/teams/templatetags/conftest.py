"""The fixtures of every folder that tests pages."""

from tests.helpers.page_fixtures import as_user

__all__ = ["as_user"]
