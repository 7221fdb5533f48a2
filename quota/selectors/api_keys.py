"""API keys with their texts and what they have spent this month, for showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quota.selectors.balance import month_used
from teams.models import ApiKey, ApiKeyText, Membership
from teams.permissions import Right, may
from teams.querysets import ApiKeyQuerySet


@dataclass(frozen=True, slots=True)
class ApiKeyState:
    """`text` is the current one, `replaced` those before it that still work; `works`: whether any does.
    `month_used`: nano-dollars in this calendar month (UTC).
    """

    key: ApiKey
    text: ApiKeyText
    replaced: list[ApiKeyText]
    works: bool
    month_used: int


def keys_for(membership: Membership) -> ApiKeyQuerySet:
    """The Team's API keys that the member sees, revoked ones too: all, or those of the member's own."""
    keys = ApiKey.objects.for_team(membership.team).select_related("team", "membership__user")
    if may(membership, Right.MANAGE_API_KEYS):
        return keys
    return keys.filter(membership__user=membership.user_id)


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
            works=any(text.pk in working for text in texts[key.pk]),
            month_used=used[key.pk],
        )
        for key in keys
    ]


def state_of(key: ApiKey, at: datetime) -> ApiKeyState:
    return states_of([key], at)[0]
