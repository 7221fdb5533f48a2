"""Which entries of a Team's ledger somebody looks at: of a kind, of some members, of some days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from quota.models import Account, CreditLedgerEntry
from quota.querysets import CreditLedgerQuerySet
from quota.selectors.kept import Opening, opening_of
from teams.models import Membership, Team
from tokenplan.kit.reach import between

# What people call each kind: what is given is a lot too, and nobody bought it.
KINDS = {**dict(CreditLedgerEntry.Kind.choices), CreditLedgerEntry.Kind.PURCHASE.value: _("Added")}


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """From `since` and before `until`; None is any moment. `members` are ids of memberships: what they used,
    and what the same people did; None is everyone. No `kind` is every one.
    """

    kind: str = ""
    members: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def among(self, team: Team) -> CreditLedgerQuerySet | None:
        """The entries that are looked through for those that are asked for; None where nearly all of these
        are asked for.
        """
        return self._of_days(team) if self.kind or self.members is not None else None

    def entries(self, team: Team, account: Account) -> CreditLedgerQuerySet:
        """Those that are asked for, with whom they are of and by."""
        found = self._of_days(team).of_account(account)
        if self.kind:
            found = found.filter(kind=self.kind)
        if self.members is not None:
            people = Membership.objects.filter(pk__in=self.members).values("user")
            found = found.filter(Q(membership__in=self.members) | Q(by__in=people))
        return found.select_related("membership__user", "by")

    def opening(self, team: Team, account: Account) -> Opening | None:
        """Where entries begin that are kept, if older ones are asked for and have been dropped."""
        found = opening_of(team, account)
        return found if found and (self.since is None or self.since < found.at) else None

    def is_everything_from(self, opening: Opening) -> bool:
        """Whether all entries from there on are asked for, up to some moment: so that their sum and what was
        there then are a balance.
        """
        is_later = self.until is None or self.until > opening.at
        return is_later and not self.kind and self.members is None

    def _of_days(self, team: Team) -> CreditLedgerQuerySet:
        return between(CreditLedgerEntry.objects.for_team(team), "at", self.since, self.until)
