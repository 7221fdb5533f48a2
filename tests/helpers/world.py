"""A world with two of everything, and which rows a verb writes in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from django.apps import apps
from django.db import transaction

from billing.models import Checkout, StripeEvent
from billing.services import inbox, invite_vouchers, invites
from billing.services.campaigns import ask_campaign, attach_promotion
from billing.stripe_api.snapshots import EventSnapshot
from quota.models import CreditGrant
from quota.services import gateways
from teams.services import access_tokens, api_keys, invitations, seats, teams
from tests.helpers.bought import say_invoice, say_payment, say_promotion
from tests.helpers.factories import (
    T0,
    Desk,
    allow_credits,
    key_of,
    make_gateway,
    make_member,
    make_team,
    make_user,
    use_test_rate_card,
)
from tests.helpers.invites import asked_campaign
from tests.helpers.life import HOUR, Life
from tests.helpers.stripe_says import put_on_sale

Rows = dict[tuple[str, object], tuple[object, ...]]


class Home(Life):
    """A Team with what only some verbs need."""

    def begin(self) -> None:
        super().begin()
        self.new = make_user(self.invitation.email)
        for name in ("one", "two"):
            self.token, self.token_text = access_tokens.create(
                user=self.owner_user, name=name, scope="read", expires_in_days=9, by=self.owner_user, at=T0
            )
        self.spare, self.empty = [seats.add_seat(team=self.team, by=None, at=T0) for _ in range(2)]
        self.dan = make_member(self.team, make_user(f"dan@{self.name}.example"))
        self.plain = teams.create_team(name=f"Plain {self.name}", by=self.owner_user, at=T0).team
        make_member(self.plain, self.shared)
        invitations.invite(team=self.plain, email=self.new.email, role="member", by=self.owner_user, at=T0)
        self._owes()
        self._waits()
        say_promotion(f"CODE-{self.name}")
        for name in ("batch", "site"):
            self.api_key = api_keys.create_api_key(
                membership=self.bob,
                name=name,
                month_cap_nanousd=None,
                expires_at=None,
                at=T0,
                by=self.shared,
            )
        self._invites()
        self.gone_gateway = gateways.create_gateway(name=f"gateway of {self.name}", at=T0, by=None)[0]

    def _owes(self) -> None:
        """Two members used more than anything covered."""
        others = [make_member(self.team, make_user(f"{n}.owes@{self.name}.example")) for n in range(2)]
        for who in others:
            allow_credits(who, month_cap=10_000_000)
            desk = Desk(self.gateway, key_of(who))
            desk.settle(desk.ask(1, at=T0 + HOUR), 3, at=T0 + HOUR)

    def _waits(self) -> None:
        for number in range(2):
            about = {"id": f"in_{self.name}", "object": "invoice"}
            snapshot = EventSnapshot(f"evt_{self.name}_{number}", "invoice.paid", about, T0)
            inbox.receive(event=snapshot, payload={"data": {"object": about}}, at=T0)
        StripeEvent.objects.update(attempts=1)
        self.event = StripeEvent.objects.get(stripe_id=f"evt_{self.name}_1")

    def _invites(self) -> None:
        """A friend came by the Owner's link, paid twice, and brought a voucher for the first payment."""
        self.link = invites.make_link(at=T0, by=self.owner_user)
        self.friend = make_user(f"friend@{self.name}.example")
        invites.come_by_link(code=self.link.code, at=T0, by=self.friend)
        self.friends = make_team(owner=self.friend)
        with transaction.atomic():
            invites.mark_invited(team=self.friends, at=T0)
        self.rewarded, self.paid = (
            say_invoice(
                self.friends,
                f"in_{self.name}_friend_{number}",
                subscription_id=f"sub_{self.name}_friend",
                payment_id=say_payment(self.friends, f"pi_{self.name}_friend_{number}").stripe_id,
            )
            for number in range(2)
        )
        invite_vouchers.keep_voucher(invoice=self.rewarded, at=T0)

    @property
    def lot(self) -> CreditGrant:
        return self.lots()[0]

    @property
    def page(self) -> Checkout:
        return Checkout.objects.select_related("team").get(team=self.team, state="open")


def world() -> Home:
    """The second of three such Teams, with one person in all of them."""
    use_test_rate_card()
    put_on_sale()
    campaign = ask_campaign(request=uuid4(), asked=asked_campaign(T0), at=T0, by=make_user())
    attach_promotion(campaign=campaign, promotion=say_promotion("INVITES", duration="forever"), at=T0)
    gateway, shared = make_gateway(), make_user("bob@shared.example")
    homes = [Home(name, n, shared, gateway) for n, name in enumerate(("acme", "globex", "initech"), 1)]
    for home in homes:
        home.begin()
    for home in (homes[0], homes[2]):
        home.troubled()
    return homes[1]


def all_rows() -> Rows:
    """Of every table of ours."""
    models = [m for floor in ("teams", "quota", "billing") for m in apps.get_app_config(floor).get_models()]
    return {
        (m.__name__, row[0]): row
        for m in models
        for row in m._default_manager.values_list("pk", *_columns(m))
    }


def _columns(model: object) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]  # type: ignore[attr-defined]


def written_by(verb: Callable[[], object], *, before: Rows) -> str:
    """`Seat ~1, AuditEntry +2`: one row changed, two new ones. What the verb did is undone."""
    with transaction.atomic():
        verb()
        after = all_rows()
        transaction.set_rollback(True)
    signs = {
        "+": after.keys() - before.keys(),
        "-": before.keys() - after.keys(),
        "~": {key for key in before.keys() & after.keys() if before[key] != after[key]},
    }
    counted = [
        f"{name} {sign}{count}"
        for sign, keys in signs.items()
        for name, count in Counter(name for name, _pk in keys).items()
    ]
    return ", ".join(sorted(counted))
