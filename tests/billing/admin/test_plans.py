"""Versions of plans, from the draft to the sale, as operators make them. The Stripe is the local one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from quota.models import Plan
from teams.models import User
from tests.helpers.admin_urls import verb_url
from tests.helpers.factories import T0
from tests.helpers.reading import read, submit
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Max",
    "agents_min": 4,
    "agents_max": 6,
    "limit_5h": "12.50",
    "limit_week": "$125",
    "month": "55",
    "year": "550",
}


@pytest.fixture(autouse=True)
def at_t0(db: None) -> Iterator[None]:
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def max_plan(version: int = 1) -> Plan:
    return Plan.objects.get(code="max", version=version)


def test_a_new_version_is_a_draft_and_the_one_before_stays_on_sale(
    stripe_account: StripeAccount, operator: Client
) -> None:
    page = submit(operator, verb_url(max_plan(), "new-version"), **FORM)

    assert "Max v2 is a draft." in page
    assert Plan.objects.current("max") == max_plan(1)
    assert "Max $50.00 a seat a month" in read(Client(), reverse("plans"))
