"""Which usage somebody looks at: of a range, and of some members, a model, a modality, a tag, a payer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from quota.models import UsageEvent
from quota.querysets import UsageEventQuerySet
from quota.selectors.usage_series import Amounts, Group, Only
from teams.models import Membership, Team


class Payer(models.TextChoices):
    """What a charge was paid from."""

    QUOTA = "quota", _("Quota")
    CREDITS = "credits", _("Credits")
    BALANCE = "balance", _("API balance")
    OVERRUN = "overrun", _("Overrun")

    @property
    def column(self) -> str:
        """The part of a charge, and of a sum of charges, that it paid."""
        return "overrun_nanousd" if self is Payer.OVERRUN else f"from_{self.value}_nanousd"

    def part(self, amounts: Amounts) -> int:
        """In nano-dollars."""
        part: int = getattr(amounts, self.column)
        return part


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """`start` is in the range, `end` is not. `members` are ids; None is everyone. An empty text is any model,
    modality or tag; no `payer` is every one.
    """

    start: datetime
    end: datetime
    members: tuple[int, ...] | None = None
    model: str = ""
    modality: str = ""
    tag: str = ""
    payer: Payer | None = None

    def only(self, *, but: Group | None = None) -> Only:
        """What sums of usage are to be of, except for what is asked of the group `but`."""
        wanted: dict[Group, Any] = {
            group: (name,)
            for group, name in {
                Group.MODEL: self.model,
                Group.MODALITY: self.modality,
                Group.TAG: self.tag,
            }.items()
            if name
        }
        if self.members is not None:
            wanted[Group.MEMBER] = self.members
        return {group: names for group, names in wanted.items() if group is not but}

    def amount(self, amounts: Amounts) -> int:
        """How much of a sum is asked for: what the payer paid, or all of it."""
        return self.payer.part(amounts) if self.payer else amounts.amount_nanousd

    def asks_for(self, amounts: Amounts) -> bool:
        """Is any of a sum asked for? Without a payer all of it is, even of calls that cost nothing."""
        return self.payer is None or bool(self.payer.part(amounts))

    def among(self, events: UsageEventQuerySet) -> UsageEventQuerySet | None:
        """Those that are looked through for the charges that are asked for; None where these are all of the
        range.
        """
        narrow = self.members is not None or self.model or self.modality or self.tag or self.payer
        return events.between(self.start, self.end) if narrow else None

    def charges(self, events: UsageEventQuerySet) -> UsageEventQuerySet:
        """Those of the events that are asked for."""
        events = events.between(self.start, self.end)
        if self.members is not None:
            events = events.filter(membership__in=self.members)
        if self.model:
            events = events.filter(model=self.model)
        if self.modality:
            events = events.filter(modality=self.modality)
        if self.tag:
            events = events.filter(tags__contains=[self.tag])
        if self.payer:
            events = events.exclude(**{self.payer.column: 0})
        return events


def charges_of(owner: Team | Membership) -> UsageEventQuerySet:
    """All charges of a Team, or those of one member."""
    if isinstance(owner, Membership):
        return UsageEvent.objects.for_team(owner.team).of_spender(owner)
    return UsageEvent.objects.for_team(owner)


def members_called(team: Team, text: str) -> tuple[int, ...]:
    """The ids of whoever is, or was, a member and has this address; where nobody has, of those with the text
    in their name or address.
    """
    members = Membership.objects.for_team(team)
    found = members.filter(user__email=text.lower()) or members.named_like(text)
    return tuple(member.pk for member in found)
