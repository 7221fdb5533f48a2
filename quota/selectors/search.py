"""Whom and what a person can find in their Teams, by a part of a name, an address or a key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q

from teams.keytext import API_KEY, HANDLE_PREFIX, ID_LENGTH, SUBSCRIPTION_KEY
from teams.models import ApiKey, Membership, Seat, SeatHolding, SubscriptionKey, User
from teams.permissions import Right, may

# Of each kind at most so many: who finds more goes on typing.
MOST = 6
# A shorter text is in everything.
SHORTEST = 2
# How a seat is named, in every language of the console.
SEAT = re.compile(r"(?:#|seat\s*|席位\s*)?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """`people` are members by name or address, or by the beginning of their key or of its handle; `holdings`
    the seats that these hold; `seats` those of a number, held or free; `api_keys` those by name or the
    beginning of a text. Each with its Team.
    """

    people: list[Membership]
    holdings: list[SeatHolding]
    seats: list[Seat]
    api_keys: list[ApiKey]


def find(user: User, text: str) -> Found:
    """In all Teams in which the person may see members, or manage API keys."""
    if len(text) < SHORTEST:
        return Found([], [], [], [])
    key_id = _key_id(text)
    mine = list(Membership.objects.live().filter(user=user).select_related("team"))
    # In a Default Team there is nobody else.
    regular = [membership for membership in mine if not membership.team.is_default]
    seen = _teams(regular, Right.VIEW_MEMBERS)
    people = _people(seen, text, key_id)
    holdings = SeatHolding.objects.current().filter(membership__in=people)
    named = Q(texts__key_id__startswith=key_id) if key_id else Q(name__icontains=text)
    api_keys = ApiKey.objects.filter(named, team__in=_teams(mine, Right.MANAGE_API_KEYS), revoked_at=None)
    return Found(
        people,
        list(holdings.select_related("team", "seat", "membership__user").order_by("pk")),
        _seats(seen, text),
        list(api_keys.select_related("team").distinct().order_by("name", "pk")[:MOST]),
    )


def teams_called(memberships: Iterable[Membership], text: str) -> list[Membership]:
    """Those of these memberships, each with its Team, whose Team has this text in the name that is shown: the
    first few, in their order.
    """
    if len(text) < SHORTEST:
        return []
    wanted = text.casefold()
    return [one for one in memberships if wanted in one.team.display_name.casefold()][:MOST]


def _teams(memberships: Iterable[Membership], right: Right) -> list[int]:
    return [membership.team_id for membership in memberships if may(membership, right)]


def _key_id(text: str) -> str:
    """The beginning of a key's id, if the text begins as a key, or its handle, does; else ""."""
    for begins in (SUBSCRIPTION_KEY.prefix, API_KEY.prefix, HANDLE_PREFIX):
        if text.startswith(begins):
            return text.removeprefix(begins)[:ID_LENGTH].rstrip("…")
    return ""


def _seats(teams: list[int], text: str) -> list[Seat]:
    named = SEAT.fullmatch(text.strip())
    if not named:
        return []
    seats = Seat.objects.filter(team__in=teams, number=int(named[1]), removed_at=None)
    return list(seats.select_related("team").order_by("team__name", "pk")[:MOST])


def _people(teams: list[int], text: str, key_id: str) -> list[Membership]:
    members = Membership.objects.live().filter(team__in=teams)
    if key_id:
        keys = SubscriptionKey.objects.current().filter(key_id__startswith=key_id, team__in=teams)
        found = members.filter(pk__in=keys.values("membership"))
    else:
        found = members.named_like(text)
    return list(found.select_related("team", "user").order_by("user__email", "team__name", "pk")[:MOST])
