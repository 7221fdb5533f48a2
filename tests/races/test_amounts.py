"""A change is charged what was confirmed, or not done, whatever else is paid from the balance meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.errors import AmountChanged
from billing.models import Change
from billing.selectors.change_requests import change_request
from billing.services.top_ups import set_auto_top_up
from billing.stripe_api.client import api
from billing.sync.customers import sync_customer
from billing.sync.schedule import release_for_change
from billing.workflows import changes
from billing.workflows.top_ups import top_up
from tests.helpers.factories import USD
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_balance_that_a_top_up_takes_meanwhile_is_not_made_up_for_by_the_card(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(stripe_account)
    story.subscribe(max=2)
    story.account.advance(timedelta(seconds=5))
    api().customers.update(story.customer, {"balance": -5000})
    sync_customer(story.customer, story.account.at)
    set_auto_top_up(
        team=story.team,
        enabled=True,
        threshold_nanousd=10 * USD,
        target_nanousd=50 * USD,
        month_cap_nanousd=500 * USD,
        at=story.account.at,
        by=story.owner,
    )
    request = change_request(kind="add", plan="max", count=1)
    shown = story.preview(request)
    assert shown.amount_nanousd == 0

    def meanwhile(*args: Any) -> None:
        assert top_up(team=story.team, at=story.account.at)
        release_for_change(*args)

    with monkeypatch.context() as patch:
        patch.setattr(changes, "release_for_change", meanwhile)
        with pytest.raises(AmountChanged) as refused:
            story.confirm(request, shown)
    assert refused.value.amount_nanousd == 50 * USD
    story.account.deliver()
    assert story.paid() == [10_000]
    assert (story.billed(), len(story.plans())) == ({"max_v1_month": 2}, 2)
    assert Change.objects.get().state == Change.State.REFUSED

    story.confirm(request, story.preview(request))
    assert story.paid() == [10_000, 5000]
