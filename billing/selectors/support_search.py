"""What an operator finds by one line of text: people, Teams, seats, keys, calls, payments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import F, Model, Q, QuerySet

from billing.models import (
    Change,
    Checkout,
    CreditPurchase,
    Customer,
    Invoice,
    Payment,
    Refund,
    StripeEvent,
    Subscription,
)
from quota.models import RefusedCall, Reservation, UsageEvent
from quota.selectors.asked_of_one_team import named_by_gateway
from teams.keytext import ID_LENGTH
from teams.models import ApiKeyText, PersonalAccessToken, Seat, SubscriptionKey, Team, User

# Of each kind at most so many: who finds more types more.
MOST = 20
SHORTEST = 2

# A key or a token, wherever in the text it stands. An address may begin as a token does.
_KEY = re.compile(r"\b(?P<public>(?:sk-cp-|sk-api-)[0-9A-Za-z]{2,12})[\w-]*…?")
_HANDLE = re.compile(r"kh-[0-9A-Za-z]{12}")
_TOKEN = re.compile(r"\b(?P<public>(?:pat-|gw-)[\w-]{4})(?![\w.+-]*@)(?:[\w-]{12,}|…)")
# The number of a seat as people read it, before or after the name of its Team.
_SEAT = re.compile(r"(?:\bseats?\b|席位|#)[\s#]*(?P<number>[0-9]{1,9})(?![\w-])", re.IGNORECASE)
_AROUND_A_TEAM = re.compile(r"^[\s,，:：·]+|[\s,，:：·]+$|^(?:of|in)\b|的$", re.IGNORECASE)
_PREFIX_OF_TOKEN = re.compile(r"pat-[\w-]{4}")

_OF_STRIPE: dict[str, type[Model]] = {
    "cus_": Customer,
    "sub_": Subscription,
    "in_": Invoice,
    "pi_": Payment,
    "re_": Refund,
    "cs_": Checkout,
    "evt_": StripeEvent,
}
_BY_UUID: tuple[type[Model], ...] = (UsageEvent, Reservation, Checkout, CreditPurchase, Change, Refund)

May = Callable[[type[Model]], bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that was found. `exact`: the text names it, and is not only a part of its name."""

    row: Model
    exact: bool


def public_part(text: str) -> str:
    """The text as it may be searched for and shown: of a credential in it only what is public, else all."""
    found = _KEY.search(text) or _TOKEN.search(text)
    return found["public"] if found else text


def find(text: str, may: May) -> list[Hit]:
    """What the text, of which `public_part` is taken, names or is a part of. Only rows of models that the
    operator `may` see; those that are named first.
    """
    text = public_part(text)
    if len(text) < SHORTEST:
        return []
    hits = [hit for hit in _find(text, may) if may(type(hit.row))]
    return sorted(hits, key=lambda hit: not hit.exact)


def _find(text: str, may: May) -> Iterable[Hit]:
    if _KEY.fullmatch(text) or _HANDLE.fullmatch(text):
        return _keys(text.rpartition("-")[2].rstrip("…"))
    if _PREFIX_OF_TOKEN.fullmatch(text):
        tokens = PersonalAccessToken.objects.filter(prefix=text).select_related("user")
        if found := [Hit(token, exact=True) for token in tokens[:MOST]]:
            return found
    for begins, model in _OF_STRIPE.items():
        if text.startswith(begins):
            return _named(model._default_manager.filter(stripe_id=text))
    names = list(
        chain(_people(text), _teams(text), _seats(text), _named(Invoice.objects.filter(number=text.upper())))
    )
    if "@" in text or any(hit.exact for hit in names):
        return names
    return [*names, *_calls(text, may)]


def _named(rows: QuerySet[Model]) -> list[Hit]:
    return [Hit(row, exact=True) for row in rows[:MOST]]


def _keys(key_id: str) -> Iterator[Hit]:
    exact = len(key_id) == ID_LENGTH
    for model in (SubscriptionKey, ApiKeyText):
        rows = model.objects.filter(key_id__startswith=key_id).select_related("membership__user", "team")
        yield from (Hit(row, exact) for row in rows.order_by("key_id")[:MOST])


def _people(text: str) -> Iterator[Hit]:
    email = text.lower()
    by_address = EmailAddress.objects.filter(email=email).values("user")
    like = Q(email__contains=email) | Q(name__icontains=text) | Q(pk__in=by_address)
    exact = set(User.objects.filter(Q(email=email) | Q(pk__in=by_address)).values_list("pk", flat=True))
    found = User.objects.filter(like).order_by("email")
    for user in islice(found, MOST):
        yield Hit(user, exact=user.pk in exact or user.name.lower() == email)


def _teams(text: str) -> Iterator[Hit]:
    for team in _like(text).order_by("slug")[:MOST]:
        yield Hit(team, exact=_is_called(team, text))


def _like(text: str) -> QuerySet[Team]:
    slug = text.lower()
    # All Default Teams have the same name, which says nothing.
    like = Q(slug=slug) | Q(default_for=None) & (Q(slug__contains=slug) | Q(name__icontains=text))
    return Team.objects.filter(like)


def _is_called(team: Team, text: str) -> bool:
    return text.lower() == team.slug or (not team.is_default and text.lower() == team.name.lower())


def _seats(text: str) -> Iterator[Hit]:
    """By number, in Teams whose name or slug is beside it, else in any; those that were removed last."""
    if (found := _SEAT.search(text)) is None:
        return
    team = _around(text, found)
    seats = Seat.objects.filter(number=int(found["number"])).select_related("team")
    if team:
        seats = seats.filter(team__in=_like(team))
    for seat in seats.order_by(F("removed_at").desc(nulls_first=True), "team__slug")[:MOST]:
        yield Hit(seat, exact=bool(team) and _is_called(seat.team, team))


def _around(text: str, seat: re.Match[str]) -> str:
    """What stands before and after the seat, without what joins it: “of”, “的”, a comma."""
    name = f"{text[: seat.start()]} {text[seat.end() :]}"
    while (shorter := _AROUND_A_TEAM.sub("", name)) != name:
        name = shorter
    return name


def _calls(text: str, may: May) -> Iterator[Hit]:
    """Calls, and what else has a UUID, by their own ids, else by the id that the gateway gave."""
    found: list[Hit] = []
    if pk := _uuid(text):
        found = [
            hit for model in _BY_UUID if may(model) for hit in _named(model._default_manager.filter(pk=pk))
        ]
    if not found and " " not in text:
        found = [*_by_request(text, may), *_named(RefusedCall.objects.filter(request_id=text))]
    yield from found


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _by_request(text: str, may: May) -> Iterator[Hit]:
    """By the `request_id` of an authorize, or the id of an event that was reported: ids are unique in a Team,
    so that each Team is asked. A call that was charged is found as its charge.
    """
    if may(UsageEvent):
        yield from _named(UsageEvent.objects.filter(pk__in=_in_each_team(text, of_event=True)))
    for hold in Reservation.objects.filter(pk__in=_in_each_team(text, of_event=False)):
        charges = UsageEvent.objects.filter(reservation=hold, is_undo=False, corrects=None)[:MOST]
        yield from [Hit(charge, exact=True) for charge in charges if may(UsageEvent)] or [
            Hit(hold, exact=True)
        ]


def _in_each_team(text: str, *, of_event: bool) -> list[UUID]:
    """The ids of events, or of holds, that bear this id of a gateway in their Teams."""
    found = Team.objects.annotate(named=named_by_gateway("pk", text, of_event=of_event)).exclude(named=None)
    return list(found.values_list("named", flat=True)[:MOST])
