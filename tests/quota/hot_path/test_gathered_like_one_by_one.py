"""Batches of whatever calls, against the same calls one by one on a twin.

What is promised: a batch is worth one order of its calls. First come those that it answers, in the order in
which they arrived, and then those that it leaves, in theirs; whoever asks them in that order one by one, at
the same moment, gets the same answers, and the same rows are written. That is a legal order, since calls of
one batch arrived at the same time. It is not always the order in which they arrived: a call that the windows
have no room for is decided after a smaller one that came behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.batches import NotHere
from quota.hot_path.draws import Report
from quota.hot_path.gathered import Ask, authorize_gathered
from quota.hot_path.gathered_draws import SettleAsk, settle_gathered
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    Gateway,
    RequestId,
    Reservation,
    UsageBucket,
    UsageEvent,
)
from quota.selectors.reconcile import differences
from quota.services.reservations import expire_reservations
from teams.models import SubscriptionKey
from teams.services.keys import revoke_keys
from tests.helpers.factories import (
    T0,
    allow_credits,
    give_credits,
    key_of,
    limits,
    make_gateway,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import MINUTE, PENNY, forged
from tests.helpers.roads import hash_of
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db

NOBODYS = UUID(int=7)
HOLD = ("state", "created_at", "expires_at", "closed_at", "expired", "windows", "agent", "model")
AMOUNTS = ("quota", "credits", "balance")
OF_HOLD = (*HOLD, "estimate_nanousd", *(f"{of}_{a}_nanousd" for of in ("from", "left") for a in AMOUNTS))
OF_EVENT = (
    *("model", "usage", "occurred_at", "recorded_at", "windows", "amount_nanousd"),
    *("overrun_nanousd", *(f"from_{account}_nanousd" for account in AMOUNTS)),
)


@pytest.fixture
def road() -> None:
    """In place of the room's: here both roads are asked."""


class Twin:
    """A Team whose Owner and a member have seats, the member with a cap; with two lots of Credits, of which
    one expires, and a member who has nothing else; and with one whose key was revoked. One of its gateways
    has no credential any more.
    """

    def __init__(self) -> None:
        scene = make_scene(limits(6 * PENNY, 30 * PENNY))
        self.team = scene.team
        give_credits(scene.team, 9 * PENNY)
        give_credits(scene.team, 5 * PENNY, expires_at=T0 + 25 * MINUTE)
        seated, unseated, gone = (make_member(scene.team, credits=True) for _ in range(3))
        allow_credits(seated, month_cap=6 * PENNY)
        self.members = [scene.owner.pk, seated.pk, unseated.pk, gone.pk]
        for member in (seated, gone):
            make_seat(scene.team, scene.plan, holder=member)
        self.keys = [key_of(member) for member in (scene.owner, seated, unseated, gone)]
        key = SubscriptionKey.objects.get(key_id=self.keys[-1][6:18])
        revoke_keys(membership=key.membership, at=T0, by=None)
        self.keys += [forged(self.keys[0]), "sk-cp-nothing"]
        self.gateways = [scene.desk.gateway, make_gateway(), make_gateway()]
        self.gateways[2].credentials.update(ended_at=T0)

    def ask(self, who: int, name: str, calls: int, kind: str, by: int) -> Ask:
        request = AuthorizeRequest(name, self.keys[who], "penny", {"calls": calls})
        more: dict[str, dict[str, Any]] = {
            "lease": {"model": "", "estimate": None, "hold_nanousd": calls * PENNY},
            "unknown model": {"model": "nobody"},
            "agent": {"agent": "codex"},
        }
        return Ask(hash_of(self.gateways[by]), replace(request, **more.get(kind, {})))

    def report(self, name: str, calls: int, model: str, by: int) -> SettleAsk:
        made = RequestId.objects.filter(team=self.team, request_id=name).first()
        report = Report(usage={"calls": calls}, model=model)
        return SettleAsk(hash_of(self.gateways[by]), made.reservation_id if made else NOBODYS, report)

    def alone(self, ask: Ask | SettleAsk, at: datetime) -> Any:
        """The answer by the road for one, or the refusal. Who has no gateway never comes as far as that."""
        gateway = Gateway.objects.filter(
            credentials__token_hash=ask.credential_hash, credentials__ended_at=None
        ).first()
        if gateway is None:
            return "no gateway"
        try:
            if isinstance(ask, Ask):
                return authorize(gateway=gateway, request=ask.request, at=at)
            held, report = ask.reservation_id, ask.report
            return settle(gateway=gateway, reservation_id=held, report=report, at=at).event
        except Refusal as refusal:
            return refusal

    def names(self) -> dict[UUID, str]:
        """What the Team's holds were asked for as."""
        return {row.reservation_id: row.request_id for row in RequestId.objects.filter(team=self.team)}

    def shown(self, answer: Any) -> Any:
        """An answer without what differs between twins: ids, names and texts of keys."""
        if isinstance(answer, Refusal):
            said = {
                name: value
                for name, value in vars(answer).items()
                if name not in ("reservation_id", "detail")
            }
            return type(answer).__name__, {name: str(value) for name, value in said.items()}
        if isinstance(answer, UsageEvent):
            return self._event(answer)
        if not isinstance(answer, Authorization):
            return answer
        shown = asdict(answer) | {"windows": answer.windows}
        for of_twin in ("key_handle", "team_slug"):
            del shown[of_twin]
        return shown | {"reservation_id": self.names()[answer.reservation_id]}

    def _event(self, event: UsageEvent) -> list[Any]:
        name = self.names().get(event.reservation_id) if event.reservation_id else None
        return [name, self.gateways.index(event.gateway), *(getattr(event, name) for name in OF_EVENT)]

    def written(self) -> list[Any]:
        """All rows that calls write, without what differs between twins."""
        names, seats = self.names(), sorted(self.team.seats.values_list("pk", flat=True))
        of_team = {"team": self.team}
        return [
            sorted(
                [names[row.pk], self.gateways.index(row.gateway), *(str(getattr(row, n)) for n in OF_HOLD)]
                for row in Reservation.objects.filter(**of_team).select_related("gateway")
            ),
            sorted(
                map(str, map(self._event, UsageEvent.objects.filter(**of_team).select_related("gateway")))
            ),
            sorted(
                (seats.index(row.seat_id), row.rule, row.starts_at, row.used_nanousd)
                for row in UsageBucket.objects.filter(seat__team=self.team)
            ),
            list(
                CreditGrant.objects.filter(**of_team)
                .order_by("pk")
                .values_list("remaining_nanousd", flat=True)
            ),
            self._paid(),
            sorted(
                (self.members.index(row.membership_id), row.month, row.used_nanousd)
                for row in CreditMonth.objects.filter(**of_team)
            ),
            [SubscriptionKey.objects.get(key_id=key[6:18]).last_used_at for key in self.keys[:4]],
        ]

    def _paid(self) -> list[Any]:
        """What each lot paid, for whom and why. Which call it was says the event."""
        lots = sorted(CreditGrant.objects.filter(team=self.team).values_list("pk", flat=True))
        members = {pk: number for number, pk in enumerate(self.members)}
        return [
            [
                lots.index(row.grant_id),
                members.get(row.membership_id or 0),
                *(row.amount_nanousd, row.kind, row.account, row.cause, row.at),
            ]
            for row in CreditLedgerEntry.objects.filter(team=self.team, kind="use").order_by("id")
        ]


Made = Sequence[Ask | SettleAsk]


def in_batches(twin: Twin, asks: Made, work: Callable[..., Any], at: datetime) -> tuple[list[int], list[Any]]:
    """In which order the calls were decided, and the answers in this order."""
    answers = work(asks, at=at)
    left = [number for number, answer in enumerate(answers) if isinstance(answer, NotHere)]
    first = [number for number in range(len(asks)) if number not in left]
    return [*first, *left], [*(answers[n] for n in first), *(twin.alone(asks[n], at) for n in left)]


# Mostly what is usual, or no batch would have two calls of one seat.
names = st.sampled_from("abcdefghijkl")
gateways = st.sampled_from([0] * 8 + [1, 1, 2])
kinds = st.sampled_from(["call"] * 9 + ["lease", "agent", "unknown model"])
asked = st.tuples(
    st.sampled_from([0] * 6 + [1] * 3 + [2, 3, 4, 5]), names, st.integers(0, 5), kinds, gateways
)
reported = st.tuples(names, st.integers(0, 5), st.sampled_from([""] * 4 + ["penny", "nobody"]), gateways)
asks = st.tuples(st.just("ask"), st.lists(asked, min_size=3, max_size=8))
reports = st.tuples(st.just("report"), st.lists(reported, min_size=3, max_size=8))
pauses = st.sampled_from([0, 0, 1, 20, 400]).map(lambda minutes: minutes * MINUTE)
steps_of_both = st.tuples(
    st.tuples(pauses, asks),
    st.tuples(pauses, reports),
    st.lists(st.tuples(pauses, asks | reports), max_size=4),
).map(lambda steps: [*steps[:2], *steps[2]])
OF_THE_PROFILE = hypothesis.settings.default.max_examples  # type: ignore[union-attr]


@hypothesis.settings(max_examples=OF_THE_PROFILE // 5)
@given(steps=steps_of_both)
def test_batches_of_whatever_calls_answer_and_write_what_the_calls_do_one_by_one(
    steps: list[tuple[timedelta, tuple[str, list[Any]]]],
) -> None:
    together, one_by_one = Twin(), Twin()
    at = T0
    for pause, (kind, calls) in steps:
        at += pause + timedelta(seconds=1)
        if pause:
            expire_reservations(at=at)
        made = [
            [twin.ask(*call) if kind == "ask" else twin.report(*call) for call in calls]
            for twin in (together, one_by_one)
        ]
        work = authorize_gathered if kind == "ask" else settle_gathered
        order, answers = in_batches(together, made[0], work, at)
        alone = [one_by_one.alone(made[1][number], at) for number in order]
        assert list(map(together.shown, answers)) == list(map(one_by_one.shown, alone)), (kind, calls, order)
        assert together.written() == one_by_one.written()
    assert list(differences(at)) == []
