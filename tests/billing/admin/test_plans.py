"""Versions of plans, from the draft to the sale, as operators make them. The Stripe is the local one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from quota.models import Plan
from teams.models import AuditEntry, User
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.factories import T0, make_seat, make_team
from tests.helpers.reading import read, submit, words
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
    "reason": "dearer models",
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
    assert AuditEntry.objects.get(action="plan.drafted", subject="Max v2").details == {
        "reason": "dearer models"
    }
    assert Plan.objects.current("max") == max_plan(1)
    assert "agents all day. $50.00 a seat a month" in read(Client(), reverse("plans"))


def draft_of(operator: Client) -> Plan:
    submit(operator, verb_url(max_plan(), "new-version"), **FORM)
    return max_plan(2)


def publish(operator: Client, draft: Plan) -> str:
    return submit(operator, verb_url(draft, "publish"), **hidden(shown_of(operator, draft)))


def shown_of(operator: Client, draft: Plan) -> Any:
    """What the draft changes, as it is to be confirmed."""
    return operator.post(verb_url(draft, "publish"), {"reason": "dearer models"})


def test_a_draft_is_shown_beside_what_is_on_sale_and_published(
    stripe_account: StripeAccount, operator: Client
) -> None:
    make_seat(make_team(), max_plan())
    draft = draft_of(operator)

    shown = words(shown_of(operator, draft))

    assert "Max v2 goes on sale." in shown
    assert "keeps it, at its price, until they change their plan. 1 seat has Max v1." in shown
    assert "Max v1 Max v2" in shown
    for row in (
        "Agents at once 4 to 5 4 to 6",
        "A seat a month $50.00 $55.00",
        "$9.90, 5-hour rolling $12.50",
    ):
        assert row in shown
    assert Plan.objects.current("max") == max_plan(1)

    page = publish(operator, draft)

    assert "Max v2 is on sale. Seats on earlier versions keep theirs." in page
    assert "agents all day. $55.00 a seat a month 5-hour quota $12.50" in read(Client(), reverse("plans"))
    assert draft.prices.exclude(stripe_id=None).count() == 2
    by = User.objects.get(email="root@example.com")
    entry = AuditEntry.objects.get(action="plan.published", subject="Max v2")
    assert (entry.by, entry.details) == (by, {"reason": "dearer models"})


def test_in_a_second_tab_it_is_published_already(stripe_account: StripeAccount, operator: Client) -> None:
    draft = draft_of(operator)
    url = verb_url(draft, "publish")
    seen = hidden(shown_of(operator, draft))
    publish(operator, draft)

    again = operator.post(url, seen)

    assert again.status_code == 422
    assert "This version of the plan is published already" in words(again)
    assert AuditEntry.objects.filter(action="plan.published", subject="Max v2").count() == 1


def test_another_tab_changes_the_draft_and_what_was_shown_is_not_published(
    stripe_account: StripeAccount, operator: Client
) -> None:
    draft = draft_of(operator)
    url = verb_url(draft, "publish")
    seen = hidden(shown_of(operator, draft))
    page = submit(operator, verb_url(draft, "change-draft"), **{**FORM, "month": "65", "reason": "round"})
    assert "The draft Max v2 is changed." in page
    assert AuditEntry.objects.get(action="plan.draft_changed").details == {"reason": "round"}

    answer = operator.post(url, seen)

    assert (answer.status_code, Plan.objects.current("max").version) == (422, 1)
    assert "The draft was changed since it was shown" in words(answer)
    assert "A seat a month $50.00 $65.00" in words(answer)

    confirmed = operator.post(url, hidden(answer), follow=True)

    assert "Max v2 is on sale." in words(confirmed)
    assert "agents all day. $65.00 a seat a month" in read(Client(), reverse("plans"))


def test_a_stripe_that_is_away_is_said_and_nothing_changes(
    stripe_account: StripeAccount, operator: Client, settings: Any
) -> None:
    draft = draft_of(operator)
    url = verb_url(draft, "publish")
    seen = hidden(shown_of(operator, draft))
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"

    answer = operator.post(url, seen)

    assert "The payment service does not answer" in words(answer)
    assert Plan.objects.current("max") == max_plan(1)


def test_a_draft_is_discarded_and_another_made(stripe_account: StripeAccount, operator: Client) -> None:
    draft = draft_of(operator)
    refused = operator.post(verb_url(max_plan(), "new-version"), FORM)
    assert "The plan has a draft already" in words(refused)

    page = submit(operator, verb_url(draft, "discard"), reason="a typo")

    assert "The draft Max v2 is discarded." in page
    assert not Plan.objects.filter(published_at=None).exists()
    assert draft_of(operator).version == 2


def test_a_plan_is_withdrawn_from_sale(stripe_account: StripeAccount, operator: Client) -> None:
    make_seat(make_team(), max_plan())
    url = verb_url(max_plan(), "withdraw")
    assert "Nobody can buy Max v1" in (shown := words(operator.post(url, {"reason": "sold out"})))
    assert "1 seat has Max v1." in shown

    assert "Max v1 is not on sale any more." in submit(operator, url, confirmed="yes", reason="sold out")
    assert "Max $" not in read(Client(), reverse("plans"))
    assert operator.post(url, {"confirmed": "yes", "reason": "sold out"}).status_code == 422


def test_what_makes_no_sense_is_no_version(stripe_account: StripeAccount, operator: Client) -> None:
    url = verb_url(max_plan(), "new-version")
    page = operator.get(url).content.decode()
    assert 'value="$9.90"' in page
    assert 'value="$500.00"' in page
    for wrong in ({"agents_max": 2}, {"limit_5h": "ten"}, {"month": "0"}, {"year": "500.001"}, {"year": ""}):
        assert operator.post(url, {**FORM, **wrong}).status_code == 422
    assert not Plan.objects.filter(version=2).exists()


def test_each_version_has_the_buttons_that_fit_it(stripe_account: StripeAccount, operator: Client) -> None:
    draft = draft_of(operator)
    for plan, buttons in (
        (max_plan(), {"new-version", "withdraw"}),
        (draft, {"change-draft", "publish", "discard"}),
    ):
        tools = operator.get(change_url(plan)).content.decode().partition('class="object-tools"')[2]
        assert (
            set(re.findall(r'<a href="\.\./([\w-]+)/"', tools.partition("</ul>")[0])) - {"history"} == buttons
        )
