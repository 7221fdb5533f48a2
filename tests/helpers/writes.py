"""Each write that people, keys, gateways and Stripe can ask for, as a request that does what it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse

from billing.models import InviteLink
from billing.services.campaigns import ask_campaign, attach_promotion
from quota.models import Plan
from quota.services.gateways import create_gateway
from quota.views.seat_changes import address_to_undo
from teams.invitation_tokens import token_of
from teams.models import Membership, SeatHolding, Team, User
from teams.services import access_tokens
from tests.helpers import signed
from tests.helpers.address_table import API, PAGES
from tests.helpers.bodies import body_of
from tests.helpers.bought import say_invoice, say_promotion
from tests.helpers.console_pages import signed_in
from tests.helpers.factories import CREDIT, T0, Desk, key_of, make_member, make_seat, make_team, make_user
from tests.helpers.invites import asked_campaign
from tests.helpers.lost_connections import Call, bearer, cookies_of, form_call, json_call
from tests.helpers.stripe_says import put_on_sale
from tests.keepers.test_tenancy import Scene, make_everything

READS = "it only reads"
AWAY = "Stripe is away"
SESSION = "it writes the session alone"
ROWS = "each row is there or not, and counts once when it comes again"


@dataclass(frozen=True)
class Write:
    """`why`: why it changes no row here; empty: it does. `alone`: the tables that are written beside it, in a
    transaction of their own. `steps`: why it is written in several transactions; empty: it is in one.
    `refused`: what else it may be answered while the database goes away.
    """

    call: Call
    why: str = ""
    alone: frozenset[str] = frozenset()
    steps: str = ""
    refused: frozenset[int] = frozenset()


# Of those that change nothing, by the names of their addresses.
WHY = {
    **dict.fromkeys(("api-subscription-preview", "search", "api-api-key-reveal", "api-key-reveal"), READS),
    **dict.fromkeys(("team-invoice-details", "team-portal", "team-subscribe", "team-change"), AWAY),
    **dict.fromkeys(("team-change-drop", "team-checkout-leave", "team-credits-buy"), AWAY),
    **dict.fromkeys(("api-checkout", "api-credit-purchases", "api-balance-purchases"), AWAY),
    **dict.fromkeys(("team-balance-top-up", "api-portal", "api-subscription-checkout"), AWAY),
    **dict.fromkeys(("api-subscription-change", "api-subscription-change-drop"), AWAY),
}


def everything() -> Scene:
    """What `make_everything` makes, and what some writes need besides."""
    scene = make_everything()
    team = Team.objects.get(slug=scene.slug)
    scene.people["plain"] = make_member(team).user
    scene.rows["free seat"] = make_seat(team, put_on_sale()["max"]).pk
    say_invoice(team, "in_1", subscription_id="sub_1")  # who has paid may invite
    return scene


def writes_of_a_team(scene: Scene, *, api: bool) -> Iterator[Write]:
    """By the Owner, as far as they may; with a proof."""
    clients = {role: cookies_of(signed_in(user)) for role, user in scene.people.items()}
    who = {
        **dict.fromkeys(("team-leave", "api-leave"), "admin"),
        **dict.fromkeys(
            ("account-credit-request", "account-seat-request", "api-credit-requests", "api-seat-requests"),
            "plain",
        ),
    }
    empty = replace(scene, slug=make_team(owner=scene.people["owner"]).slug)
    free = replace(scene, rows={**scene.rows, "seat": scene.rows["free seat"]})
    holding = _begun_just_now(scene)
    moved = replace(scene, rows={**scene.rows, "seat": holding.seat_id})
    elsewhere = {"team-delete": empty, "api-seat-assign": free, "team-seat-undo": moved}
    for name, address in (API if api else PAGES).items():
        for method in address.methods:
            if method == "GET":
                continue
            there = empty if (name, method) == ("api-team", "DELETE") else elsewhere.get(name, scene)
            url, body = there.url(name), body_of(there, name, method)
            if name == "team-seat-undo":
                url = address_to_undo(scene.slug, holding, before=None)
            headers = clients[who.get(name, "owner")]
            call = json_call(name, method, url, body, headers) if api else form_call(name, url, body, headers)
            yield Write(call, WHY.get(name, ""))


def _begun_just_now(scene: Scene) -> SeatHolding:
    """Of a seat that somebody got a moment ago, which can be undone."""
    team = Team.objects.get(slug=scene.slug)
    seat = make_seat(team, Plan.objects.current("max"), holder=make_member(team))
    return SeatHolding.objects.get(seat=seat, ended_at=None)


def writes_of_ones_own(scene: Scene) -> Iterator[Write]:
    owner, plain = scene.people["owner"], scene.people["plain"]
    phone, token = signed_in(owner), _token(scene)
    session = _session_of(phone, owner)
    said: list[tuple[str, int | None]] = [
        *(("account-notices", None), ("account-profile", None), ("account-tokens", None), ("search", None)),
        *(("team-new", None), ("account-sessions-end-others", None), ("invite-link", None)),
        *(("account-session-end", session), ("account-token-revoke", token)),
    ]
    headers = cookies_of(signed_in(owner))
    for name, pk in said:
        url = reverse(name, kwargs={"pk": pk} if pk else None)
        yield Write(form_call(name, url, body_of(scene, name, "POST"), headers), WHY.get(name, ""))
    for name, method in (
        *(("api-me", "PATCH"), ("api-tokens", "POST"), ("api-teams", "POST"), ("api-notices", "PUT")),
        *(("api-own-invite", "POST"), ("api-token", "DELETE")),
    ):
        url = reverse(name, kwargs={"pk": token} if name == "api-token" else None)
        yield Write(json_call(name, method, url, body_of(scene, name, method), headers))
    script = access_tokens.create(
        user=plain, name="script", scope="manage", expires_in_days=1, by=plain, at=T0
    )[1]
    by_token = json_call("api-me", "PATCH", reverse("api-me"), {"name": "P"}, bearer(script))
    yield Write(by_token, alone=frozenset({"teams_personalaccesstoken"}))  # when it was used


def _session_of(client: Client, user: User) -> int:
    """The row of the session, as the sign-in page makes one."""
    made = UserSession.objects.create(
        user=user, session_key=client.session.session_key, ip="127.0.0.1", user_agent="phone", created_at=T0
    )
    return int(made.pk)


def _token(scene: Scene) -> int:
    owner = scene.people["owner"]
    return access_tokens.create(user=owner, name="ci", scope="read", expires_in_days=9, by=owner, at=T0)[0].pk


def writes_of_newcomers(scene: Scene) -> Iterator[Write]:
    """Who come by an invitation or a link."""
    owner, new = scene.people["owner"], make_user("new@example.com")
    token = token_of(scene.rows["invitation"], 1)
    headers = cookies_of(signed_in(new))
    campaign = ask_campaign(request=uuid4(), asked=asked_campaign(T0), at=T0, by=owner)
    attach_promotion(campaign=campaign, promotion=say_promotion(), at=T0)
    code = InviteLink.objects.create(user=scene.people["admin"], code="a2b3c4d5e6f7", created_at=T0).code
    yield Write(form_call("join", reverse("join", args=[token]), {}, headers))
    yield Write(form_call("invite", reverse("invite", args=[code]), {}, headers))
    yield Write(
        json_call(
            "api-invitation-accept", "POST", reverse("api-invitation-accept"), {"token": token}, headers
        )
    )
    yield Write(json_call("api-invite-accept", "POST", reverse("api-invite-accept"), {"code": code}, headers))
    language = {"language": "zh-hans", "next": "/"}
    yield Write(form_call("language", reverse("language"), language, headers))
    yield Write(form_call("language", reverse("language"), language, {}), "a cookie keeps it")


def writes_of_gateways(scene: Scene) -> Iterator[Write]:
    """Of a seat's quota, and of a member's Credits."""
    row, text = create_gateway(name="edge", at=T0, by=None)
    credential = bearer(text)
    for role in ("owner", "member"):
        membership = Membership.objects.get(user=scene.people[role], team__slug=scene.slug)
        desk = Desk(row, key_of(membership))
        asked = {"request_id": f"{role} asks", "key": desk.key, "model": "penny", "estimate": {"calls": 1}}
        lease = {"request_id": f"{role} leases", "key": desk.key, "hold_nanousd": CREDIT}
        for body in (asked, lease):
            yield Write(json_call("api-authorize", "POST", reverse("api-authorize"), body, credential))
        for verb, said, held in (
            ("settle", {"usage": {"calls": 2}}, desk.ask(2)),
            ("release", {}, desk.ask(1)),
            (
                "draw",
                {"id": "d", "usage": {"calls": 1}, "model": "penny"},
                desk.lease(10 * 10_000_000, seconds=600),
            ),
            ("extend", {"lifetime_seconds": 1200}, desk.lease(10_000_000, seconds=600)),
        ):
            url = reverse(f"api-{verb}", kwargs={"reservation": held.reservation_id})
            yield Write(json_call(f"api-{verb}", "POST", url, said, credential))
        rows: list[dict[str, Any]] = [
            {"reservation": str(desk.ask(1).reservation_id), "usage": {"calls": 1}} for _ in range(2)
        ]
        rows.append({"reservation": str(uuid4()), "usage": {"calls": 1}})
        many = {"settlements": rows}
        yield Write(
            json_call("api-settlements", "POST", reverse("api-settlements"), many, credential), steps=ROWS
        )
        yield Write(
            Call("api-events", "POST", reverse("api-events"), events_of(desk.key), credential), steps=ROWS
        )


def events_of(key: str, number: int = 3) -> bytes:
    """A report of so many calls of `penny`."""
    row = {"key": key, "model": "penny", "usage": {"calls": 1}, "occurred_at": T0.isoformat()}
    rows = [{**row, "id": f"event-{key[6:18]}-{i}"} for i in range(number)]
    return json_call("", "POST", "", {"events": rows}, {}).body


def writes_of_stripe(scene: Scene) -> Iterator[Write]:
    body = json_call(
        "", "POST", "", signed.event("invoice.paid", {"object": "invoice", "id": "in_1"}), {}
    ).body
    headers = {"Stripe-Signature": signed.signature(body, at=T0)}
    yield Write(Call("stripe-webhook", "POST", reverse("stripe-webhook"), body, headers))
