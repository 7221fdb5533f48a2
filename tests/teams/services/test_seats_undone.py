"""A seat's change of hands, undone: exactly what was before, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from teams.audit_sentences import SENTENCES, Said
from teams.errors import MemberHasSeat, SeatNotHeld, SeatNotUndone
from teams.models import AuditEntry, Mail, Membership, Seat, SeatHolding
from teams.services import memberships, seats
from teams.services.seats import UNDO_FOR, Change
from tests.helpers.people import NOON, everything, member, team
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)
SOON = LATER + timedelta(minutes=1)


@dataclass
class Scene:
    owner: Membership = field(default_factory=team)

    def __post_init__(self) -> None:
        self.bob, self.eve = (member(self.owner.team, f"{name}@example.com") for name in ("bob", "eve"))
        self.seat, self.other = seats.add_seats(team=self.owner.team, count=2, by=None, at=NOON)

    def undo(self, change: Change, after: timedelta = timedelta(minutes=1)) -> SeatHolding:
        return seats.undo_change(seat=self.seat, change=change, by=self.owner.user, at=LATER + after)

    def assign(self, to: Membership, seat: Seat | None = None) -> SeatHolding:
        return seats.assign_seat(seat=seat or self.seat, membership=to, by=self.owner.user, at=LATER)

    def assigned(self) -> Change:
        return Change(self.assign(self.bob).pk, True, None, LATER)

    def moved(self) -> Change:
        seats.assign_seat(seat=self.seat, membership=self.bob, by=None, at=NOON)
        holding = seats.move_seat(seat=self.seat, to=self.eve, held_by=self.bob, by=self.owner.user, at=LATER)
        return Change(holding.pk, True, self.bob.pk, LATER)

    def freed(self) -> Change:
        seats.assign_seat(seat=self.seat, membership=self.bob, by=None, at=NOON)
        holding = seats.free_seat(seat=self.seat, by=self.owner.user, at=LATER)
        return Change(holding.pk, False, self.bob.pk, LATER)


Done = Callable[[Scene], Change]


def held() -> list[str]:
    return [
        row.membership.user.email for row in SeatHolding.objects.current().select_related("membership__user")
    ]


@pytest.mark.parametrize(
    ("done", "holds", "said"),
    [
        (
            Scene.assigned,
            [],
            ["Took Seat 1 from bob@example.com again: what was done to it before was undone."],
        ),
        (
            Scene.moved,
            ["bob@example.com"],
            [
                "Took Seat 1 from eve@example.com again: what was done to it before was undone.",
                "Gave Seat 1 back to bob@example.com: what was done to it before was undone.",
            ],
        ),
        (
            Scene.freed,
            ["bob@example.com"],
            ["Gave Seat 1 back to bob@example.com: what was done to it before was undone."],
        ),
    ],
)
def test_what_was_done_is_undone_once_and_the_audit_log_says_so(
    done: Done, holds: list[str], said: list[str]
) -> None:
    scene = Scene()
    change = done(scene)
    entries = AuditEntry.objects.count()
    Mail.objects.update(sent_at=NOON)
    scene.undo(change)
    assert held() == holds
    log = AuditEntry.objects.order_by("pk")[entries:]
    assert [SENTENCES[row.action](Said(row.subject, row.details, "Seat 1", {})) for row in log] == said
    assert {row.by for row in log} == {scene.owner.user}
    assert not Mail.objects.filter(sent_at=None).exists()
    before = everything()
    with pytest.raises(SeatNotUndone):
        scene.undo(change)
    assert everything() == before


def test_it_is_too_late_after_some_minutes() -> None:
    scene = Scene()
    change = scene.freed()
    with pytest.raises(SeatNotUndone):
        scene.undo(change, after=UNDO_FOR + timedelta(microseconds=1))
    scene.undo(change, after=UNDO_FOR)
    assert held() == ["bob@example.com"]


def freed_again(scene: Scene) -> None:
    seats.free_seat(seat=scene.seat, by=None, at=SOON)


def moved_on(scene: Scene) -> None:
    seats.move_seat(seat=scene.seat, to=scene.owner, by=None, at=SOON)


def given_back_and_again(scene: Scene) -> None:
    seats.move_seat(seat=scene.seat, to=scene.bob, by=None, at=SOON)
    seats.move_seat(seat=scene.seat, to=scene.eve, by=None, at=SOON)


def who_held_it_has_another(scene: Scene) -> None:
    scene.assign(scene.bob, scene.other)


def who_held_it_left(scene: Scene) -> None:
    memberships.end_membership(membership=scene.bob, by=None, at=SOON)


def removed(scene: Scene) -> None:
    seats.remove_seat(seat=scene.seat, by=None, at=SOON)


@pytest.mark.parametrize(
    ("happened", "refused"),
    [
        (freed_again, SeatNotUndone),
        (moved_on, SeatNotUndone),
        (given_back_and_again, SeatNotUndone),
        (who_held_it_has_another, MemberHasSeat),
        (who_held_it_left, NotFound),
        (removed, NotFound),
    ],
)
def test_nothing_is_undone_where_something_else_happened_since(
    happened: Callable[[Scene], None], refused: type[Exception]
) -> None:
    scene = Scene()
    change = scene.moved()
    happened(scene)
    before = everything()
    with pytest.raises(refused):
        scene.undo(change)
    assert everything() == before


def test_a_change_of_another_seat_is_not_undone_here() -> None:
    scene = Scene()
    change = scene.moved()
    theirs = team("Globex")
    with pytest.raises(SeatNotUndone):
        seats.undo_change(
            seat=scene.other, change=replace(change, before_id=None), by=scene.owner.user, at=SOON
        )
    with pytest.raises(NotFound):
        scene.undo(replace(change, before_id=theirs.pk))
    assert held() == ["eve@example.com"]


def test_a_seat_is_moved_from_the_member_that_was_meant() -> None:
    scene = Scene()
    scene.moved()
    before = everything()
    with pytest.raises(SeatNotHeld, match="This member no longer holds the seat"):
        seats.move_seat(seat=scene.seat, to=scene.owner, held_by=scene.bob, by=None, at=SOON)
    assert everything() == before
