"""What each address of a Team and of one's own is sent so that it does what it is for: one body an address,
and none for DELETE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.helpers.address_table import CREDIT_ACCESS
from tests.helpers.factories import USD
from tests.keepers.test_tenancy import Scene

Body = dict[str, Any] | Callable[[Scene], dict[str, Any]]

TOKEN = {"name": "ci", "scope": "manage", "expires_in_days": 7}
TWO_SEATS = {"kind": "add", "plan": "max", "count": 2}
TOP_UP = {"enabled": "on", "threshold": "1000", "target": "25000", "month_cap": "100000"}
BALANCE_TOP_UP = {"enabled": "on", "threshold": "10", "target": "50", "month_cap": "200"}


def same_name(scene: Scene) -> dict[str, Any]:
    return {"name": scene.people["owner"].memberships.get(team__slug=scene.slug).team.name}


def other_member(scene: Scene) -> dict[str, Any]:
    return {"member": scene.rows["member"]}


PAGES: dict[str, Body] = {
    "account-credit-request": {"wanted": "100", "message": "more"},
    "account-key-rotate": {"overlap": "0"},
    "account-own-cap": {"use": "none"},
    "account-seat-request": {"plan_code": "max"},
    "team-api-key": {"name": "other"},
    "team-api-key-rotate": {"overlap": "0"},
    "team-api-keys": {"name": "batch"},
    "team-api-keys-policy": {"members_make": "yes"},
    "team-balance-alert": {"enabled": "on", "low_balance_nanousd": "5"},
    "team-balance-auto-top-up": BALANCE_TOP_UP,
    "team-balance-top-up": {"amount_nanousd": "25"},
    "team-billing-contacts": {"contacts": "books@example.com"},
    "team-change": {**TWO_SEATS, "amount_nanousd": "0"},
    "team-credit-request-answer": {"answer": "grant", "overflow": "allow", "month_cap": "100"},
    "team-credits-access": {"allowed": "on", "overflow": "allow", "month_cap": "5"},
    "team-credits-auto-top-up": TOP_UP,
    "team-credits-buy": {"credits": "5000"},
    "team-credits-policy": {"overflow": "never", "low_balance": "5"},
    "team-delete": same_name,
    "team-invitations": {"email": "kim@example.com", "role": "member"},
    "team-invite-many": {"lines": "ann@example.com\nbob@example.com, admin", "confirm": "yes"},
    "team-member-billing": {"allowed": "yes"},
    "team-member-role": {"role": "admin"},
    "team-member-seat": {"plan": "max"},
    "team-members-act": lambda scene: (
        {"verb": "give-seat", "plan": "max", "confirm": "yes"} | other_member(scene)
    ),
    "team-request-answer": lambda scene: {"answer": "grant", "seat": scene.rows["free seat"]},
    "team-seat-assign": other_member,
    "team-settings": {"name": "Another name"},
    "team-subscribe": {"seats_max": "1", "interval": "month"},
}

API: dict[str, Body] = {
    "api-api-key": {"name": "other", "month_cap_nanousd": 5 * USD},
    "api-api-key-policy": {"members_make": True},
    "api-api-key-rotate": {"overlap_seconds": 0},
    "api-api-keys": {"name": "batch"},
    "api-auto-top-up": {**TOP_UP, "enabled": True},
    "api-balance-alert": {"enabled": True, "low_balance_nanousd": 5 * USD},
    "api-balance-auto-top-up": {
        "enabled": True,
        "threshold_nanousd": 10 * USD,
        "target_nanousd": 50 * USD,
        "month_cap_nanousd": 200 * USD,
    },
    "api-balance-purchases": {"amount_nanousd": 25 * USD},
    "api-credit-access": CREDIT_ACCESS,
    "api-credit-policy": {"overflow": "never", "low_balance": "5"},
    "api-credit-purchases": {"credits": "5000"},
    "api-credit-request-answer": {"granted": True},
    "api-credit-requests": {"message": "more"},
    "api-invitations": {"email": "kim@example.com"},
    "api-key-rotate": {"overlap_seconds": 0},
    "api-member": {"role": "admin"},
    "api-own-cap": {"month_cap": "5"},
    "api-seat-assign": other_member,
    "api-seat-move": other_member,
    "api-seat-request-answer": lambda scene: {"granted": True, "seat": scene.rows["free seat"]},
    "api-seat-requests": {"plan": "max"},
    "api-subscription-change": {**TWO_SEATS, "amount_nanousd": 0},
    "api-subscription-checkout": {"seats": {"max": 1}, "interval": "month"},
    "api-subscription-preview": TWO_SEATS,
    "api-team": {"name": "Another name"},
    "api-transfer": other_member,
}

OWN: dict[str, Body] = {
    "account-notices": {"thresholds": ["50", "95"]},
    "account-profile": {"name": "Ada", "time_zone": "Europe/Berlin", "language": ""},
    "account-tokens": TOKEN,
    "account_email": {"email": "thief@example.com", "action_add": ""},
    "account_set_password": {"password1": "thiefs-horse-battery", "password2": "thiefs-horse-battery"},
    "api-me": {"name": "Ada"},
    "api-notices": {"thresholds": [50], "credits_low": False, "balance_low": True},
    "api-teams": {"name": "One more"},
    "api-tokens": TOKEN,
    "mfa_edit_webauthn": {"name": "other"},
    "search": {"q": "credits"},
    "team-new": {"name": "One more"},
}


def body_of(scene: Scene, name: str, method: str) -> dict[str, Any]:
    """Empty where the address alone says everything."""
    if method == "DELETE":
        return {}
    body: Body = {**PAGES, **API, **OWN}.get(name, {})
    return body(scene) if callable(body) else body
