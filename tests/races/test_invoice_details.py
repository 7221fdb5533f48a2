"""Two who pay for a Team save what stands on its invoices at one moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from billing.errors import ChangeInProgress
from billing.models import Customer
from billing.stripe_api import InvoiceDetails
from billing.stripe_api.client import api, asked
from billing.workflows import invoice_details as workflow
from billing.workflows.invoice_details import change_invoice_details, invoice_details
from tests.helpers.races import race
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db(transaction=True)

GERMAN = InvoiceDetails(name="Acme GmbH", city="Berlin", country="DE", tax_id="DE123456789")
BRITISH = InvoiceDetails(name="Acme Ltd", city="London", country="GB", tax_id="GB123456789")


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def save(story: Story, details: InvoiceDetails, *, after: timedelta = timedelta(0)) -> InvoiceDetails:
    at = story.account.at + after
    return change_invoice_details(team=story.team, details=details, by=story.owner, at=at)


def tax_ids(story: Story) -> list[str]:
    return [row.value for row in api().customers.tax_ids.list(story.customer).data]


def meet(story: Story, monkeypatch: pytest.MonkeyPatch) -> list[InvoiceDetails | Exception]:
    """The one has read what there is, and is about to write; there the other one saves."""
    details = import_module("billing.stripe_api.invoice_details")
    second: list[InvoiceDetails | Exception] = []
    calls: list[Any] = []

    def in_the_middle(call: Any, *args: Any) -> dict[str, Any]:
        calls.append(call)
        if len(calls) == 2:
            monkeypatch.setattr(details, "asked", asked)
            second.extend(race(lambda: save(story, BRITISH)))
        return asked(call, *args)

    monkeypatch.setattr(details, "asked", in_the_middle)
    return [save(story, GERMAN), *second]


def test_control_two_who_save_at_one_moment_leave_two_tax_ids(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "begin_saving", lambda **_: None)

    first, second = meet(story, monkeypatch)

    assert isinstance(first, InvoiceDetails)
    assert isinstance(second, InvoiceDetails)
    assert sorted(tax_ids(story)) == ["DE123456789", "GB123456789"]


def test_of_two_who_save_at_one_moment_one_is_refused_and_there_is_one_tax_id(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = meet(story, monkeypatch)

    assert isinstance(second, ChangeInProgress)
    assert tax_ids(story) == ["DE123456789"]
    assert (
        invoice_details(team=story.team)
        == first
        == replace(GERMAN, tax_id_type="eu_vat", email=story.owner.email)
    )
    assert save(story, BRITISH).tax_id == "GB123456789"
    assert tax_ids(story) == ["GB123456789"]


def test_whoever_was_cut_short_keeps_others_waiting_for_two_minutes(story: Story) -> None:
    save(story, GERMAN)
    Customer.objects.update(saving_since=story.account.at)

    with pytest.raises(ChangeInProgress):
        save(story, BRITISH, after=timedelta(seconds=119))
    assert save(story, BRITISH, after=timedelta(minutes=2)).city == "London"
    assert Customer.objects.get().saving_since is None
