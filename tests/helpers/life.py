"""A Team that has and does some of everything, and all that is shown of it, without ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.models import CreditPurchase, Payment
from billing.selectors import overview as paid
from billing.selectors.checkouts import open_checkout
from billing.selectors.purchases import purchases_of
from billing.selectors.refunds import claw_back_of
from billing.selectors.top_ups import spent_this_month, top_up_state
from billing.services import cancellations, changes, checkouts, purchases, refunds, top_ups
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import Account, CreditGrant, CreditLedgerEntry, CreditRequest, Gateway, Plan, SeatRequest
from quota.selectors import notices
from quota.selectors.credits import team_balance
from quota.selectors.roster import roster
from quota.selectors.seats import free_seats, seat_history
from quota.selectors.usage_bar import seat_windows, usage_bar
from quota.selectors.usage_series import Group, usage_by
from quota.services import credit_requests, entitlements, seat_requests
from quota.services.credits import adjust_lot, freeze_lot, set_credit_access, set_team_credits
from teams.models import Invitation, Membership, Seat, Team, User
from teams.services import invitations, keys, memberships, seats, teams
from tests.helpers.bought import begin_purchase, buy, make_customer, say_invoice
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Desk,
    allow_credits,
    give_credits,
    key_of,
    make_member,
    make_user,
    owner_of,
)
from tests.helpers.seat_states import seats_of
from tests.helpers.stripe_says import MONTH, Bill, agrees_to_add

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = T0 + 2 * HOUR
# Two months earlier, by the calendar, and the one between.
BEFORE, MAY = T0 - 40 * DAY, T0 - 30 * DAY


@dataclass
class Life:
    """`scale`: how much of everything. `shared` is a member of every such Team."""

    name: str
    scale: int
    shared: User
    gateway: Gateway
    seen: list[object] = field(default_factory=list)

    def begin(self) -> None:
        """What there is before anything is looked at: a history, and what is now."""
        self.owner_user = make_user(f"olivia@{self.name}.example", at=BEFORE)
        self.team: Team = teams.create_team(name=self.name, by=self.owner_user, at=BEFORE).team
        old = Bill(self.team, BEFORE - MONTH, f"sub_old_{self.name}")
        old.say({"plus": 1}, at=BEFORE)
        old.say({"plus": 1}, status="canceled", ended_at=BEFORE, at=BEFORE)
        self.bill = Bill(self.team, BEFORE, f"sub_{self.name}")
        self.bill.say({"plus": self.scale + 1, "max": 1}, at=BEFORE)
        self._change(1)
        self.bill.say({"plus": self.scale + 2, "max": 1}, at=BEFORE)
        make_customer(self.team, balance_nanousd=-self.scale * USD)
        self.owner = owner_of(self.team)
        self.bob = make_member(self.team, self.shared, at=BEFORE)
        self.cleo = make_member(self.team, make_user(f"cleo@{self.name}.example"), role="admin", at=BEFORE)
        self.gone = make_member(self.team, make_user(f"gone@{self.name}.example"), at=BEFORE)
        self._was()
        self.bill.starts = BEFORE + MONTH
        self.bill.say({"plus": self.scale, "max": 2}, at=T0)
        self.seat, self.other = self._max_seats()
        self._use_seats()
        self._buy()
        self._ask()

    def _change(self, count: int) -> None:
        agreed = agrees_to_add(self.bill, "plus", count)
        changes.open_change(team=self.team, agreed=agreed, at=BEFORE, by=self.owner_user)

    def troubled(self) -> None:
        """Something of everything is under way or has failed, and the subscription is not paid."""
        self._change(2)
        for at in (T0, T0 + HOUR):
            waiting = top_ups.begin_top_up(team=self.team, at=at)
            if at == T0 and waiting is not None:
                top_ups.fail_top_up(purchase=waiting, reason="declined", at=at)
        refunds.open_refund(
            payment=self.bought, amount_nanousd=USD, reason="asked", at=T0, by=self.owner_user
        )
        bought = {"plus": self.scale, "max": 2}
        self.bill.say(bought, status="past_due", overdue_since=T0, at=T0 + HOUR)

    def _max_seats(self, at: datetime = T0) -> list[Seat]:
        states = seats_of(self.team, at)
        return [state.seat for state in states if state.plan and state.plan.code == "max"]

    def _was(self) -> None:
        """Usage, Credits, a key, a request and an invitation of another month."""
        n, (seat,) = self.scale, self._max_seats(BEFORE)
        give_credits(self.team, n * USD, at=BEFORE)
        self._desk(self.owner).use(17 * n, at=MAY)
        self._holds(seat, self.cleo, BEFORE)
        self._desk(self.cleo).use(2 * n, at=MAY)
        seats.free_seat(seat=seat, by=None, at=MAY + DAY)
        keys.rotate_key(membership=self.bob, overlap=timedelta(0), at=MAY, by=self.shared)
        request = self._request(self.cleo)
        seat_requests.answer_request(request=request, granted=False, seat=None, at=MAY, by=self.owner_user)
        self._request(self.cleo)
        self._request(self.gone)
        asked = self._ask_for_credits(self.cleo)
        credit_requests.decline_credit_request(request=asked, at=MAY, by=self.owner_user)
        invitations.revoke(invitation=self._invite("older"), by=None, at=T0)
        plan = Plan.objects.current("plus")
        self.granted_seat = entitlements.grant_seat(
            team=self.team, plan=plan, ends_at=None, source="operator", at=BEFORE, by=None
        )
        entitlements.entitle_seat(
            seat=self.granted_seat,
            plan=Plan.objects.current("max"),
            starts_at=NOW + DAY,
            ends_at=None,
            source="later",
            at=BEFORE,
            by=None,
        )

    def _use_seats(self) -> None:
        """The first seat goes from one to the next; who had it before is gone."""
        n = self.scale
        self._holds(self.seat, self.gone)
        self._desk(self.gone).use(3 * n)
        memberships.end_membership(membership=self.gone, by=None, at=T0 + HOUR / 2)
        self._holds(self.seat, self.bob, T0 + HOUR / 2)
        self._holds(self.other, self.cleo)
        self._desk(self.bob).use(50 * n, at=T0 + HOUR)
        self._desk(self.cleo).use(7 * n, at=T0 + HOUR)
        self._desk(self.cleo).use(n, at=T0 + HOUR, model="nano")
        self._desk(self.bob).ask(11 * n, at=NOW - timedelta(minutes=5), agent=f"agent of {self.name}")
        self._desk(self.cleo).ask(4 * n, at=NOW - timedelta(minutes=5), agent="night")
        self._desk(self.cleo).ask(6 * n, at=T0 + HOUR, agent="lapsed")
        event = ReportedEvent(f"late {self.name}", key_of(self.cleo), "penny", {"calls": n}, T0)
        record_events(gateway=self.gateway, events=[event], at=T0 + HOUR)

    def _buy(self) -> None:
        n = self.scale
        self.payment, self.bought = buy(self.team, packs=n), buy(self.team, packs=2)
        give_credits(self.team, n * USD, expires_at=T0 + HOUR)
        give_credits(self.team, 2 * n * USD)
        freeze_lot(lot=self.lots()[4], frozen=True, at=T0, by=None)
        allow_credits(self.owner)
        allow_credits(self.bob, month_cap=3 * n * USD)
        set_team_credits(team=self.team, overflow="allow", low_balance_nanousd=100 * n * USD, at=T0, by=None)
        self._desk(self.owner).use(13 * n, at=T0 + HOUR)
        top_ups.set_auto_top_up(
            team=self.team,
            enabled=True,
            threshold_nanousd=50 * USD,
            target_nanousd=(50 + 5 * n) * USD,
            month_cap_nanousd=(100 + 10 * n) * USD,
            at=T0,
            by=self.owner_user,
        )
        begin_purchase(self.team, packs=2 * n)
        for number, status in enumerate(("paid", "open")):
            say_invoice(
                self.team,
                f"in_{self.name}_{number}",
                subscription_id=self.bill.id,
                status=status,
                due_nanousd=n * USD if status == "open" else 0,
            )

    def _ask(self) -> None:
        self._invite("new")
        self.invitation = self._invite("newer")
        self.request = self._request(self.bob)
        self.credit_request = self._ask_for_credits(self.bob)

    def _invite(self, who: str) -> Invitation:
        return invitations.invite(
            team=self.team, email=f"{who}@{self.name}.example", role="member", by=self.owner_user, at=T0
        )

    def _request(self, member: Membership) -> SeatRequest:
        return seat_requests.request_seat(
            membership=member, plan_code="max", message=self.name, at=T0, by=member.user
        )

    def _ask_for_credits(self, member: Membership) -> CreditRequest:
        return credit_requests.request_credits(
            membership=member, wanted_nanousd=self.scale * CREDIT, message=self.name, at=T0, by=member.user
        )

    def _holds(self, seat: Seat, who: Membership, at: datetime = T0) -> None:
        seats.assign_seat(seat=seat, membership=who, by=None, at=at)

    def _desk(self, member: Membership) -> Desk:
        return Desk(self.gateway, key_of(member))

    def lots(self) -> list[CreditGrant]:
        return list(CreditGrant.objects.for_team(self.team).order_by("pk"))

    def live(self) -> None:
        """What is done to a Team, a verb after the other; `seen` gets what is shown after some of them."""
        for number, _ in enumerate(self._verbs()):
            if number % 4 == 0:
                self.seen.append(self.shown())
        self.seen.append(self.shown())

    def _verbs(self) -> Iterator[object]:
        team, n, by, at = self.team, self.scale, self.owner_user, NOW
        yield None
        yield invitations.resend(invitation=self.invitation, by=by, at=at)
        yield seats.move_seat(seat=self.other, to=self.owner, by=by, at=at)
        yield entitlements.suspend_seat(seat=self.other, at=at, by=None)
        yield entitlements.resume_seat(seat=self.other, at=at, by=None)
        yield keys.rotate_key(membership=self.bob, overlap=HOUR, at=at, by=self.shared)
        yield keys.revoke_keys(membership=self.cleo, at=at, by=by)
        yield memberships.change_role(membership=self.bob, role="admin", by=by, at=at)
        yield set_credit_access(
            membership=self.cleo, allowed=True, overflow="never", month_cap_nanousd=n, at=at, by=by
        )
        kind = CreditLedgerEntry.Kind.ADJUSTMENT
        yield adjust_lot(lot=self.lots()[0], nanousd=-USD // 2, kind=kind, cause="ours", at=at, by=None)
        refund = refunds.open_refund(payment=self.payment, amount_nanousd=USD, reason="asked", at=at, by=by)
        yield refund
        yield refunds.close_refund(refund=refund, stripe_id=f"re_{self.name}", at=at)
        yield checkouts.close_checkout(
            checkout=CreditPurchase.objects.get(team=team, state="waiting").checkout,  # type: ignore[arg-type]
            state="expired",
            at=at,
        )
        waiting = top_ups.begin_top_up(team=team, at=at)
        assert waiting is not None
        yield waiting
        yield top_ups.fail_top_up(purchase=waiting, reason="declined", at=at)
        later = top_ups.begin_top_up(team=team, at=at + 2 * HOUR)
        assert later is not None
        yield purchases.grant_purchase(purchase=later, payment_id=f"pi_{self.name}", invoice_id="", at=at)
        yield cancellations.ask_to_cancel(team=team, at=at, by=by)
        yield cancellations.ask_to_resume(team=team, at=at, by=by)
        yield self.bill.say({"max": 1}, at=at)
        yield changes.planned_seats(self.bill.row)
        yield memberships.end_membership(membership=self.bob, by=by, at=at)
        yield teams.transfer_ownership(team=team, to=self.cleo, by=by, at=at)

    def shown(self) -> dict[str, object]:
        """All that pages and the API show of the Team, and what the sweeps see of it."""
        return {**self._of_people(), **self._of_seats(), **self._of_credits(), **self._of_money()}

    def _members(self) -> list[Membership]:
        return list(Membership.objects.for_team(self.team).select_related("user").order_by("pk"))

    def _of_people(self) -> dict[str, object]:
        rows = roster(self.team, NOW)
        return {
            "roster": [
                (
                    row.membership.user.email,
                    row.membership.role,
                    row.plan and row.plan.code,
                    row.key is not None and row.key.revoked_at is None,
                    row.access.allowed,
                    row.access.month_cap_nanousd,
                    row.month_used,
                )
                for row in rows
            ],
            "keys": [
                (m.user.email, [(k.replaced_at, k.expires_at, k.revoked_at) for k in m.keys.order_by("pk")])
                for m in self._members()
            ],
            "log": list(self.team.audit_entries.order_by("pk").values_list("action", "at")),
            "open": [
                sorted(rows.values_list(*fields))
                for rows, fields in (
                    (self.team.invitations.open(), ("email", "times_sent")),
                    (self.team.seat_requests.open(), ("membership__user__email", "message")),
                    (self.team.credit_requests.open(), ("membership__user__email", "wanted_nanousd")),
                )
            ],
        }

    def _of_seats(self) -> dict[str, object]:
        owners: list[Team | Membership] = [self.team, *self._members()]
        return {
            "seats": [
                (
                    state.plan and state.plan.code,
                    state.holder and state.holder.user.email,
                    state.suspended,
                    [(window.used, window.held) for window in state.windows],
                    [(window.used, window.held) for window in seat_windows(state.seat.pk, NOW)[1]],
                    [
                        (row.holding.membership.user.email, row.used_nanousd)
                        for row in seat_history(state.seat)
                    ],
                )
                for state in seats_of(self.team, NOW)
            ],
            "free": len(free_seats(self.team, NOW)),
            "crowded": sorted(
                held.membership.user.email
                for held in notices.crowded_seats(NOW, 1)
                if held.membership.team_id == self.team.pk
            ),
            "usage": [
                [(row.starts_at, row.model, row.member and row.member.email, row.amounts) for row in rows]
                for owner in owners
                for groups in ((), (Group.MEMBER,), (Group.HOUR, Group.MODEL))
                for rows in [usage_by(owner, T0, NOW, *groups)]
            ],
        }

    def _of_credits(self) -> dict[str, object]:
        pool = notices.LowPool(Account.CREDITS, self.team, 0, 0)
        refill = notices.last_refill(pool, None)
        return {
            "balance": team_balance(self.team.pk, NOW),
            "lots": [(lot.remaining_nanousd, lot.frozen_at) for lot in self.lots()],
            "members": [
                (
                    member.user.email,
                    (bar := usage_bar(member, NOW)).credits,
                    bar.agents,
                    bar.owed,
                    bar.usable,
                    [(window.used, window.held) for window in bar.windows],
                )
                for member in self._members()
            ],
            "low": [
                (low.balance, low.threshold) for low in notices.low_pools(NOW) if low.team.pk == self.team.pk
            ],
            "refill": refill and CreditLedgerEntry.objects.get(pk=refill).amount_nanousd,
            "gains": list(notices.gains(pool, T0 - DAY).values_list("amount_nanousd", flat=True)),
        }

    def _of_money(self) -> dict[str, object]:
        view = paid.overview(self.team)
        state = top_up_state(self.team, NOW)
        owes = paid.overdue_of(self.team)
        page = open_checkout(self.team, "credits")
        back = claw_back_of(Payment.objects.get(pk=self.payment.pk), amount_nanousd=USD)
        return {
            "bought": [(row.plan.code, row.seat_nanousd, row.bought, row.assigned) for row in view.plans],
            "paid seats": [(row.plan.code, row.holder and row.holder.user.email) for row in view.seats],
            "subscription": view.subscription and (view.subscription.status, view.subscription.cancel_asked),
            "balance at Stripe": view.balance_nanousd,
            "under way": (view.change, view.checkout, paid.is_under_way(self.team), owes),
            "page": page and page.text,
            "claw back": back and (back.owed_nanousd, back.taken_nanousd),
            "purchases": [
                (row.amount_nanousd, row.state, row.total_nanousd, row.refunded_nanousd)  # type: ignore[attr-defined]
                for row in purchases_of(self.team).order_by("created_at", "amount_nanousd", "state")
            ],
            "top-up": (
                state.order.target_nanousd,
                state.order.failures,
                state.spent_nanousd,
                state.waiting and state.waiting.amount_nanousd,
                [row.amount_nanousd for row in state.failed],
                spent_this_month(self.team, NOW),
            ),
        }
