"""Sessions in the database, as SESSION_ENGINE names them."""

from __future__ import annotations

import re

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError

from tokenplan.kit.problems import UNAVAILABLE

KEY = re.compile(r"[a-z0-9]+")
SHORTEST = 8  # for Django


def may_be_key(text: str) -> bool:
    """Whether a session can have this key. Anything may stand in a cookie, also what the database refuses."""
    return KEY.fullmatch(text) is not None


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str | None) -> bool:
        """Whoever comes with another one has no session."""
        return key is not None and len(key) >= SHORTEST and may_be_key(key)

    def save(self, must_create: bool = False) -> None:
        """Raises what the database raised where it is away. Django takes that for a session that was ended
        meanwhile, and would tell the person that the request was a bad one.
        """
        try:
            super().save(must_create)
        except UpdateError as error:
            away = error.__context__
            if isinstance(away, UNAVAILABLE):
                raise away from None
            raise
