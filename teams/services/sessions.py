"""Sessions: one is ended, or all but one; when each was used last."""

from __future__ import annotations

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from teams.models import User
from teams.services import audit
from tokenplan.kit.errors import NotFound
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def end_session(*, user: User, pk: int, this: str | None, by: User, at: datetime) -> None:
    """Signs a session of the person out, not `this` one (a session key). Raises NotFound."""
    if not _end(UserSession.objects.filter(user=user, pk=pk).exclude(session_key=this)):
        raise NotFound(_("This session has ended already."))
    audit.record(team=None, by=by, action="session.ended", subject=user.email, at=at)


@one_transaction()
def end_other_sessions(*, user: User, this: str | None, by: User, at: datetime) -> int:
    """Signs all sessions of the person out but `this` one (a session key). Returns how many."""
    ended = _end(UserSession.objects.filter(user=user).exclude(session_key=this))
    if ended:
        details = {"sessions": ended}
        audit.record(team=None, by=by, action="sessions.ended", subject=user.email, at=at, details=details)
    return ended


def _end(rows: QuerySet[UserSession]) -> int:
    """Returns how many of them were signed in."""
    keys = list(rows.values_list("session_key", flat=True))
    ended, _kinds = Session.objects.filter(session_key__in=keys).delete()
    rows.filter(session_key__in=keys).delete()
    return ended


def note_seen(*, session_key: str, at: datetime) -> None:
    """The session is used at `at`."""
    UserSession.objects.filter(session_key=session_key).update(last_seen_at=at)
