"""The demo is loaded: what is missing of it is made, and its credentials are written.

The password is random, made once for each installation and the same for all of the demo's people, and stored
in `DATA/demo.json` alone, which only the account that runs the installation can read.
"""

from __future__ import annotations

import secrets
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db.models import QuerySet

from quota.hot_path.credentials import recognise_gateway
from quota.models import Gateway
from quota.services.gateways import create_gateway, revoke_gateway
from quota.services.notices import send_notices
from quota.services.windows_history import close_windows
from teams.models import Mail, User
from tokenplan.kit.transactions import SWEEP_STATEMENT_TIMEOUT_MS, one_transaction
from tokenplan.runtime.demo import credentials
from tokenplan.runtime.demo.cast import OPERATOR, SMALL, TEAMS, DemoTeam, crowd_of, names
from tokenplan.runtime.demo.people import (
    demo_people,
    found_team,
    give_seats,
    grant_all,
    key_text,
    memberships_of,
    open_accounts,
    plan_code,
    team_of,
)
from tokenplan.runtime.demo.purchases import open_shop
from tokenplan.runtime.demo.world import BEGINS, INVITED, World

GATEWAY = "demo"


class DemoRemoved(Exception):
    """The demo was taken away from this database, and is not made again."""


def load_demo(*, file: Path, url: str, at: datetime) -> bool:
    """Makes the demo and writes `file`; returns whether it did. Plans and a price list must have been loaded.

    Where payments go to a local Stripe, it has a month of life, with subscriptions that were bought there;
    elsewhere two Teams whose seats were given.

    Where `file` describes a demo that is in the database, the demo is left as people have made it, and only
    the file's `url` is brought up to date. Where the file is gone or belongs to another database, the Teams
    that are missing are made, with another password and a new gateway. Raises DemoRemoved, and OSError where
    the local Stripe's port is taken.
    """
    if demo_people().exists() and not demo_people().filter(is_active=True).exists():
        raise DemoRemoved
    present = credentials.read(file)
    if present and recognise_gateway(text=present["gateway_key"], at=at):
        if present["url"] != url:
            credentials.write(file, {**present, "url": url})
        return False
    credentials.write(file, {"url": url, **_make(at)})
    # What the sweeps would do in their first minutes: history, and who is near a limit.
    close_windows(at=at)
    send_notices(at=at)
    # Of a month that nobody has lived: whoever opens the folder of mails wants those of their own.
    Mail.objects.filter(sent_at=None, created_at__lte=at, to__in=[*names(), *INVITED]).update(sent_at=at)
    return True


def _make(at: datetime) -> dict[str, Any]:
    """All of it or nothing. So the local Stripe is asked inside a transaction, which is not done elsewhere:
    here nobody else waits for its locks.
    """
    teams = TEAMS if settings.LOCAL_STRIPE else SMALL
    missing = [team for team in teams if team_of(team) is None]
    buys = bool(missing) and settings.LOCAL_STRIPE
    begins = at - BEGINS if buys else at
    with (
        open_shop(at=begins) if buys else nullcontext() as shop,
        one_transaction(statement_timeout_ms=SWEEP_STATEMENT_TIMEOUT_MS),
    ):
        password = secrets.token_urlsafe(9)
        hashed = make_password(password)  # once: it is slow on purpose
        emails = {OPERATOR, *(person.email for team in teams for person in team.people)}
        people = {email: name for email, name in names().items() if email in emails}
        users = open_accounts(people, password=hashed, at=begins)
        crowd = [email for team in teams for email in crowd_of(team)]
        User.objects.filter(email__in=crowd).update(password=hashed)
        gateway, gateway_key = _gateway(begins, at)
        if shop:
            World(users, hashed, gateway, shop, at).make(missing)
        else:
            for team in missing:
                members = found_team(team, users, at=at)
                give_seats(team, members, grant_all(team, members[0].team, at=at), at=at)
        return {"gateway_key": gateway_key, **_who_is_who(teams, password, at)}


def _who_is_who(teams: tuple[DemoTeam, ...], password: str, at: datetime) -> dict[str, Any]:
    """Everybody who can sign in, and the keys of the two Teams that every demo has: each has room."""
    people: list[dict[str, str | None]] = []
    keys: list[dict[str, str | None]] = []
    for team in teams:
        shows = {person.email: person.shows for person in team.people}
        for member in memberships_of(team):
            email, slug = member.user.email, member.team.slug
            login = {"email": email, "password": password}
            people.append({**login, "team": slug, "role": member.role, "shows": shows[email]})
            if team in SMALL:
                text = key_text(member, at=at)
                keys.append({"team": slug, "email": email, "plan": plan_code(member), "key": text})
    operator = {"email": OPERATOR, "password": password, "team": None, "role": "operator"}
    return {"people": [*people, {**operator, "shows": "the admin: /admin/"}], "keys": keys}


def _gateway(since: datetime, at: datetime) -> tuple[Gateway, str]:
    """A gateway that has been there `since` then, and its credential. Those of earlier demos are revoked."""
    before = demo_gateways()
    for gateway in before.filter(revoked_at=None):
        revoke_gateway(gateway=gateway, at=at, by=None)
    name = f"{GATEWAY} {before.count() + 1}" if before else GATEWAY
    return create_gateway(name=name, at=since, by=None)


def demo_gateways() -> QuerySet[Gateway]:
    """Those that the demo has made, by their names; not one that an operator has named demo-something."""
    return Gateway.objects.filter(name__regex=rf"^{GATEWAY}( [0-9]+)?$")
