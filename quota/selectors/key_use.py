"""Has a member's key been used yet, and what did its last call cost?"""

from __future__ import annotations

from dataclasses import dataclass

from quota.models import UsageEvent
from teams.models import Membership, SubscriptionKey


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
    events = UsageEvent.objects.for_team(membership.team).filter(membership=membership)
    # The member's last call, which the index finds at once, and not the key's: that would be a search.
    last = events.order_by("-occurred_at", "-pk").first()
    return KeyUse(membership, key, last if last and last.key_id == key.pk else None)
