"""The usage bars of a page and the Credits beside them, which it asks for every few seconds, all at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.translation import get_language

from quota.selectors.shown_bars import ShownBar, shown_bars
from quota.templatetags.bar_figures import figures_of, tag_of
from quota.templatetags.bar_words import clock
from quota.templatetags.bars import bar_of
from teams.models import Membership
from teams.permissions import Right, may
from teams.views.base import PersonRequest, person_page

# A page has fewer; what is asked for beyond them is not answered.
MOST = 100
NOT_KEPT = "no-store, private"
PART = re.compile(r"(bar|compact|credits)-(\d{1,18})", re.ASCII)


@person_page
def bars(request: PersonRequest) -> HttpResponse:
    """Each part that `of` names, as it stands in a page: `bar-7`, `compact-7` or `credits-7`, by the
    membership's id.

    304 where all of them are what the browser has. A part that the person may not see is left out, as one
    that does not exist: Credits are one's own, bars also those of the members of Teams that one manages.
    `X-As-Of` is the moment, as people read it.
    """
    at, zone, parts = timezone.now(), timezone.get_current_timezone(), parts_of(request)
    members = _visible(request, {pk for _, pk in parts})
    shown = {bar.bar.membership.pk: bar for bar in shown_bars(members, at, viewer_id=request.user.pk)}
    found = [(kind, shown[pk]) for kind, pk in parts if pk in shown]
    known = [figures_of(kind, bar, zone) or _part(kind, bar) for kind, bar in found]
    tag = tag_of(known, get_language(), zone)
    texts = (
        one if isinstance(one, str) else _part(kind, bar)
        for one, (kind, bar) in zip(known, found, strict=True)
    )
    return as_of(request, texts, at, tag=tag)


def parts_of(request: HttpRequest) -> list[tuple[str, int]]:
    """The parts that are asked for: what each is of, and the membership's id."""
    return parts_named(request.GET.getlist("of")[:MOST])


def parts_named(names: Iterable[str]) -> list[tuple[str, int]]:
    """The same of the names that were asked for."""
    wanted = [PART.fullmatch(name) for name in names]
    return [(match[1], int(match[2])) for match in wanted if match]


def as_of(request: HttpRequest, texts: Iterable[str], at: datetime, *, tag: str = "") -> HttpResponse:
    """The parts as they are at this moment; 304 where the browser has them so. With a `tag` that tells them
    from other ones, their texts are made only where they are sent.
    """
    if not tag:
        texts = list(texts)
        tag = blake2b("".join(texts).encode(), digest_size=16).hexdigest()
    response = HttpResponse(headers={"ETag": quote_etag(tag)})
    answer = get_conditional_response(request, etag=quote_etag(tag), response=response)
    assert answer is not None  # noqa: S101  (there is a response to answer with)
    if answer is response:
        response.content = "".join(texts)
    answer.headers["X-As-Of"] = clock(at, at)
    answer.headers["Cache-Control"] = NOT_KEPT
    return answer


def text_of(shown: ShownBar, *, compact: bool = False) -> str:
    """What of a bar changes by itself."""
    return render_to_string("quota/includes/bar.html", bar_of(shown, compact=compact))


def _part(kind: str, shown: ShownBar) -> str:
    if kind != "credits":
        return text_of(shown, compact=kind == "compact")
    return render_to_string("quota/includes/own_credits.html", {"bar": shown.bar}) if shown.mine else ""


def _visible(request: PersonRequest, ids: set[int]) -> list[Membership]:
    """Those of the live memberships that the person may see the bars of; from the primary, as every page."""
    live = Membership.objects.using(DEFAULT_DB_ALIAS).live().select_related("team", "user")
    asked = list(live.filter(pk__in=ids).order_by("pk"))
    of_others = {membership.team_id for membership in asked if membership.user_id != request.user.pk}
    mine = live.filter(user=request.user, team__in=of_others) if of_others else ()
    managed = {membership.team_id for membership in mine if may(membership, Right.VIEW_MEMBERS)}
    return [one for one in asked if one.user_id == request.user.pk or one.team_id in managed]
