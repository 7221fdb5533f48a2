"""Every kind of entry has a sentence, which names no column."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import translation

from billing.selectors.audit import SENTENCES, SUBJECTS, lines_of
from teams.audit_sentences import Said
from teams.models import AuditEntry
from tests.helpers.factories import T0, make_seat, make_team, owner_of
from tests.keepers import files

# Entries of no Team, which operators alone read.
OF_OPERATORS = {
    *("access_token", "account", "campaign", "gateway", "invite", "mail", "passkey", "plan", "quarantine"),
    *("group", "rate_card", "session", "sessions", "stripe_event", "totp"),
}
ACTION = re.compile(r'action\s*=\s*(f?)"([^"]+)"|"([a-z_]+\.[a-z_]+)" if \w+ else "([a-z_]+\.[a-z_]+)"')
EVERY = {
    "{account}": ("credits", "balance"),
    "{owed.account}": ("credits", "balance"),
    "{purchase.account}": ("credits", "balance"),
    "{lot.account}": ("credits", "balance"),
    "{kind}": ("refund", "adjustment"),
    "{'frozen' if frozen else 'unfrozen'}": ("frozen", "unfrozen"),
    "{checkout.state}": ("open", "processing", "paid", "failed", "expired"),
}


def expanded(name: str) -> set[str]:
    for part, values in EVERY.items():
        if part in name:
            return {one for value in values for one in expanded(name.replace(part, value, 1))}
    return {name}


def recorded() -> set[str]:
    """Every action that a service records."""
    found: set[str] = set()
    for file in files("teams/services", "quota/services", "billing/services", suffix=".py"):
        for _is_f, name, yes, no in ACTION.findall(file.read_text()):
            found |= {one for text in (name, yes, no) if text for one in expanded(text)}
    return {name for name in found if "." in name and "{" not in name}


def test_every_action_has_a_sentence_and_a_kind() -> None:
    actions = recorded()
    assert len(actions) > 80
    assert actions - SENTENCES.keys() == set()
    known = {subject for subjects in SUBJECTS.values() for subject in subjects}
    assert {action.partition(".")[0] for action in SENTENCES} - OF_OPERATORS == known


@pytest.mark.parametrize("action", sorted(SENTENCES))
def test_a_sentence_can_be_read_whatever_its_entry_has(action: str) -> None:
    bare = SENTENCES[action](Said("mia@example.com", {}, "", {}))
    full = {
        **dict.fromkeys(("month_cap_nanousd", "amount_nanousd", "refunded_nanousd"), 5_000_000_000),
        **dict.fromkeys(("plan", "before", "seat_plan"), "max"),
        **{"role": "admin", "after": "member", "granted": True, "overflow": "allow", "allowed": True},
        **{"credits": "12.500", "threshold": "10.000", "target": "20.000", "month_cap": "$9.00"},
        **{"enabled": True, "until": "2026-07-03", "times_sent": 2, "overlap_seconds": 3600},
        **{"wanted_credits": "7.000", "low_balance_credits": "1.000", "dispute": "lost"},
    }
    said = SENTENCES[action](Said("mia@example.com", full, "Seat 3", {"max": "Max"}))
    for text in (bare, said):
        assert text
        assert not re.search(r"_|%\(|nanousd|None|5000000000", text), text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Seat 3 has Max until 3 Jul 2026, 10:02 UTC."),
        ("zh-hans", "2026年7月3日 10:02"),
    ],
)
def test_a_moment_is_written_as_everywhere_in_the_console(language: str, text: str) -> None:
    said = Said("Seat 3", {"plan": "max", "until": "2026-07-03 10:02"}, "Seat 3", {"max": "Max"})
    with translation.override(language):
        assert text in SENTENCES["seat.entitled"](said)


@pytest.mark.django_db
def test_an_entry_of_before_names_the_seat_as_people_know_it() -> None:
    other, team = make_team(), make_team()
    make_seat(other)
    seat = make_seat(team)
    AuditEntry.objects.create(
        team=team,
        by=owner_of(team).user,
        action="seat.removed",
        subject=f"Seat {seat.pk}",
        details={"seat": seat.pk},
        at=T0 + timedelta(days=1),
    )
    AuditEntry.objects.create(team=team, action="moon.landed_on", subject="Eagle", at=T0)
    newest, *_, unknown = lines_of(AuditEntry.objects.for_team(team).order_by("-at", "-action"))
    assert newest.text == "Seat 1 was removed."
    assert "Moon landed on: Eagle." in {line.text for line in (newest, *_, unknown)}


@pytest.mark.parametrize(
    ("action", "details", "text"),
    [
        ("account.changed", {"changed": "name"}, "Changed the account Ann: name."),
        ("account.changed", {"changed": ""}, "Saved the account Ann as it was."),
        (
            "account.changed",
            {"changed": "is_staff, groups", "staff": True},
            "Changed the account Ann: operator, groups. The operators' pages are open to it.",
        ),
        (
            "account.changed",
            {"changed": "is_staff", "staff": False},
            "Changed the account Ann: operator. The operators' pages are closed to it.",
        ),
        ("account.closed", {}, "Closed the account Ann."),
        (
            "group.changed",
            {"rights": "change_user, view_team"},
            "The group Ann gives these rights: change user, view team.",
        ),
        ("group.changed", {"rights": ""}, "The group Ann gives no rights."),
        ("passkey.added", {"name": "phone"}, "Added the passkey “phone” to the account Ann."),
        ("passkey.removed", {"name": "phone"}, "Removed the passkey “phone” of the account Ann."),
        ("totp.removed", {}, "Removed the authenticator app of the account Ann."),
        ("sessions.ended", {"sessions": 1}, "Signed 1 other session of Ann out."),
        ("sessions.ended", {"sessions": 2}, "Signed 2 other sessions of Ann out."),
        ("access_token.created", {"scope": "read"}, "Ann made an access token that may read."),
        ("access_token.created", {"scope": "manage"}, "Ann made an access token that may read and change."),
        ("mail.sent_again", {"mail": "refunded"}, "Sent a mail to Ann again."),
        ("plan.published", {}, "Put Ann on sale."),
        ("gateway.limits", {}, "Set the limits of holds of the gateway Ann."),
        ("quarantine.written_off", {}, "Wrote off in quarantine: Ann."),
        ("promotion.activated", {}, "Activated the promotion code Ann."),
    ],
)
def test_what_operators_alone_read_is_a_sentence_too(
    action: str, details: dict[str, object], text: str
) -> None:
    assert SENTENCES[action](Said("Ann", details, "", {})) == text


@pytest.mark.django_db
def test_a_reason_stands_beside_the_sentence_only_where_that_does_not_say_it() -> None:
    said = {"usd": "$2.00", "reason": "Ticket 7"}
    for action, details in (
        ("key.revoked", {"reason": "lost"}),
        ("credits.waived", said),
        ("team.renamed", {}),
        ("credits.granted", {"credits": "5.000", "source": "operator 45c27bd73da0: Goodwill: an outage"}),
        ("seat.entitled", {"plan": "max", "source": "operator: pilot"}),
        ("credits.granted", {"credits": "5.000", "source": "operator 45c27bd73da0", "reason": "Sorry"}),
        ("credits.granted", {"credits": "5.000", "source": "purchase:1"}),
    ):
        AuditEntry.objects.create(action=action, subject="x", details=details, at=T0)

    lines = lines_of(AuditEntry.objects.order_by("pk"))

    assert [(line.entry.action, line.reason) for line in lines] == [
        ("key.revoked", "lost"),
        ("credits.waived", ""),
        ("team.renamed", ""),
        ("credits.granted", "Goodwill: an outage"),
        ("seat.entitled", "pilot"),
        ("credits.granted", "Sorry"),
        ("credits.granted", ""),
    ]


def test_a_plan_is_named_without_its_version() -> None:
    details = {"plan": "Ultra v2", "before": "Max v10", "until": "2026-07-03 10:02"}
    said = Said("Seat 6", details, "Seat 6", {"max": "Max"})
    text = "Seat 6 has Ultra in place of Max, until 3 Jul 2026, 10:02 UTC."
    assert SENTENCES["seat.entitled"](said) == text
