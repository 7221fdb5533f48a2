"""Addresses that get a Team's mails about payments."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.mail import EmailMessage

from billing.models import BillingContact
from billing.services.contacts import MOST, MOST_CHANGES, set_contacts
from billing.services.notifications import notify_payers
from teams.models import AuditEntry, Mail, Team
from teams.services import mail
from teams.services.memberships import end_membership, set_billing_right
from teams.services.teams import transfer_ownership
from tests.helpers.bought import say_payment
from tests.helpers.factories import T0, make_member, make_team, make_user, owner_of
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme", owner=make_user("olivia@example.com"))


def named(team: Team) -> list[str]:
    return list(BillingContact.objects.for_team(team).order_by("email").values_list("email", flat=True))


def test_contacts_are_replaced_as_a_whole_in_their_one_form_and_audited(team: Team) -> None:
    other = make_team("Globex")
    by = owner_of(team).user
    set_contacts(team=other, emails=["books@globex.example"], by=owner_of(other).user, at=T0)

    typed = ["Books@EXAMPLE.com", "b@example.com", "books@example.com"]
    assert set_contacts(team=team, emails=typed, by=by, at=T0) == ["b@example.com", "books@example.com"]
    set_contacts(team=team, emails=["books@example.com", "c@example.com"], by=by, at=T0)

    assert named(team) == ["books@example.com", "c@example.com"]
    assert named(other) == ["books@globex.example"]
    entries = AuditEntry.objects.filter(team=team, action="billing.contacts").order_by("pk")
    assert [entry.details for entry in entries] == [
        {"before": "", "after": "b@example.com, books@example.com"},
        {"before": "b@example.com, books@example.com", "after": "books@example.com, c@example.com"},
    ]
    set_contacts(team=team, emails=["c@example.com", "books@example.com"], by=by, at=T0)
    assert entries.count() == 2


def test_a_wrong_address_and_one_too_many_change_nothing(team: Team) -> None:
    by = owner_of(team).user
    set_contacts(team=team, emails=["a@example.com"], by=by, at=T0)
    many = [f"a{number}@example.com" for number in range(MOST + 1)]
    for emails in (["b@example.com", "no address"], many):
        with pytest.raises(InvalidValue) as refused:
            set_contacts(team=team, emails=emails, by=by, at=T0)
        assert refused.value.pointer == "/contacts"
    assert named(team) == ["a@example.com"]
    assert set_contacts(team=team, emails=many[:MOST], by=by, at=T0) == sorted(many[:MOST])


def test_mails_about_money_go_once_to_each_of_who_pays_and_to_the_contacts(
    team: Team, mailoutbox: list[EmailMessage]
) -> None:
    owner = owner_of(team)
    pia, gone = make_member(team, make_user("pia@example.com")), make_member(team)
    make_member(team, make_user("mia@example.com"))
    for payer in (pia, gone):
        set_billing_right(membership=payer, allowed=True, by=owner.user, at=T0)
    end_membership(membership=gone, by=owner.user, at=T0)
    set_contacts(team=team, emails=["books@example.com", "pia@example.com"], by=owner.user, at=T0)
    say_payment(team, "pi_1")
    set_contacts(team=make_team("Globex"), emails=["books@globex.example"], by=None, at=T0)
    Mail.objects.all().delete()

    for _ in range(2):
        notify_payers(
            team=team, kind="payment_failed", dedupe_key="failed:1", at=T0, works_until=T0.isoformat()
        )

    mail.deliver_due(at=T0)
    assert sorted(message.to[0] for message in mailoutbox) == [
        "books@example.com",
        "olivia@example.com",
        "pia@example.com",
    ]
    why = "This address gets the mails about payments of Acme because the Team has named it."
    assert {message.to[0]: why in str(message.body) for message in mailoutbox} == {
        "books@example.com": True,
        "olivia@example.com": False,
        "pia@example.com": False,
    }


def test_the_longest_address_there_can_be_gets_its_mails(team: Team) -> None:
    domain = ".".join(["d" * 63, "e" * 63, "f" * 57, "com"])
    longest = f"{'a' * 64}@{domain}"
    assert len(longest) == 254
    set_contacts(team=team, emails=[longest], by=None, at=T0)
    say_payment(team, "pi_1")
    for _ in range(2):
        notify_payers(team=team, kind="payment_failed", dedupe_key="failed:1", at=T0, works_until="")
    assert Mail.objects.filter(to=longest).count() == 1


def test_who_owned_the_team_and_who_owns_it_now_get_a_mail_once_each(team: Team) -> None:
    owner, heir = owner_of(team), make_member(team, make_user("heir@example.com"))
    set_billing_right(membership=heir, allowed=True, by=owner.user, at=T0)
    notify_payers(team=team, kind="top_up_cap", dedupe_key="cap:2026-06", at=T0)
    transfer_ownership(team=team, to=heir, by=owner.user, at=T0)
    set_billing_right(membership=owner, allowed=True, by=heir.user, at=T0)
    notify_payers(team=team, kind="top_up_cap", dedupe_key="cap:2026-06", at=T0)

    sent = Mail.objects.filter(kind="top_up_cap").order_by("to").values_list("to", flat=True)
    assert list(sent) == ["heir@example.com", "olivia@example.com"]


def test_a_team_that_has_never_paid_mails_nobody_whom_it_has_only_named(team: Team) -> None:
    """Else anybody could have mails sent to strangers."""
    say_payment(make_team("Globex"), "pi_1")
    set_contacts(team=team, emails=["stranger@example.com"], by=None, at=T0)

    notify_payers(team=team, kind="top_up_cap", dedupe_key="cap:2026-06", at=T0)

    assert [mail.to for mail in Mail.objects.filter(kind="top_up_cap")] == ["olivia@example.com"]


def test_contacts_are_changed_ten_times_in_24_hours(team: Team) -> None:
    other, by = make_team("Globex"), owner_of(team).user
    for number in range(MOST_CHANGES):
        set_contacts(team=team, emails=[f"a{number}@example.com"], by=by, at=T0)
        set_contacts(team=other, emails=[f"a{number}@example.com"], by=by, at=T0)
    day = timedelta(hours=24)
    with pytest.raises(InvalidValue, match="10 times in 24 hours"):
        set_contacts(team=team, emails=[], by=by, at=T0 + day - timedelta(seconds=1))
    assert named(team) == ["a9@example.com"]
    set_contacts(team=team, emails=["a9@example.com"], by=by, at=T0)  # changes nothing
    assert set_contacts(team=team, emails=[], by=by, at=T0 + day) == []
