"""Sessions in the database, as SESSION_ENGINE names them."""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError

from tokenplan.kit.problems import UNAVAILABLE


class SessionStore(db.SessionStore):
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
