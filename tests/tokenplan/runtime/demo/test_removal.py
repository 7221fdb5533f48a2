"""The demo is taken away, and does not come back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from billing.models import Customer, Subscription
from quota.hot_path.credentials import recognise_gateway
from quota.models import CreditGrant, Entitlement
from quota.services.gateways import create_gateway
from teams.models import ApiKeyText, AuditEntry, Invitation, Membership, SubscriptionKey, Team, User
from teams.services.keys import recognise_key
from tests.helpers.factories import T0, make_member
from tokenplan.runtime.demo.people import demo_people

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def demo_file(data: Path) -> Path:
    call_command("demo")
    return data / "demo.json"


def test_a_removed_demo_lets_nobody_in_and_its_history_is_kept(demo_file: Path, client: Client) -> None:
    demo = json.loads(demo_file.read_text())
    person = demo["people"][0]
    session = client.post("/accounts/login/", {"login": person["email"], "password": person["password"]})
    assert session.status_code == 302
    made = create_gateway(name="demo-eu", at=T0, by=None)[1]
    visitor = make_member(Team.objects.get(slug="acme"))
    kept = (Team.objects.count(), Membership.objects.count(), CreditGrant.objects.count())

    call_command("demo", "--remove")

    assert not demo_people().filter(is_active=True).exists()
    assert not User.objects.filter(is_staff=True).exists()
    assert not User.objects.filter(is_superuser=True).exists()
    for entry in demo["keys"]:
        assert recognise_key(text=entry["key"], at=T0) is None
    mine = SubscriptionKey.objects.filter(membership__user__in=demo_people(), revoked_at=None)
    assert not mine.exists()
    texts = ApiKeyText.objects.filter(membership__user__in=demo_people())
    assert texts.exists()
    assert not texts.filter(revoked_at=None).exists()
    assert recognise_gateway(text=demo["gateway_key"], at=T0) is None
    # What was bought has ended, here and at the local Stripe, and nothing will be asked about it.
    assert Subscription.objects.count() == 6
    assert not Subscription.objects.live().exists()
    assert not Entitlement.objects.open().exists()
    assert not Customer.objects.exclude(stripe_id=None).exists()
    assert not Invitation.objects.open().exists()
    assert client.get("/account/").status_code == 302  # signed out
    again = Client().post("/accounts/login/", {"login": person["email"], "password": person["password"]})
    assert again.status_code == 200
    assert not demo_file.exists()
    # What is not the demo's stays.
    assert recognise_gateway(text=made, at=T0)
    assert visitor.keys.get().revoked_at is None
    assert (Team.objects.count(), Membership.objects.count(), CreditGrant.objects.count()) == kept
    changed = AuditEntry.objects.filter(action="account.changed", by=None)
    assert changed.count() == demo_people().count()


def test_a_removed_demo_does_not_come_back(data: Path, settings: Settings) -> None:
    settings.LOCAL_STRIPE = False  # the small demo
    call_command("demo")
    call_command("demo", "--remove")
    call_command("demo", "--remove")
    with pytest.raises(CommandError, match="The demo was removed from this data"):
        call_command("demo")
    assert not demo_people().filter(is_active=True).exists()
    assert not (data / "demo.json").exists()
