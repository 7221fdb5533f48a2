"""A month in the life of the demo's Teams, told in order: they are founded and buy, they work for 30 days,
subscriptions renew or fail to, and what there is to see now comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from quota.hot_path.bulk import record_events
from quota.hot_path.events import record_event
from quota.models import Gateway
from quota.money import nanousd_from_credits
from quota.pricing import Card
from quota.selectors.rate_cards import models_in_force
from quota.services.balance import give_voucher
from quota.services.credit_requests import request_credits
from quota.services.credits import grant_credits
from quota.services.seat_requests import request_seat
from teams.models import Membership, Role, Seat, SubscriptionKey, Team, User
from teams.services.api_keys import create_api_key
from teams.services.invitations import invite
from teams.services.keys import reveal_key
from tokenplan.runtime.demo.bars import Holder, fill_bars
from tokenplan.runtime.demo.cast import (
    ACME,
    GLOBEX,
    HOOLI,
    INITECH,
    OPERATOR,
    DemoTeam,
    Now,
    Work,
    crowd_of,
)
from tokenplan.runtime.demo.crowd import CROWDED, add_crowd, seat_crowd, work_of
from tokenplan.runtime.demo.people import found_team, give_seats, key_text
from tokenplan.runtime.demo.purchases import Shop, month_before
from tokenplan.runtime.demo.support import (
    MISTYPED,
    be_refused,
    correct_a_charge,
    report_what_is_rejected,
    use_without_asking,
)
from tokenplan.runtime.demo.usage import DAYS, TURNS, Worker, calls_of_day

USD = 1_000_000_000
# Before the first Team is founded, and before its people have accounts.
BEGINS = timedelta(days=50)
EXPIRE_IN = timedelta(days=9)
# Days ago: when there are much more rows than before.
COUNTED_AGAIN = {DAYS - 1, DAYS - 2, DAYS - 6, DAYS // 2}
# Who has not answered yet.
INVITED = {
    "new.colleague@acme.example": (ACME, Role.MEMBER),
    "auditor@hooli.example": (HOOLI, Role.ADMIN),
}
# Who was refused of late: with which model, and how often.
REFUSED = (
    (INITECH, "stefan@initech.example", TURNS, 3),
    (INITECH, "nadia@initech.example", TURNS, 1),
    (ACME, "noah@acme.example", MISTYPED, 2),
)


def _count_rows() -> None:
    """Tells the planner how many rows there are: all of a month is one transaction, and to it the tables are
    empty until the end.
    """
    with connection.cursor() as cursor:
        # The server counts some of them by itself just then, and holds a lock on those.
        cursor.execute("ANALYZE (SKIP_LOCKED)")


@dataclass
class World:
    """What is made, and for whom. `password` is hashed."""

    users: Mapping[str, User]
    password: str
    gateway: Gateway
    shop: Shop
    now: datetime
    teams: dict[DemoTeam, Team] = field(default_factory=dict)
    members: dict[DemoTeam, list[Membership]] = field(default_factory=dict)
    crowd: list[Membership] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    bars: list[Holder] = field(default_factory=list)

    def make(self, teams: Sequence[DemoTeam]) -> None:
        """These Teams, which are not there yet, with all that has happened in them."""
        for team in sorted(teams, key=self._founded_at):
            self._found(team)
        for days_ago in reversed(range(DAYS)):
            if days_ago in COUNTED_AGAIN:
                _count_rows()
            self._live_a_day(days_ago)
        if ACME in self.teams:
            self._give_what_expires()
        self.shop.go_to(self.now)
        fill_bars(self.bars, gateway=self.gateway, card=self._card(), at=self.now)
        self._ask()
        self._call_support()

    def _founded_at(self, team: DemoTeam) -> datetime:
        paid = self.now - timedelta(days=team.paid)
        return paid if team.interval == "year" else month_before(paid)

    def _found(self, team: DemoTeam) -> None:
        at = self._founded_at(team)
        self.shop.go_to(at)
        members = found_team(team, self.users, at=at)
        made, owner = members[0].team, members[0].user
        self.teams[team], self.members[team] = made, members
        seats = self.shop.buy_seats(
            team=made, seats=team.seats, interval=team.interval, card=team.card, by=owner
        )
        if team.credits:
            amount = nanousd_from_credits(team.credits)
            self.shop.buy_credits(team=made, nanousd=amount, card=team.card, by=owner)
        give_seats(team, members, seats, at=at)
        for person, member in zip(team.people, members, strict=True):
            text = key_text(member, at=at)
            name = f"{made.slug} {person.email}"
            if person.work:
                self.workers.append(Worker(name, text, person.work, seated=bool(person.plan)))
            self.bars.append(Holder(name, member, text, person.now))
        if team is GLOBEX:
            self._open_api_account(members[0])
        if team.crowd:
            self._add_crowd(team, seats, at)

    def _add_crowd(self, team: DemoTeam, seats: Mapping[str, list[Seat]], at: datetime) -> None:
        made, owner, people = self.teams[team], self.members[team][0].user, crowd_of(team)
        members = add_crowd(made, people, password=self.password, by=owner, at=at)
        free = team.crowd.free if team.crowd else 0
        given = [seat for of_plan in seats.values() for seat in of_plan[: len(of_plan) - free]]
        holders = seat_crowd(members, given, by=owner, at=at)
        keys = SubscriptionKey.objects.current().filter(membership__in=holders)
        texts = {key.membership_id: reveal_key(key) for key in keys}
        for number, member in enumerate(holders):
            name, text, work = f"{made.slug} {member.user.email}", texts[member.pk], work_of(number)
            if work:
                self.workers.append(Worker(name, text, work))
            self.bars.append(Holder(name, member, text, CROWDED.get(number, Now())))
        self.crowd = members

    def _open_api_account(self, owner: Membership) -> None:
        """$100 that were paid in, a voucher, and two keys."""
        at, user = self.shop.clock.at, owner.user
        self.shop.buy_balance(team=owner.team, nanousd=100 * USD, card=GLOBEX.card, by=user)
        give_voucher(
            team=owner.team,
            nanousd=25 * USD,
            expires_at=self.now + EXPIRE_IN,
            source=f"demo: voucher of {owner.team.slug}",
            reason="Welcome to the API",
            at=at,
            by=None,
        )
        for name, cap, calls in (("Website", 50 * USD, 2), ("Nightly batch", None, 1)):
            key = create_api_key(
                membership=owner, name=name, month_cap_nanousd=cap, expires_at=None, at=at, by=user
            )
            self.workers.append(
                Worker(f"api {name}", reveal_key(key.texts.get()), Work("service", calls), False)
            )

    def _live_a_day(self, days_ago: int) -> None:
        end = self.now - timedelta(days=days_ago)
        self.shop.go_to(end)
        by_quota = [worker for worker in self.workers if worker.seated]
        prepaid = [worker for worker in self.workers if not worker.seated]
        calls = calls_of_day(by_quota, days_ago=days_ago, now=self.now, card=self._card())
        record_events(gateway=self.gateway, events=calls, at=end)
        # Each when it was made: their ledger says when.
        for call in calls_of_day(prepaid, days_ago=days_ago, now=self.now, card=self._card()):
            record_event(gateway=self.gateway, event=call, at=call.occurred_at)

    def _card(self) -> Card:
        card = models_in_force(self.now).card
        if card is None:
            raise LookupError("The demo needs a price list.")
        return card

    def _give_what_expires(self) -> None:
        """Last of all that is bought and given, so that it is not used up yet."""
        grant_credits(
            team=self.teams[ACME],
            nanousd=nanousd_from_credits(ACME.expiring),
            source=f"demo: expiring {self.teams[ACME].slug}",
            cause="A present from us",
            expires_at=self.now + EXPIRE_IN,
            at=self.now - timedelta(hours=5),
            by=None,
        )

    def _ask(self) -> None:
        """What waits for an answer: requests, and invitations."""
        self._request_seat(ACME, "lena@acme.example", "max", "My limit is reached before lunch.", hours=3)
        self._request_seat(INITECH, "nadia@initech.example", "max", "I begin on Monday.", hours=20)
        self._request_credits(INITECH, "stefan@initech.example", "5000", "Stopped during a release.")
        for member, hours in zip(self.crowd[-3:], (2, 26, 50), strict=False):
            at = self.now - timedelta(hours=hours)
            request_seat(membership=member, plan_code="plus", message="", at=at, by=member.user)
        for email, (team, role) in INVITED.items():
            if team in self.teams:
                owner, at = self.members[team][0].user, self.now - timedelta(days=1)
                invite(team=self.teams[team], email=email, role=role, at=at, by=owner)

    def _call_support(self) -> None:
        """What an operator is asked about."""
        gateway, card, at = self.gateway, self._card(), self.now
        texts = {holder.membership.pk: holder.key_text for holder in self.bars}
        for team, email, model, tries in REFUSED:
            if member := self._member(team, email):
                be_refused(email, texts[member.pk], model=model, tries=tries, gateway=gateway, at=at)
        if TURNS not in card.models:
            return
        if member := self._member(GLOBEX, "ben@globex.example"):
            report_what_is_rejected(member.user.email, texts[member.pk], gateway=gateway, card=card, at=at)
        if member := self._member(HOOLI, "hugo@hooli.example"):
            use_without_asking(member.user.email, texts[member.pk], gateway=gateway, card=card, at=at)
        if member := self._member(ACME, "olivia@acme.example"):
            correct_a_charge(member, by=self.users.get(OPERATOR), at=at)

    def _member(self, team: DemoTeam, email: str) -> Membership | None:
        return next((one for one in self.members.get(team, []) if one.user.email == email), None)

    def _request_seat(self, team: DemoTeam, email: str, plan: str, message: str, *, hours: int) -> None:
        if member := self._member(team, email):
            at = self.now - timedelta(hours=hours)
            request_seat(membership=member, plan_code=plan, message=message, at=at, by=member.user)

    def _request_credits(self, team: DemoTeam, email: str, wanted: str, message: str) -> None:
        if member := self._member(team, email):
            at, nanousd = self.now - timedelta(minutes=4), nanousd_from_credits(wanted)
            request_credits(membership=member, wanted_nanousd=nanousd, message=message, at=at, by=member.user)
