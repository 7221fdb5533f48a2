"""Has a member's key been used yet, and what did its last call cost?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from quota.models import UsageEvent
from teams.models import Membership, SubscriptionKey

CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """`key` is the current one, perhaps revoked. `charge`: its last call, once it is charged."""

    membership: Membership
    key: SubscriptionKey
    charge: UsageEvent | None

    @property
    def is_used(self) -> bool:
        """Usage that was reported in bulk is a charge, and leaves no mark on the key."""
        return self.key.last_used_at is not None or self.charge is not None

    @property
    def state(self) -> str:
        """The same text as long as there is nothing new to show."""
        charge = self.charge.pk if self.charge else "-"
        return f"{self.key.pk}~{int(self.is_used)}~{int(self.key.revoked_at is not None)}~{charge}"


def key_use(membership: Membership) -> KeyUse:
    """Of a live membership, which has one current key."""
    key = SubscriptionKey.objects.current().get(membership=membership)
    # No call is older than its key, but for what clocks may differ: so there is little to search.
    since = key.created_at - CLOCKS_DIFFER
    events = UsageEvent.objects.for_team(membership.team).filter(
        membership=membership, occurred_at__gte=since
    )
    latest = events.filter(key=key, is_undo=False).order_by("-occurred_at", "-recorded_at", "-pk")
    return KeyUse(membership, key, latest.first())
