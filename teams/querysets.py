"""Queries of this app's rows. Every query about one Team starts with `for_team`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from django.db.models import F, Model, Q, QuerySet

if TYPE_CHECKING:
    from teams.models import (  # noqa: F401
        ApiKey,
        ApiKeyText,
        AuditEntry,
        Invitation,
        Mail,
        Membership,
        PersonalAccessToken,
        Seat,
        SeatHolding,
        SubscriptionKey,
        Team,
        User,
    )

M = TypeVar("M", bound=Model)


class TeamOwned(QuerySet[M]):
    """Rows that carry their Team."""

    def for_team(self, team: Team) -> Self:
        return self.filter(team=team)


class TeamQuerySet(QuerySet["Team"]):
    def live(self) -> Self:
        return self.filter(deleted_at=None)

    def of(self, user: User) -> Self:
        """The live Teams the user is a member of: the only place where a Team named by a URL is looked up."""
        return self.live().filter(memberships__user=user, memberships__ended_at=None)


class MembershipQuerySet(TeamOwned["Membership"]):
    def live(self) -> Self:
        return self.filter(ended_at=None, team__deleted_at=None)

    def owner_of(self, team: Team) -> Membership | None:
        """With its user; None for a Team that was deleted."""
        return self.for_team(team).live().filter(role="owner").select_related("user").first()

    def named_like(self, text: str) -> Self:
        """Those with this text in their name or address, in any case."""
        # Addresses are kept in small letters.
        return self.filter(Q(user__email__contains=text.lower()) | Q(user__name__icontains=text))

    def managers(self) -> Self:
        """The Owner and the Admins."""
        return self.filter(role__in=["owner", "admin"])

    def payers(self) -> Self:
        """The Owner and whoever has the Billing right, with an account that is open."""
        return self.filter(Q(role="owner") | Q(manages_billing=True), user__is_active=True)


class InvitationQuerySet(TeamOwned["Invitation"]):
    def open(self) -> Self:
        """Neither accepted nor revoked; it may have expired, and can then be sent again."""
        return self.filter(accepted_at=None, revoked_at=None)


class SeatQuerySet(TeamOwned["Seat"]):
    def live(self) -> Self:
        return self.filter(removed_at=None)

    def numbers(self, ids: Iterable[int | None]) -> dict[int, int]:
        """What people call these seats, by id."""
        return dict(self.filter(pk__in={pk for pk in ids if pk is not None}).values_list("pk", "number"))


class SeatHoldingQuerySet(TeamOwned["SeatHolding"]):
    def current(self) -> Self:
        return self.filter(ended_at=None)

    def at(self, moment: datetime) -> Self:
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=moment), started_at__lte=moment)


class AuditEntryQuerySet(TeamOwned["AuditEntry"]):
    pass


class MailQuerySet(QuerySet["Mail"]):
    def due(self, at: datetime) -> Self:
        """Unsent mails whose next attempt has come: new, failed before, or claimed by a process that died."""
        return self.filter(sent_at=None, next_attempt_at__lte=at)


class KeyTextQuerySet(TeamOwned[M]):
    def current(self) -> Self:
        return self.filter(replaced_at=None)

    def working(self, moment: datetime) -> Self:
        """Those that a live member's call may use now; `moment` decides about nothing but an overlap's end.

        The rest is decided by what stands in the rows: the server that revoked a key, or replaced it without
        an overlap, may have a clock that is ahead of this one's.
        """
        return self.filter(
            Q(expires_at=None) | (Q(expires_at__gt=moment) & Q(expires_at__gt=F("replaced_at"))),
            revoked_at=None,
            membership__ended_at=None,
            membership__user__deactivated_at=None,
        )


class SubscriptionKeyQuerySet(KeyTextQuerySet["SubscriptionKey"]):
    pass


class ApiKeyQuerySet(TeamOwned["ApiKey"]):
    def live(self, moment: datetime) -> Self:
        """Neither revoked nor expired; whether a text of one works is another question."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=moment), revoked_at=None)


class ApiKeyTextQuerySet(KeyTextQuerySet["ApiKeyText"]):
    def working(self, moment: datetime) -> Self:
        return (
            super()
            .working(moment)
            .filter(Q(api_key__expires_at=None) | Q(api_key__expires_at__gt=moment), api_key__revoked_at=None)
        )


class PersonalAccessTokenQuerySet(QuerySet["PersonalAccessToken"]):
    def live(self, at: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=at)

    def in_state(self, state: str, at: datetime) -> Self:
        """What is no state of a token is all of them."""
        match state:
            case "works":
                return self.live(at)
            case "expired":
                return self.filter(revoked_at=None, expires_at__lte=at)
            case "revoked":
                return self.exclude(revoked_at=None)
        return self
