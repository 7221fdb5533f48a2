"""A Team that grows to any size in a moment: of everything of which it can have many, there are copies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from billing.models import Checkout, CreditPurchase
from quota.invitation_lines import Line
from quota.models import (
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    CreditRequest,
    RefusedCall,
    SeatRequest,
    UsageEvent,
)
from quota.services.balance import add_to_balance
from quota.services.bulk_actions import start_inviting
from quota.services.credit_requests import decline_credit_request, request_credits
from quota.services.refusals import remember_refusal
from quota.services.seat_requests import answer_request, request_seat
from teams.models import AuditEntry, PersonalAccessToken, SeatHolding, User
from teams.services import access_tokens, invitations
from teams.services.memberships import end_membership
from tests.helpers.bought import say_invoice
from tests.helpers.copies import copies
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    allow_credits,
    give_credits,
    make_api_key,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_user,
)
from tests.helpers.usage_rows import write_event
from tokenplan.kit.errors import Refusal

UUID_OF_COPY = "(left(t.id::text, 24) || lpad(to_hex({last} + n), 12, '0'))::uuid"


class LargeTeam:
    """At first it has one of each, beside what its Owner has. `rows`: what addresses end in, by its kind."""

    def __init__(self) -> None:
        self.scene = make_scene(at=T0 - timedelta(days=2))
        self.team, self.owner = self.scene.team, self.scene.owner
        self.member = make_member(self.team, make_user("m0@example.com"))
        make_plan("ultra", at=T0 - timedelta(days=2))
        self.seat = make_seat(self.team, self.scene.plan, holder=self.member)
        self.free_seat = make_seat(self.team, self.scene.plan)
        allow_credits(self.member, month_cap=CREDIT)
        self.own_event, self.event = (
            write_event(mine, 7 * USD, tags=["web"]) for mine in (self.owner, self.member)
        )
        give_credits(self.team, 5_000 * CREDIT)
        add_to_balance(team=self.team, nanousd=USD, source="pi", cause="Bought", at=T0, by=None)
        self.api_key = make_api_key(self.owner)
        by = self.member.user
        self.seat_request = request_seat(membership=self.member, plan_code="ultra", message="", at=T0, by=by)
        self.credit_request = request_credits(
            membership=self.member, wanted_nanousd=CREDIT, message="Why not", at=T0, by=by
        )
        owner = self.owner.user
        self.answered = self._answered(owner)
        self.invitation = invitations.invite(
            team=self.team, email="i0@example.com", role="member", by=owner, at=T0
        )
        access_tokens.create(user=owner, by=owner, name="ci", scope="read", expires_in_days=9, at=T0)
        remember_refusal(
            gateway=self.scene.desk.gateway,
            key_text=self.scene.desk.key,
            request_id="r",
            model="x",
            refusal=Refusal("No"),
            at=T0,
        )
        self.purchases = [
            CreditPurchase.objects.create(
                account=account, team=self.team, kind="pack", amount_nanousd=5 * USD, created_at=T0
            )
            for account in ("credits", "balance")
        ]
        self.invoice = say_invoice(self.team, "in_0")
        line = Line(number=1, text="j0@example.com", email="j0@example.com")
        self.bulk_action = start_inviting(team=self.team, lines=[line], by=owner, at=T0)
        # Given up, so that nobody asks Stripe about it.
        checkout = Checkout(team=self.team, kind="subscription", prices={}, text="1 × Max", state="expired")
        checkout.created_at = checkout.expires_at = T0
        checkout.save()
        self.rows = {
            "api key": self.api_key.pk,
            "bulk action": self.bulk_action.pk,
            "checkout": checkout.pk,
            "event": self.event.pk,
            "member": self.member.pk,
            "own event": self.own_event.pk,
            "seat": self.seat.pk,
        }
        self.audited = list(AuditEntry.objects.for_team(self.team))
        self.last = 0

    def _answered(self, by: User) -> tuple[SeatRequest, CreditRequest]:
        """One of each kind, of who has left."""
        left = make_member(self.team)
        asked: dict[str, Any] = {"membership": left, "message": "", "at": T0, "by": left.user}
        seat = request_seat(plan_code="ultra", **asked)
        credits = request_credits(wanted_nanousd=CREDIT, **asked)
        answer_request(request=seat, granted=False, seat=None, at=T0, by=by)
        decline_credit_request(request=credits, at=T0, by=by)
        end_membership(membership=left, by=None, at=T0)
        seat.refresh_from_db()
        credits.refresh_from_db()
        return seat, credits

    def grow(self, number: int) -> None:
        """So many more of each."""
        self.last += number
        member = self._members(number)
        self._usage(number, member)
        self._money(number)
        copies(
            self.invitation,
            number,
            id=self._uuid(),
            email=f"'i' || {self.last} + n || '@example.com'",
            token_hash=f"lpad(({self.last} + n)::text, 64, '0')",
        )
        copies(self.bulk_action.lines.get(place=1), number, place=f"{self.last} + 9 + n")
        for request in (self.seat_request, self.credit_request):
            copies(request, number, membership_id=f"{member} + n")
        for answered in self.answered:
            copies(answered, number)
        for entry in self.audited:
            share = -(-number // len(self.audited))
            copies(entry, share, at="t.at - n * interval '1 second'")
        copies(RefusedCall.objects.earliest("pk"), number)
        token = PersonalAccessToken.objects.earliest("pk")
        copies(token, number, token_hash=f"lpad(({self.last} + n)::text, 64, '0')")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE (SKIP_LOCKED)")  # as the server does by itself, a minute later

    def _members(self, number: int) -> int:
        """The last id of a membership before these, each with account, key, seat and access to Credits."""
        user = copies(
            self.member.user,
            number,
            email=f"'m' || {self.last} + n || '@example.com'",
            name=f"'Member ' || {self.last} + n",
        )
        member = copies(self.member, number, user_id=f"{user} + n")
        self._key(self.member.keys.get(), number, membership_id=f"{member} + n")
        seat = copies(self.seat, number, number=f"{self.last} + 9 + n")
        holding = SeatHolding.objects.get(membership=self.member)
        copies(holding, number, membership_id=f"{member} + n", seat_id=f"{seat} + n")
        copies(self.seat.entitlements.get(), number, seat_id=f"{seat} + n")
        free = copies(self.free_seat, number, number=f"1000000 + {self.last} + n")
        copies(self.free_seat.entitlements.get(), number, seat_id=f"{free} + n")
        access = CreditAccess.objects.get(membership=self.member)
        copies(access, number, membership_id=f"{member} + n")
        return member

    def _key(self, text: object, number: int, **own: str) -> None:
        copies(text, number, key_id=f"lpad(({self.last} + n)::text, 12, '0')", **own)  # type: ignore[arg-type]

    def _usage(self, number: int, member: int) -> None:
        """A charge of each new member, and as many of the Owner."""
        for event, whose in ((self.event, f"{member} + n"), (self.own_event, "t.membership_id")):
            assert isinstance(event, UsageEvent)
            copies(
                event,
                number,
                id=self._uuid(),
                external_id=f"t.external_id || '-' || {self.last} + n",
                membership_id=whose,
                model=f"'model ' || mod({self.last} + n, 200)",
                occurred_at="t.occurred_at - n * interval '1 second'",
            )

    def _money(self, number: int) -> None:
        for lot in CreditGrant.objects.filter(team=self.team).order_by("pk")[:2]:
            last = copies(lot, number, source=f"t.source || '-' || {self.last} + n")
            copies(CreditLedgerEntry.objects.filter(grant=lot).earliest("pk"), number, grant_id=f"{last} + n")
        key = copies(self.api_key, number, name=f"'key ' || {self.last} + n")
        self._key(self.api_key.texts.get(), number, api_key_id=f"{key} + n")
        for purchase in self.purchases:
            copies(purchase, number, id=self._uuid())
        copies(self.invoice, number, stripe_id=f"'in_' || {self.last} + n")

    def _uuid(self) -> str:
        return UUID_OF_COPY.format(last=self.last)
