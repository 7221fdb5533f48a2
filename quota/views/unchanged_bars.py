"""Bars that are as the browser has them, for many pages at once, without Django's request and response.

Every open page of the console asks every few seconds, and most often nothing has changed. Then this answers
as `bars` would. Whatever else it is, `bars` answers: something has changed, or is not one's own, or the
session is none, or has something to note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import SimpleNamespace

from django.conf import settings
from django.http import parse_cookie
from django.utils import timezone
from django.utils.http import quote_etag
from django.utils.translation import get_language_from_request

from quota.selectors.shown_bars import ShownBar
from quota.selectors.usage_bar import usage_bars
from quota.templatetags.bar_figures import figures_of, tag_of
from quota.templatetags.bar_words import clock
from quota.views.bars import NOT_KEPT, parts_named
from teams.languages import is_known
from teams.models import Membership, User
from teams.sessions import SignedIn, quietly_signed_in
from teams.time_zones import zone_of
from tokenplan.kit.problems import RawAnswer, TooBusy, problem_of
from tokenplan.kit.sessions import may_be_key

# A page has fewer; one that asks for more takes no time from the others of its batch.
MOST = 20
BARS = re.compile(rb"/account/bars/\?of=([a-z]+-[0-9]+(?:&of=[a-z]+-[0-9]+)*)")


@dataclass(frozen=True, slots=True)
class Poll:
    """What a page asks: the parts that it has, the ETag that it has them under, in which session; `language`
    is what this browser reads where its person has chosen none.
    """

    parts: tuple[tuple[str, int], ...]
    known: str
    session_key: str
    language: str


def read_bars(path: Sequence[bytes], headers: Mapping[bytes, bytes], body: bytes) -> Poll | None:
    """None for what the view has to read."""
    names = path[0].decode().split("&of=")
    known = headers.get(b"if-none-match", b"").decode("latin-1")
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    session_key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    parts = parts_named(names)
    if body or not known or not may_be_key(session_key) or len(parts) < len(names) or len(parts) > MOST:
        return None
    accepted = headers.get(b"accept-language", b"").decode("latin-1")
    asked = SimpleNamespace(COOKIES=cookies, META={"HTTP_ACCEPT_LANGUAGE": accepted})
    language = get_language_from_request(asked)  # type: ignore[arg-type]  # it reads these two
    return Poll(tuple(parts), known, session_key, language)


def unchanged_bars(polls: Sequence[Poll]) -> list[RawAnswer | None]:
    """304 to each whose bars are all its person's own and as they were; None to every other one."""
    at = timezone.now()
    sessions = quietly_signed_in([poll.session_key for poll in polls], at)
    signed_in = [sessions.get(poll.session_key) for poll in polls]
    wanted = {pk for poll, session in zip(polls, signed_in, strict=True) if session for _, pk in poll.parts}
    people = {session.user_id for session in signed_in if session}
    own = Membership.objects.live().filter(pk__in=wanted, user__in=people)
    members = own.select_related("team", "user")
    bars = {bar.membership.pk: ShownBar(bar) for bar in usage_bars(list(members), at)}
    return [
        _answer(poll, session, [(kind, bars[pk]) for kind, pk in poll.parts], at)
        if session and all(pk in bars for _, pk in poll.parts)
        else None
        for poll, session in zip(polls, signed_in, strict=True)
    ]


def answer_bars(answer: RawAnswer | None) -> RawAnswer | None:
    """As the batch has it."""
    return answer


def refuse_bars(poll: Poll, error: TooBusy) -> RawAnswer:
    """The refusal, as of every page that there is no thread for."""
    return problem_of(error).raw()


def _answer(
    poll: Poll, session: SignedIn, shown: Sequence[tuple[str, ShownBar]], at: datetime
) -> RawAnswer | None:
    people = {bar.bar.membership.user for _, bar in shown}
    if len(people) != 1 or not session.is_of(user := people.pop()):
        return None
    zone = zone_of(user.time_zone)
    tag = _tag(user, poll, shown, zone)
    if tag is None or quote_etag(tag) != poll.known:
        return None
    with timezone.override(zone):
        as_of = clock(at, at)
    headers = {"ETag": poll.known, "X-As-Of": as_of, "Cache-Control": NOT_KEPT}
    return 304, [(name.lower().encode(), value.encode()) for name, value in headers.items()], b""


def _tag(user: User, poll: Poll, shown: Sequence[tuple[str, ShownBar]], zone: tzinfo) -> str | None:
    known = [figures for kind, bar in shown if (figures := figures_of(kind, bar, zone))]
    if len(known) < len(shown):
        return None
    return tag_of(known, user.language if is_known(user.language) else poll.language, zone)
