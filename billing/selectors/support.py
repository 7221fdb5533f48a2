"""What support is shown of a person and of a Team. Each part is read when it is asked for: whoever may not
see one causes no query for it. No part grows with what there is: lists are cut at `MOST`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db.models import Count, Q

from billing.models import Invoice, Payment
from billing.selectors.audit import Line, lines_of
from billing.selectors.overview import Overview, overview
from quota.models import (
    Account,
    CreditGrant,
    CreditRequest,
    Entitlement,
    OwedUsage,
    RefusedCall,
    SeatRequest,
    UsageEvent,
)
from quota.selectors.asked_of_one_team import Calls, last_charge
from quota.selectors.balance import account_balance
from quota.selectors.kept import calls_kept_since
from quota.selectors.roster import RosterRow, members_of, rows_of
from quota.selectors.seats import free_seats
from quota.selectors.shown_bars import LONGEST, ShownBar, shown_bars
from quota.selectors.usage_then import UsageThen, usage_then
from quota.services.refusals import KEPT_FOR
from teams.models import (
    ApiKey,
    ApiKeyText,
    AuditEntry,
    Mail,
    Membership,
    Role,
    Seat,
    SeatHolding,
    SubscriptionKey,
    Team,
    User,
)

MOST = 15


def bars_now(members: Sequence[Membership], now: datetime) -> list[tuple[ShownBar, int | None]]:
    """The bars of live memberships as somebody else sees them, each with the number of its seat."""
    found = shown_bars(members, now, viewer_id=0)
    numbers = Seat.objects.numbers(shown.bar.seat_id for shown in found)
    return [(shown, numbers[shown.bar.seat_id] if shown.bar.seat_id else None) for shown in found]


@dataclass(frozen=True)
class Person:
    """A person, now, or as at a `moment` that has passed; charges and refusals are those until then."""

    user: User
    now: datetime
    moment: datetime | None = None

    @property
    def until(self) -> datetime:
        return self.moment or self.now

    @cached_property
    def addresses(self) -> list[EmailAddress]:
        return list(EmailAddress.objects.filter(user=self.user).order_by("-primary", "email"))

    @property
    def _texts(self) -> list[str]:
        return [self.user.email, *(address.email for address in self.addresses)]

    @cached_property
    def _factors(self) -> list[str]:
        return list(Authenticator.objects.filter(user=self.user).values_list("type", flat=True))

    @property
    def passkeys(self) -> int:
        return self._factors.count(Authenticator.Type.WEBAUTHN)

    @property
    def has_second_factor(self) -> bool:
        return bool(self._factors)

    @cached_property
    def memberships(self) -> list[Membership]:
        """All there ever were, those of now first, each with `last_call`."""
        mine = Membership.objects.filter(user=self.user).select_related("team", "user")
        mine = mine.annotate(last_call=last_charge("pk", Calls.REPORTED))
        return sorted(mine, key=lambda row: (row.ended_at is not None, -row.joined_at.timestamp(), row.pk))

    @cached_property
    def then(self) -> list[Membership]:
        """The memberships of the moment."""
        return [
            row
            for row in self.memberships
            if row.joined_at <= self.until and (row.ended_at is None or row.ended_at > self.until)
        ]

    @cached_property
    def live(self) -> list[Membership]:
        return [row for row in self.memberships if row.ended_at is None and row.team.deleted_at is None]

    @cached_property
    def ended(self) -> list[Membership]:
        return [row for row in self.memberships if row not in self.live]

    @cached_property
    def dropped_before(self) -> datetime | None:
        """The moment before which single calls are no longer kept, where windows of then are asked for."""
        since = calls_kept_since() if self.moment else None
        return since if since and self.moment and self.moment < since + LONGEST else None

    @cached_property
    def bars(self) -> list[tuple[ShownBar, int | None]]:
        """Those of now, each with the number of its seat, if there is one."""
        return bars_now(self.live, self.now)

    @cached_property
    def bars_then(self) -> list[tuple[UsageThen, int | None]]:
        """The same as at the moment."""
        found = usage_then(self.then, self.until)
        numbers = Seat.objects.numbers(bar.seat_id for bar in found)
        return [(bar, numbers[bar.seat_id] if bar.seat_id else None) for bar in found]

    @cached_property
    def roster(self) -> list[RosterRow]:
        return rows_of(self.live, self.now)

    @cached_property
    def keys(self) -> list[SubscriptionKey]:
        """Every text there ever was, the newest first."""
        texts = SubscriptionKey.objects.filter(membership__in=self.memberships)
        return list(texts.select_related("membership__team").order_by("-created_at", "-pk")[:MOST])

    @cached_property
    def api_keys(self) -> list[ApiKey]:
        keys = ApiKey.objects.filter(membership__in=self.memberships).select_related("team")
        return list(keys.order_by("-created_at", "-pk")[:MOST])

    @cached_property
    def charges(self) -> list[UsageEvent]:
        events = UsageEvent.objects.filter(membership__in=self.memberships, occurred_at__lte=self.until)
        return list(events.select_related("team").order_by("-occurred_at", "-pk")[:MOST])

    @cached_property
    def refusals(self) -> list[RefusedCall]:
        ids = [
            *SubscriptionKey.objects.filter(membership__in=self.memberships).values_list("key_id", flat=True),
            *ApiKeyText.objects.filter(membership__in=self.memberships).values_list("key_id", flat=True),
        ]
        calls = RefusedCall.objects.filter(key_public_id__in=ids, at__lte=self.until)
        return list(calls.select_related("team").order_by("-at", "-pk")[:MOST])

    @property
    def refusals_are_gone(self) -> bool:
        """Refused calls of the moment are forgotten by now."""
        return self.moment is not None and self.moment < self.now - KEPT_FOR

    @cached_property
    def owed(self) -> list[OwedUsage]:
        owed = OwedUsage.objects.unpaid().filter(membership__in=self.memberships)
        owed = owed.select_related("team").prefetch_related("event")
        return list(owed.order_by("-left_nanousd", "pk")[:MOST])

    @cached_property
    def _owned(self) -> list[int]:
        return [row.team_id for row in self.live if row.is_owner]

    @cached_property
    def payments(self) -> list[Payment]:
        """Of the Teams that the person owns."""
        return _payments(self._owned)

    @cached_property
    def invoices(self) -> list[Invoice]:
        return _invoices(self._owned)

    @cached_property
    def mails(self) -> list[Mail]:
        return list(Mail.objects.filter(to__in=self._texts).order_by("-pk")[:MOST])

    @cached_property
    def audit(self) -> list[Line]:
        """What was done about the person, or by them."""
        entries = AuditEntry.objects.filter(Q(subject__in=self._texts) | Q(by=self.user))
        return list(lines_of(entries.select_related("team", "by").order_by("-at", "-pk")[:MOST]))


@dataclass(frozen=True)
class TeamFile:
    """A Team, now."""

    team: Team
    now: datetime

    @cached_property
    def owner(self) -> Membership | None:
        return Membership.objects.owner_of(self.team)

    @property
    def owner_is_gone(self) -> bool:
        """Nobody can act as its Owner: the account is closed."""
        return self.owner is None or not self.owner.user.is_active

    @cached_property
    def people(self) -> dict[str, int]:
        """How many there are of each role, by its name."""
        live = Membership.objects.for_team(self.team).live()
        counts = dict(live.order_by().values_list("role").annotate(number=Count("pk")))
        return {str(role.label): counts.get(role.value, 0) for role in Role}

    @cached_property
    def members(self) -> list[RosterRow]:
        return rows_of(list(members_of(self.team, self.now)[:MOST]), self.now)

    @cached_property
    def seats(self) -> dict[str, int]:
        """How many seats there are of each plan that works now."""
        working = Entitlement.objects.for_team(self.team).working(self.now)
        live = (
            working.filter(seat__removed_at=None)
            .select_related("plan")
            .order_by("plan__rank", "plan__version")
        )
        return dict(Counter(str(row.plan) for row in live))

    @cached_property
    def seat_counts(self) -> tuple[int, int, int]:
        """All seats, those that are held, and those that can be given to somebody."""
        seats = Seat.objects.for_team(self.team).live().count()
        held = SeatHolding.objects.for_team(self.team).current().count()
        return seats, held, free_seats(self.team, self.now).count()

    @cached_property
    def bought(self) -> Overview:
        return overview(self.team)

    @cached_property
    def lots(self) -> list[CreditGrant]:
        lots = CreditGrant.objects.for_team(self.team).filter(remaining_nanousd__gt=0)
        return list(lots.order_by("account", "expires_at", "pk")[:MOST])

    @cached_property
    def credits(self) -> int:
        return account_balance(Account.CREDITS, self.team.pk, self.now)

    @cached_property
    def balance(self) -> int:
        return account_balance(Account.BALANCE, self.team.pk, self.now)

    @cached_property
    def owed(self) -> list[OwedUsage]:
        owed = OwedUsage.objects.for_team(self.team).unpaid().select_related("membership__user")
        return list(owed.prefetch_related("event").order_by("-left_nanousd", "pk")[:MOST])

    @cached_property
    def requests(self) -> list[SeatRequest | CreditRequest]:
        """Those that wait for an answer, the oldest first."""
        waiting: list[SeatRequest | CreditRequest] = []
        for model in (SeatRequest, CreditRequest):
            rows = model.objects.for_team(self.team).open().select_related("membership__user")
            waiting += rows.order_by("created_at", "pk")[:MOST]
        return sorted(waiting, key=lambda row: row.created_at)

    @cached_property
    def api_keys(self) -> list[ApiKey]:
        keys = ApiKey.objects.for_team(self.team).live(self.now).select_related("membership__user")
        return list(keys.order_by("-created_at", "-pk")[:MOST])

    @cached_property
    def payments(self) -> list[Payment]:
        return _payments([self.team.pk])

    @cached_property
    def invoices(self) -> list[Invoice]:
        return _invoices([self.team.pk])

    @cached_property
    def audit(self) -> list[Line]:
        entries = AuditEntry.objects.for_team(self.team).select_related("by")
        return list(lines_of(entries.order_by("-at", "-pk")[:MOST]))


def _payments(teams: Sequence[int]) -> list[Payment]:
    rows = Payment.objects.filter(team__in=teams).select_related("team")
    return list(rows.order_by("-created_at", "-pk")[:MOST])


def _invoices(teams: Sequence[int]) -> list[Invoice]:
    rows = Invoice.objects.filter(team__in=teams).select_related("team")
    return list(rows.order_by("-created_at", "-pk")[:MOST])
