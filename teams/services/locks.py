"""Locks rows until the transaction ends, and returns them as they are then.

Locks are taken in this order, each kind by primary key: Team, invitation, key (a Subscription Key, then an
API key, then its texts), membership, seat, the Team's row of Credits (ARCHITECTURE.md has the order of all
floors). Locks are FOR NO KEY UPDATE, so inserting a row that refers to a locked one does not wait. An
account is locked before anything else, by its own verbs and by whatever makes its person an Owner.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from teams.models import ApiKey, ApiKeyText, Membership, Seat, SubscriptionKey, Team, User
from tokenplan.kit.errors import NotFound


def lock_account(user: User) -> User:
    """The account, locked. Whoever changes one of its passkeys or recovery codes has locked it."""
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


def lock_team(team: Team) -> Team:
    """The Team, locked. Raises NotFound once it is deleted."""
    locked = Team.objects.live().select_for_update(no_key=True).filter(pk=team.pk).first()
    if locked is None:
        raise NotFound(_("This Team does not exist."))
    return locked


def lock_kept_team(team: Team) -> Team:
    """The Team, locked, even if it was deleted: its rows are kept."""
    return Team.objects.select_for_update(no_key=True).get(pk=team.pk)


def lock_keys(membership: Membership) -> list[SubscriptionKey]:
    """Every text of the member's key, locked, oldest first; the last one is the current one.

    Whoever rotates holds the current one. So a text that was made while this waited is found by asking again,
    and once nothing new is found, none can be made before this transaction ends.
    """
    locked: dict[int, SubscriptionKey] = {}
    while True:
        rows = membership.keys.exclude(pk__in=locked).select_for_update(no_key=True, of=("self",))
        found = {key.pk: key for key in rows.order_by("pk")}
        if not found:
            return list(locked.values())
        locked |= found


def lock_api_key(key: ApiKey) -> ApiKey:
    """The API key, locked, with its Team. Raises NotFound once it was revoked, or its Team deleted."""
    locked = (
        ApiKey.objects.select_related("team")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=key.pk, revoked_at=None, team__deleted_at=None)
        .first()
    )
    if locked is None:
        raise NotFound(_("This API key does not exist."))
    return locked


def lock_api_key_texts(key: ApiKey) -> list[ApiKeyText]:
    """Every text of an API key that the caller has locked, oldest first: none can be made meanwhile."""
    texts = key.texts.select_related("team").select_for_update(no_key=True, of=("self",))
    return list(texts.order_by("pk"))


def lock_membership(membership: Membership, *, pointer: str | None = None) -> Membership:
    """The membership, locked, with Team and user. Raises NotFound once it ended."""
    locked = (
        Membership.objects.live()
        .select_related("team", "user")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=membership.pk)
        .first()
    )
    if locked is None:
        raise NotFound(_("This person is not a member of the Team."), pointer=pointer)
    return locked


def lock_seat(seat: Seat) -> Seat:
    """The seat, locked, with its Team. Raises NotFound once it was removed."""
    return lock_seats([seat])[seat.pk]


def lock_seats(seats: Iterable[Seat]) -> dict[int, Seat]:
    """The seats by their ids, each as `lock_seat` has it."""
    wanted = {seat.pk for seat in seats}
    rows = Seat.objects.live().select_related("team").select_for_update(no_key=True, of=("self",))
    locked = {row.pk: row for row in rows.filter(pk__in=wanted).order_by("pk")}
    if len(locked) < len(wanted):
        raise NotFound(_("This seat does not exist."))
    return locked
