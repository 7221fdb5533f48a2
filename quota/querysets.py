"""What can be asked of quota's rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from quota.ids import NO_ID, earlier, team_in
from teams.models import ApiKey, Membership, User
from teams.querysets import M, TeamOwned

if TYPE_CHECKING:
    from quota.models import (  # noqa: F401
        BulkAction,
        ClosedWindow,
        ClosingBalance,
        CreditAccess,
        CreditGrant,
        CreditLedgerEntry,
        CreditRequest,
        Entitlement,
        Gateway,
        GatewayCredential,
        NoticeSettings,
        OwedUsage,
        Plan,
        QuarantinedRow,
        RateCard,
        RefusalCount,
        RefusedCall,
        Reservation,
        SeatRequest,
        UsageBucket,
        UsageEvent,
    )


class BulkActionQuerySet(TeamOwned["BulkAction"]):
    def open(self) -> Self:
        return self.filter(ended_at=None)


class PlanQuerySet(QuerySet["Plan"]):
    def sellable(self) -> Self:
        return self.filter(sellable=True)

    def published(self) -> Self:
        """On sale, or once on sale."""
        return self.exclude(published_at=None)

    def current(self, code: str) -> Plan:
        """The version on sale. Raises Plan.DoesNotExist."""
        return self.sellable().get(code=code)


class EntitlementQuerySet(TeamOwned["Entitlement"]):
    def open(self) -> Self:
        return self.filter(superseded_at=None)

    def at(self, moment: datetime) -> Self:
        """In force at the moment, suspended or not; at most one a seat."""
        return self.filter(
            Q(ends_at=None) | Q(ends_at__gt=moment),
            Q(superseded_at=None) | Q(superseded_at__gt=moment),
            starts_at__lte=moment,
        )

    def working(self, moment: datetime) -> Self:
        return self.at(moment).filter(Q(suspended_at=None) | Q(suspended_at__gt=moment))


class RateCardQuerySet(QuerySet["RateCard"]):
    def live(self) -> Self:
        """Not withdrawn: in force, or once so, or to come."""
        return self.filter(withdrawn_at=None)

    def in_force(self, moment: datetime) -> RateCard | None:
        return self.live().filter(effective_from__lte=moment).order_by("-effective_from").first()


class GatewayQuerySet(QuerySet["Gateway"]):
    def live(self) -> Self:
        return self.filter(revoked_at=None)


class GatewayCredentialQuerySet(QuerySet["GatewayCredential"]):
    def working(self, moment: datetime) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=moment), ended_at=None)


class ReservationQuerySet(TeamOwned["Reservation"]):
    def named(self, id: UUID) -> Self:
        """The one with this id: of the Team that is in it, if one is, whose server alone is asked then."""
        team_id = team_in(id)
        return self.filter(pk=id) if team_id is None else self.filter(pk=id, team=team_id)

    def lapsed(self, at: datetime) -> Self:
        """Those that hold nothing any more, by the clock, and that no sweep has marked yet."""
        return self.filter(state="held", expired=False, holds_until__lte=at)

    def to_charge(self, at: datetime) -> Self:
        """Those whose end has come and of which what is left is charged, and not yet charged."""
        return self.filter(state="held", charges_at__lte=at)

    def over(self, at: datetime) -> Self:
        """Those whose lifetime is over and that were not closed, whether or not a sweep has marked them."""
        return self.filter(Q(state="held", expires_at__lte=at) | Q(expired=True))


class QuarantinedRowQuerySet(QuerySet["QuarantinedRow"]):
    def waiting(self) -> Self:
        return self.filter(replayed_at=None, written_off_at=None)


class RefusedCallQuerySet(TeamOwned["RefusedCall"]):
    def since(self, moment: datetime) -> Self:
        return self.filter(at__gte=moment)


class RefusalCountQuerySet(QuerySet["RefusalCount"]):
    def since(self, moment: datetime) -> Self:
        """Of every hour of which a part lies after the moment."""
        return self.filter(hour__gt=moment - timedelta(hours=1))


class UsageEventQuerySet(TeamOwned["UsageEvent"]):
    def of_holds(self, *ids: UUID) -> Self:
        """The draws from these holds. None is older than its hold, but for what clocks may differ by: so no
        older partition is searched.
        """
        since = earlier(min(ids), by=timedelta(days=1)) if ids else NO_ID
        return self.filter(reservation_id__in=ids, pk__gte=since)

    def between(self, start: datetime, end: datetime) -> Self:
        return self.filter(occurred_at__gte=start, occurred_at__lt=end)

    def of_spender(self, spender: Membership | ApiKey) -> Self:
        """What a member has used, with keys of both kinds; or what was used with one API key."""
        column = "api_key" if isinstance(spender, ApiKey) else "membership"
        return self.filter(**{column: spender})


class UsageBucketQuerySet(QuerySet["UsageBucket"]):
    pass


class ClosedWindowQuerySet(TeamOwned["ClosedWindow"]):
    pass


class InAccount(TeamOwned[M]):
    """Rows of the Team's Credits, or of its API balance."""

    def credits(self) -> Self:
        return self.filter(account="credits")

    def api_balance(self) -> Self:
        return self.filter(account="balance")

    def of_account(self, account: str) -> Self:
        return self.filter(account=account)


class CreditGrantQuerySet(InAccount["CreditGrant"]):
    def live(self, at: datetime) -> Self:
        """Lots that can be drawn from, in the order of drawing: the soonest-expiring first, what never
        expires last.
        """
        return self.unspent(at).filter(frozen_at=None)

    def unspent(self, at: datetime) -> Self:
        """Those in which something is left, frozen ones too, in the order of drawing."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=at)
        return self.filter(unexpired, remaining_nanousd__gt=0).order_by("expires_at", "id")

    def left(self) -> list[tuple[int, int]]:
        """Each lot's id, and the nano-dollars that are left in it."""
        return list(self.values_list("id", "remaining_nanousd"))

    def remaining(self) -> int:
        total: int = self.aggregate(total=Sum("remaining_nanousd", default=0))["total"]
        return total


class SignedAmounts(InAccount[M]):
    def balance(self) -> int:
        total: int = self.aggregate(total=Sum("amount_nanousd", default=0))["total"]
        return total


class CreditLedgerQuerySet(SignedAmounts["CreditLedgerEntry"]):
    """The entries that are kept."""


class ClosingBalanceQuerySet(SignedAmounts["ClosingBalance"]):
    """What those came to that are not."""


class OwedUsageQuerySet(InAccount["OwedUsage"]):
    def unpaid(self) -> Self:
        return self.filter(left_nanousd__gt=0)

    def left(self) -> int:
        total: int = self.aggregate(total=Sum("left_nanousd", default=0))["total"]
        return total


class CreditAccessQuerySet(QuerySet["CreditAccess"]):
    def of(self, memberships: Iterable[Membership]) -> dict[int, CreditAccess]:
        """By membership id: the stored row, or an unsaved one with the default."""
        members = list(memberships)
        stored = {row.membership_id: row for row in self.filter(membership__in=members)}
        return {
            member.pk: stored.get(member.pk)
            or self.model(membership=member, allowed=member.is_founder, month_cap_nanousd=None)
            for member in members
        }

    def of_one(self, membership: Membership) -> CreditAccess:
        return self.of([membership])[membership.pk]


class NoticeSettingsQuerySet(QuerySet["NoticeSettings"]):
    def of(self, users: Iterable[User]) -> dict[int, NoticeSettings]:
        """By user id: the stored row, or an unsaved one with the default."""
        people = list(users)
        stored = {row.user_id: row for row in self.filter(user__in=people)}
        return {person.pk: stored.get(person.pk) or self.model(user=person) for person in people}


class MemberRequestQuerySet(TeamOwned[M]):
    """Requests of either kind."""

    def open(self) -> Self:
        """Not answered yet; a request ends with the membership."""
        return self.filter(closed_at=None, membership__ended_at=None)

    def answered(self) -> Self:
        """The last answer first."""
        return self.exclude(closed_at=None).order_by("-closed_at", "-pk")


class SeatRequestQuerySet(MemberRequestQuerySet["SeatRequest"]):
    """For a seat, or a higher one."""


class CreditRequestQuerySet(MemberRequestQuerySet["CreditRequest"]):
    """For access to Credits."""
