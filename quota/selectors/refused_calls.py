"""The calls of a member that were refused in the last days."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from quota.models import RefusalCount, RefusedCall
from quota.querysets import RefusedCallQuerySet
from teams.models import ApiKeyText, Membership, SubscriptionKey, User
from tokenplan.kit.reach import between


@dataclass(frozen=True, slots=True)
class Refused:
    """`calls` are those that are remembered whole; `counts` how many there were by code, the most first."""

    calls: RefusedCallQuerySet
    counts: dict[str, int]


def refused_calls(membership: Membership, since: datetime) -> Refused:
    """Of every text that the member's Subscription Key in this Team has had."""
    texts = SubscriptionKey.objects.filter(membership=membership).values_list("key_id", flat=True)
    of_texts = {"key_public_id__in": list(texts)}
    counts = RefusalCount.objects.since(since).filter(**of_texts).values("code").order_by()
    by_code = counts.annotate(total=Sum("refused")).order_by("-total", "code")
    return Refused(
        RefusedCall.objects.since(since).filter(**of_texts), dict(by_code.values_list("code", "total"))
    )


def people_of(public_ids: Collection[str]) -> dict[str, User]:
    """Whose key has each public id, by two queries; of an API key, who made its text. Of an id that no key
    has: nobody.
    """
    found: dict[str, User] = {}
    for kind in (SubscriptionKey, ApiKeyText):
        texts = kind.objects.filter(key_id__in=public_ids).select_related("membership__user")
        found |= {text.key_id: text.membership.user for text in texts}
    return found


def calls_found(
    calls: RefusedCallQuerySet,
    *,
    code: str = "",
    model: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> RefusedCallQuerySet:
    """Of these calls those with this code, with this text in the model's name, in any case, from `since` and
    before `until`.
    """
    if code:
        calls = calls.filter(code=code)
    if model:
        calls = calls.filter(model__icontains=model)
    return between(calls, "at", since, until)
