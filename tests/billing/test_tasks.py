"""The periodic tasks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client

from billing.models import CreditPurchase, Payment
from billing.tasks import reconcile
from billing.workflows.checkouts import buy_credits
from quota.models import CreditGrant
from teams.models import Mail, Team, User
from tests.helpers.factories import CREDIT, T0, make_team, owner_of
from tests.helpers.stripe_account import StripeAccount


@pytest.fixture(autouse=True)
def at_t0(db: None) -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def test_the_nightly_task_repairs_logs_and_mails_what_it_cannot(
    stripe_account: StripeAccount, team: Team, operator: Client, caplog: pytest.LogCaptureFixture
) -> None:
    checkout = buy_credits(team=team, packs=5, at=T0, by=owner_of(team).user)
    stripe_account.pay(checkout.url)
    list(stripe_account.events())  # lost
    assert reconcile() == 0
    assert CreditGrant.objects.get().remaining_nanousd == 25_000 * CREDIT
    warnings = [record.getMessage() for record in caplog.records if record.name == "billing.tasks"]
    assert any(line.endswith(" is granted") for line in warnings)
    assert not Mail.objects.filter(kind="stripe_differs").exists()

    Payment.objects.all().delete()
    CreditPurchase.objects.update(payment_id="pi_of_nobody")
    assert reconcile() >= 1
    mail = Mail.objects.get(kind="stripe_differs")
    assert mail.to == "root@example.com"
    assert "pi_of_nobody, which Stripe does not know" in mail.context["lines"]
