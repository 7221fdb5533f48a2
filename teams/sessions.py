"""A person's sessions: on which devices they are signed in. The sign-in library notes each when it begins.

What a session holds is in Django's own table. One that has run out, or that another password has ended, is
none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext

from teams.models import User

# In the session: when it was noted last that it is used, in seconds. It is noted again after SEEN_EVERY.
SEEN = "seen"
SEEN_EVERY = timedelta(minutes=10)

# What tells them apart, the first that fits: Edge and Opera also say Chrome, and Chrome also says Safari.
BROWSERS = {
    "Edge": r"Edg(?:e|A|iOS)?/",
    "Opera": r"OPR/|Opera",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrome/|CriOS/|Chromium/",
    "Safari": r"Safari/",
}
SYSTEMS = {
    "Windows": r"Windows",
    "Android": r"Android",
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "macOS": r"Mac OS X|Macintosh",
    "ChromeOS": r"CrOS",
    "Linux": r"Linux|X11",
}


@dataclass(frozen=True, slots=True)
class Device:
    """One session as its person sees it. `is_this`: the one that asks."""

    row: UserSession
    name: str
    is_this: bool


def sessions_of(user: User, *, this: str | None, at: datetime) -> list[Device]:
    """Those that are signed in at `at`: `this`, a session key, first, then the one that was used last."""
    noted = {row.session_key: row for row in UserSession.objects.filter(user=user)}
    wanted = user.get_session_auth_hash()
    live = [
        noted[session.session_key]
        for session in Session.objects.filter(session_key__in=noted, expire_date__gt=at)
        if constant_time_compare(session.get_decoded().get(HASH_SESSION_KEY, ""), wanted)
    ]
    live.sort(key=lambda row: (row.session_key == this, row.last_seen_at), reverse=True)
    return [Device(row, device_name(row.user_agent), row.session_key == this) for row in live]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose session it is, with what must still fit the person's password."""

    user_id: int
    password_hash: str

    def is_of(self, user: User) -> bool:
        """Whether it is this person's, who may still sign in and has the same password."""
        is_same = constant_time_compare(self.password_hash, user.get_session_auth_hash())
        return self.user_id == user.pk and user.is_active and is_same


def quietly_signed_in(keys: Iterable[str], at: datetime) -> dict[str, SignedIn]:
    """By its key each session that a request changes nothing of: that it is used was noted a short while ago.
    What is not among them may be one all the same.
    """
    rows = Session.objects.filter(session_key__in=set(keys), expire_date__gt=at)
    return {row.session_key: found for row in rows if (found := _quiet(row.get_decoded(), at))}


def _quiet(held: Mapping[str, Any], at: datetime) -> SignedIn | None:
    seen = held.get(SEEN)
    if seen is not None and at.timestamp() - seen >= SEEN_EVERY.total_seconds():
        return None
    if held.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return SignedIn(int(held[SESSION_KEY]), held.get(HASH_SESSION_KEY, ""))


def device_name(user_agent: str) -> str:
    """As a person calls it: `Firefox on Windows`; what the program says of itself where we do not know it."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or user_agent or gettext("Unknown device")


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for name, sign in names.items() if re.search(sign, user_agent)), "")
