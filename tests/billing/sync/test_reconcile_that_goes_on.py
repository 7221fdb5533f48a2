"""What Stripe does not answer, or nobody here knows, stops neither the others nor a page."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.models import Invoice
from billing.stripe_api.client import api
from billing.stripe_api.reading import guarded
from billing.sync import reconcile as module
from billing.sync.reconcile import MOST_UNANSWERED, Report
from tests.helpers.factories import T0
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    story = Story(stripe_account)
    story.subscribe(plus=1, max=2)
    return story


def left_out(teams: int) -> str:
    return f"{teams} Teams were not compared: Stripe did not answer 5 times"


@pytest.mark.parametrize(
    ("answers", "asked", "said"),
    [
        (
            "-" * MOST_UNANSWERED + "++",
            MOST_UNANSWERED,
            [left_out(2)],
        ),
        ("----+----+", 10, []),
        ("+-----", 6, []),
        ("----+-----+++", 10, [left_out(3)]),
    ],
)
def test_after_five_teams_in_a_row_without_an_answer_the_others_wait_for_the_next_night(
    monkeypatch: pytest.MonkeyPatch, answers: str, asked: int, said: list[str]
) -> None:
    compared: list[str] = []

    def compare(id: str, report: Report, *_: Any, **__: Any) -> None:
        compared.append(id)
        report.unanswered += answers[int(id)] == "-"

    monkeypatch.setattr(module, "_repair_team", compare)
    report = Report()
    module._repair_teams([str(number) for number in range(len(answers))], report, T0, everything=False)

    assert compared == [str(number) for number in range(asked)]
    assert report.unrepaired == said


def test_pages_open_beside_an_item_that_is_not_ours(story: Story) -> None:
    product = api().products.create({"name": "something else"}).id
    recurring = {"interval": "month"}
    price = api().prices.create(
        {"currency": "usd", "unit_amount": 700, "recurring": recurring, "product": product}
    )
    api().subscriptions.update(story.row.stripe_id, {"items": [{"price": price.id, "quantity": 2}]})
    story.account.deliver()
    client = Client()
    client.force_login(story.owner)
    slug = story.team.slug
    asked = [
        reverse("team-billing", args=[slug]),
        reverse("team-next-invoice", args=[slug]),
        f"{reverse('team-change', args=[slug])}?kind=add&plan=max&count=1",
        reverse("api-subscription", args=[slug]),
        reverse("api-next-invoice", args=[slug]),
    ]

    assert {url: client.get(url).status_code for url in asked} == dict.fromkeys(asked, 200)


def test_the_command_fails_after_an_answer_that_did_not_come(
    story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slow(customer_id: str) -> Any:
        raise PaymentsUnavailable(retry_after=60)

    monkeypatch.setattr(stripe_api, "invoices", slow)

    with pytest.raises(CommandError, match=r"^1 difference could not be repaired.$"):
        call_command("reconcile_stripe")
    assert f"Not repaired: the invoices of {story.customer}: " in capsys.readouterr().out


def test_the_command_fails_after_an_object_of_an_unknown_shape(
    story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(invoice: dict[str, Any]) -> Any:
        raise KeyError("total")

    monkeypatch.setattr(import_module("billing.stripe_api.payments"), "invoice_snapshot", guarded(unknown))

    with pytest.raises(CommandError, match=r"^\d+ differences? could not be repaired.$"):
        call_command("reconcile_stripe")
    named = Invoice.objects.latest("created_at", "pk").stripe_id
    assert f"Not repaired: invoice {named}: " in capsys.readouterr().out
