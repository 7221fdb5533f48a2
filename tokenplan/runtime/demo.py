"""The demo: two Teams with members, seats, Credits and keys, to try everything with.

Passwords are random, made once for each installation, and stored in `DATA/demo.json` alone, which only the
account that runs the installation can read.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import QuerySet

from quota.hot_path.credentials import recognise_gateway
from quota.models import Entitlement, Gateway, Plan
from quota.money import nanousd_from_credits
from quota.services.credits import grant_credits, set_credit_access
from quota.services.entitlements import grant_seat
from quota.services.gateways import create_gateway, revoke_gateway
from teams.errors import KeyInvalid, KeyRootMissing
from teams.models import Membership, Role, Seat, SubscriptionKey, Team, User
from teams.services.accounts import open_account, save_by_operator
from teams.services.keys import reveal_key, revoke_keys, rotate_key
from teams.services.memberships import add_member
from teams.services.seats import assign_seat
from teams.services.teams import create_team
from tokenplan.kit.transactions import one_transaction
from tokenplan.runtime.folders import private_folder

OPERATOR = "operator@tokenplan.example"
GATEWAY = "demo"


@dataclass(frozen=True)
class Person:
    """A member of a demo Team. `plan` is the code of their seat's plan; `month_cap` is in Credits."""

    email: str
    name: str
    role: str
    plan: str | None = None
    credits: bool = False
    month_cap: str | None = None


@dataclass(frozen=True)
class DemoTeam:
    """The first person is the Owner. `spare` lists the plans of further seats, which nobody holds yet."""

    name: str
    credits: str
    people: tuple[Person, ...]
    spare: tuple[str, ...] = ()


TEAMS = (
    DemoTeam(
        name="Acme",
        credits="100000",
        people=(
            Person("olivia@acme.example", "Olivia Ortiz", Role.OWNER, plan="max", credits=True),
            Person("adam@acme.example", "Adam Abara", Role.ADMIN, plan="ultra", credits=True),
            Person("mia@acme.example", "Mia Moreau", Role.MEMBER, plan="max", credits=True),
            Person("noah@acme.example", "Noah Nakamura", Role.MEMBER, plan="plus", credits=True),
            Person("lena@acme.example", "Lena Lindqvist", Role.MEMBER, plan="plus"),
            Person("ravi@acme.example", "Ravi Rao", Role.MEMBER, credits=True, month_cap="5000"),
        ),
        spare=("plus",),
    ),
    DemoTeam(
        name="Globex",
        credits="25000",
        people=(
            Person("greta@globex.example", "Greta Gruber", Role.OWNER, plan="ultra", credits=True),
            Person("ben@globex.example", "Ben Barzani", Role.ADMIN, plan="max", credits=True),
            Person("chloe@globex.example", "Chloé Chevalier", Role.MEMBER, plan="plus"),
            # Also in Acme: one person, two Teams, two keys.
            Person("mia@acme.example", "Mia Moreau", Role.MEMBER, plan="max"),
        ),
    ),
)


class DemoRemoved(Exception):
    """The demo was taken away from this database, and is not made again."""


def load_demo(*, file: Path, url: str, at: datetime) -> bool:
    """Makes the demo and writes `file`; returns whether it did. The plans must have been loaded.

    Where `file` describes a demo that is in the database, the demo is left as people have made it, and only
    the file's `url` is brought up to date. Where the file is gone or belongs to another database, the parts
    that are missing are made, with new passwords and a new gateway. Raises DemoRemoved.
    """
    if demo_people().exists() and not demo_people().filter(is_active=True).exists():
        raise DemoRemoved
    present = _read(file)
    if present and recognise_gateway(text=present["gateway_key"], at=at):
        if present["url"] != url:
            _write(file, {**present, "url": url})
        return False
    _write(file, {"url": url, **_make(at)})
    return True


def write_gateway_url(*, file: Path, gateway_url: str | None) -> None:
    """Notes in `file`, if it is there, where the keys of the demo are answered; None: nowhere."""
    present = _read(file)
    if present and present.get("gateway_url") != gateway_url:
        _write(file, {**present, "gateway_url": gateway_url})


def gateway_key(*, file: Path) -> str | None:
    """The demo's gateway credential; None where there is no demo."""
    present = _read(file)
    return str(present["gateway_key"]) if present else None


def demo_people() -> QuerySet[User]:
    """The accounts that the demo has made. Their domain is reserved: no real person has such an address."""
    emails = [person.email for team in TEAMS for person in team.people]
    return User.objects.filter(email__in=[*emails, OPERATOR])


@one_transaction()
def remove_demo(*, file: Path, at: datetime) -> int:
    """Takes the demo's people away: nobody can sign in as one of them, and no key or gateway of theirs works.

    What they did stays as history. Returns how many there were; `file` is removed.
    """
    people = list(demo_people().filter(is_active=True).order_by("pk"))
    for user in people:
        for membership in user.memberships.order_by("pk"):
            revoke_keys(membership=membership, at=at, by=None)
        user.is_active = user.is_staff = user.is_superuser = False
        user.set_unusable_password()
        save_by_operator(user=user, changed=["is_active", "is_staff", "password"], by=None, at=at)
    for gateway in _gateways().filter(revoked_at=None):
        revoke_gateway(gateway=gateway, at=at, by=None)
    file.unlink(missing_ok=True)
    return len(people)


@one_transaction()
def _make(at: datetime) -> dict[str, Any]:
    names = {person.email: person.name for team in TEAMS for person in team.people} | {OPERATOR: "Operator"}
    passwords = {email: secrets.token_urlsafe(9) for email in names}
    users = {email: _account(email, name, passwords[email], at) for email, name in names.items()}
    people: list[dict[str, str | None]] = []
    keys: list[dict[str, str | None]] = []
    for team in TEAMS:
        for membership in _members(team, users, at):
            email, slug = membership.user.email, membership.team.slug
            login = {"email": email, "password": passwords[email]}
            people.append({**login, "team": slug, "role": membership.role})
            keys.append(
                {"team": slug, "email": email, "plan": _plan(membership), "key": _key(membership, at)}
            )
    people.append({"email": OPERATOR, "password": passwords[OPERATOR], "team": None, "role": "operator"})
    return {"gateway_key": _gateway(at), "people": people, "keys": keys}


def _account(email: str, name: str, password: str, at: datetime) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        operator = email == OPERATOR
        user = User.objects.create_user(email, name=name, is_staff=operator, is_superuser=operator)
    user.set_password(password)
    user.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    open_account(user=user, at=at)
    return user


def _members(team: DemoTeam, users: Mapping[str, User], at: datetime) -> list[Membership]:
    """The memberships of the demo's people in this Team, which is made if missing."""
    owner = users[team.people[0].email]
    found = Team.objects.live().filter(name=team.name, default_for=None, memberships__user=owner).first()
    present = (found or _new_team(team, users, at)).memberships.live().filter(user__in=users.values())
    return list(present.select_related("team", "user").order_by("pk"))


def _new_team(team: DemoTeam, users: Mapping[str, User], at: datetime) -> Team:
    owner = users[team.people[0].email]
    first = create_team(name=team.name, by=owner, at=at)
    made = first.team
    rest = [
        add_member(team=made, user=users[person.email], role=person.role, at=at, by=owner)
        for person in team.people[1:]
    ]
    pool = nanousd_from_credits(team.credits)
    grant_credits(team=made, nanousd=pool, source=f"demo: {made.slug}", at=at, by=None)
    for person, membership in zip(team.people, [first, *rest], strict=True):
        if person.plan:
            assign_seat(seat=_seat(made, person.plan, at), membership=membership, by=owner, at=at)
        set_credit_access(
            membership=membership,
            allowed=person.credits,
            overflow="allow",
            month_cap_nanousd=nanousd_from_credits(person.month_cap) if person.month_cap else None,
            at=at,
            by=owner,
        )
    for plan in team.spare:
        _seat(made, plan, at)
    return made


def _seat(team: Team, code: str, at: datetime) -> Seat:
    plan = Plan.objects.sellable().get(code=code)
    return grant_seat(team=team, plan=plan, ends_at=None, source="demo", at=at, by=None)


def _plan(membership: Membership) -> str | None:
    """The code of the plan of the seat that the member holds, if any."""
    holding = membership.holdings.current().first()
    entitlement = holding and Entitlement.objects.open().filter(seat=holding.seat_id).first()
    return entitlement.plan.code if entitlement else None


def _key(membership: Membership, at: datetime) -> str:
    """The text of the member's key. The key is rotated first where its root was lost with an earlier DATA."""
    key = SubscriptionKey.objects.current().get(membership=membership)
    try:
        return reveal_key(key)
    except (KeyInvalid, KeyRootMissing):
        by = membership.user
        return reveal_key(rotate_key(membership=membership, overlap=timedelta(0), at=at, by=by))


def _gateway(at: datetime) -> str:
    """A new gateway credential. Those of earlier demos are revoked."""
    before = _gateways()
    for gateway in before.filter(revoked_at=None):
        revoke_gateway(gateway=gateway, at=at, by=None)
    name = f"{GATEWAY} {before.count() + 1}" if before else GATEWAY
    return create_gateway(name=name, at=at, by=None)[1]


def _gateways() -> QuerySet[Gateway]:
    """Those that the demo has made, by their names; not one that an operator has named demo-something."""
    return Gateway.objects.filter(name__regex=rf"^{GATEWAY}( [0-9]+)?$")


def _read(file: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(file.read_text("utf-8-sig"))
        return content if {"url", "gateway_key"} <= content.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Replaces the file at once, so that it is never half written nor readable by another account."""
    private_folder(file.parent)
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        json.dump(content, output, indent=2)
    draft.replace(file)
