"""Rows that a test starts from, made by the services that the product uses."""

from __future__ import annotations

from datetime import UTC, datetime

from allauth.account.models import EmailAddress

from teams.models import AuditEntry, Invitation, Mail, Membership, Role, Seat, SeatHolding, Team, User
from teams.services import accounts, memberships
from teams.services.teams import create_team

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def person(email: str, *, verified: bool = True) -> User:
    """Someone who signed up and, unless told otherwise, clicked the link in the mail."""
    user = User.objects.create_user(email, "correct horse battery")
    EmailAddress.objects.create(user=user, email=email, verified=verified, primary=True)
    accounts.open_account(user=user, at=NOON)
    return user


def team(name: str = "Acme", *, owner: User | None = None) -> Membership:
    """A regular Team; its Owner's membership."""
    return create_team(name=name, by=owner or person(f"owner@{name.lower()}.example"), at=NOON)


def member(of: Team, email: str, role: str = Role.MEMBER) -> Membership:
    return memberships.add_member(team=of, user=person(email), role=role, by=None, at=NOON)


def everything() -> dict[str, list[tuple[object, ...]]]:
    """All rows of the ground floor, to compare before and after what must change nothing."""
    models = (Team, Membership, Invitation, Seat, SeatHolding, AuditEntry, Mail)
    return {model.__name__: list(model._default_manager.order_by("pk").values_list()) for model in models}
