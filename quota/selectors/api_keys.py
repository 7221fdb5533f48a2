"""API keys with their texts and what they have spent this month, for showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from quota.selectors.balance import month_used
from teams.models import ApiKey, ApiKeyText, Membership
from teams.permissions import Right, may
from teams.querysets import ApiKeyQuerySet


class Shown(models.TextChoices):
    """Which keys a list shows. But for the first, each is a state that a key is in."""

    ALL = "", _("All keys")
    WORKS = "works", _("Works")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")
    LEFT = "left", _("Rotate it: who made its text has left")


@dataclass(frozen=True, slots=True)
class ApiKeyState:
    """`text` is the current one, `replaced` those before it that still work. `month_used`: nano-dollars in
    this calendar month (UTC).
    """

    key: ApiKey
    text: ApiKeyText
    replaced: list[ApiKeyText]
    state: Shown
    month_used: int

    @property
    def works(self) -> bool:
        """Whether any of its texts does."""
        return self.state == Shown.WORKS


def keys_for(membership: Membership) -> ApiKeyQuerySet:
    """The Team's API keys that the member sees, revoked ones too: all, or those of the member's own."""
    keys = ApiKey.objects.for_team(membership.team).select_related("team", "membership__user")
    if may(membership, Right.MANAGE_API_KEYS):
        return keys
    return keys.filter(membership__user=membership.user_id)


def keys_found(
    membership: Membership, at: datetime, *, search: str = "", shown: str = Shown.ALL
) -> ApiKeyQuerySet:
    """Of `keys_for` those with this text in their name, or in the name or address of who made them, in any
    case, and that are `shown`. What is no `Shown` is all of them.
    """
    keys = keys_for(membership)
    if search:
        made_by = Membership.objects.for_team(membership.team).named_like(search).values("pk")
        keys = keys.filter(Q(name__icontains=search) | Q(membership__in=made_by))
    works = ApiKeyText.objects.working(at).filter(api_key=OuterRef("pk"))
    match shown:
        case Shown.WORKS:
            keys = keys.filter(Exists(works))
        case Shown.REVOKED:
            keys = keys.exclude(revoked_at=None)
        case Shown.EXPIRED:
            keys = keys.filter(revoked_at=None, expires_at__lte=at)
        case Shown.LEFT:
            keys = keys.live(at).filter(~Exists(works))
    return keys


def states_of(keys: Sequence[ApiKey], at: datetime) -> list[ApiKeyState]:
    """In the order of the keys; the number of queries does not grow with them."""
    texts: dict[int, list[ApiKeyText]] = {key.pk: [] for key in keys}
    found = ApiKeyText.objects.filter(api_key__in=texts).select_related("membership__user")
    for text in found.order_by("pk"):
        texts[text.api_key_id].append(text)
    working = set(ApiKeyText.objects.working(at).filter(api_key__in=texts).values_list("pk", flat=True))
    used = month_used(keys, at)
    return [
        ApiKeyState(
            key=key,
            text=texts[key.pk][-1],
            replaced=[text for text in texts[key.pk][:-1] if text.pk in working],
            state=_state(key, any(text.pk in working for text in texts[key.pk]), at),
            month_used=used[key.pk],
        )
        for key in keys
    ]


def _state(key: ApiKey, works: bool, at: datetime) -> Shown:
    if works:
        return Shown.WORKS
    if key.revoked_at:
        return Shown.REVOKED
    return Shown.EXPIRED if key.expires_at and key.expires_at <= at else Shown.LEFT


def state_of(key: ApiKey, at: datetime) -> ApiKeyState:
    return states_of([key], at)[0]
