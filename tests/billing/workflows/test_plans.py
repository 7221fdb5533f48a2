"""Publishing a plan version: until its last step the version before is the one that people see and buy."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from billing.errors import PaymentsUnavailable, PlanDraftChanged, PlanNotPriced
from billing.selectors.offers import offers
from billing.selectors.plan_versions import digest_of, publication
from billing.services.plans import change_draft
from billing.stripe_api.client import api
from billing.workflows import plans
from billing.workflows.catalog import publish_draft_prices
from billing.workflows.plans import publish_plan
from quota.errors import PlanPublished
from quota.models import Plan
from quota.services.plans import discard_draft
from teams.models import AuditEntry, User
from tests.helpers.crashes import Died, Fate, dies_when_stripe_has_answered, fails_to_commit
from tests.helpers.factories import T0, USD, make_draft, make_seat, make_team
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db


def publish(draft: Plan, by: User | None = None) -> Plan:
    return publish_plan(plan=draft, digest=digest_of(draft), at=T0, by=by)


def at_stripe(version: int) -> dict[str, int]:
    """Cents of the active prices of Max that have a lookup key there."""
    keys = [f"max_v{version}_{interval}" for interval in ("month", "year")]
    return {price.lookup_key: price.unit_amount for price in api().prices.list({"lookup_keys": keys}).data}


def on_sale() -> tuple[int, int]:
    """The version of Max that is shown and sold, and what a seat costs a month, in dollars."""
    (offer,) = (offer for offer in offers() if offer.plan.code == "max")
    assert offer.plan == Plan.objects.current("max")
    return offer.plan.version, offer.month_nanousd // USD


def test_a_draft_is_published_with_its_prices_at_stripe_and_can_be_bought(
    stripe_account: StripeAccount,
) -> None:
    operator = User.objects.create_superuser("root@example.com", "x")
    draft = make_draft("max", month=55, year=550)
    assert on_sale() == (1, 50)

    publish(draft, operator)

    assert (on_sale(), at_stripe(2)) == ((2, 55), {"max_v2_month": 5500, "max_v2_year": 55000})
    entry = AuditEntry.objects.get(action="plan.published", subject="Max v2", by=operator)
    assert entry.at == T0
    story = Story(stripe_account)
    story.subscribe(max=1)
    assert (story.billed(), story.paid()) == ({"max_v2_month": 1}, [5500])


def test_until_a_draft_is_published_the_version_before_is_bought(stripe_account: StripeAccount) -> None:
    story = Story(stripe_account)
    make_draft("max", month=55)
    story.subscribe(max=1)
    assert (story.billed(), on_sale(), at_stripe(2)) == ({"max_v1_month": 1}, (1, 50), {})


def test_whoever_has_a_version_keeps_it_and_its_price(stripe_account: StripeAccount) -> None:
    story = Story(stripe_account)
    story.subscribe(max=2)
    publish(make_draft("max", month=55))
    story.account.advance(timedelta(days=31))
    story.account.deliver()
    assert (story.billed(), story.paid()) == ({"max_v1_month": 2}, [10000, 10000])


@pytest.mark.parametrize("strikes", [dies_when_stripe_has_answered, fails_to_commit])
def test_after_a_crash_the_old_version_is_on_sale_and_publishing_again_finishes_it(
    stripe_account: StripeAccount, strikes: Any
) -> None:
    draft = make_draft("max", month=55)
    crashes = 0
    for fatal in range(1, 6):  # after the first step that is left, then after the second, …
        fate = Fate(fatal)
        with suppress(Died, OperationalError), strikes(fate):
            publish(draft)
            break
        crashes += 1
        assert on_sale() == (1, 50)
    assert crashes >= 2
    assert (on_sale(), at_stripe(2)) == ((2, 55), {"max_v2_month": 5500, "max_v2_year": 50000})
    assert len(api().prices.list({"product": "tokenplan_max_v2"}).data) == 2
    draft.refresh_from_db()
    assert set(draft.prices.values_list("stripe_id", flat=True)) == {
        price.id for price in api().prices.list({"product": "tokenplan_max_v2"}).data
    }


def test_without_stripe_nothing_is_published(stripe_account: StripeAccount, settings: Any) -> None:
    draft, base = make_draft("max", month=55), settings.STRIPE_API_BASE
    settings.STRIPE_API_BASE = "http://127.0.0.1:1"
    with pytest.raises(PaymentsUnavailable):
        publish(draft)
    assert on_sale() == (1, 50)
    assert not AuditEntry.objects.filter(action="plan.published", subject="Max v2").exists()
    settings.STRIPE_API_BASE = base
    publish(draft)
    assert on_sale() == (2, 55)


def test_a_draft_that_was_changed_since_it_was_shown_is_not_published(stripe_account: StripeAccount) -> None:
    draft = make_draft("max", month=55)
    shown = publication(draft, T0).digest
    change_draft(plan=draft, terms=draft.terms, amounts={"month": 5 * USD, "year": 50 * USD}, at=T0, by=None)
    with pytest.raises(PlanDraftChanged):
        publish_plan(plan=draft, digest=shown, at=T0, by=None)
    assert (on_sale(), at_stripe(2)) == ((1, 50), {})


def test_a_draft_that_changes_while_stripe_is_asked_is_not_published(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, ask = make_draft("max", month=55), publish_draft_prices

    def meanwhile(asked: Plan) -> None:
        ask(asked)
        for month in (60, 55):  # back to what was shown, in new rows that Stripe does not know
            amounts = {"month": month * USD, "year": 500 * USD}
            change_draft(plan=asked, terms=asked.terms, amounts=amounts, at=T0, by=None)

    with monkeypatch.context() as patch:
        patch.setattr(plans, "publish_draft_prices", meanwhile)
        with pytest.raises(PlanDraftChanged):
            publish(draft)
    assert on_sale() == (1, 50)
    publish(draft)
    assert on_sale() == (2, 55)


def test_a_draft_that_stripe_knew_at_another_price_is_published_at_the_last_one(
    stripe_account: StripeAccount,
) -> None:
    draft = make_draft("max", month=55)
    publish_draft_prices(draft)  # and no further
    change_draft(
        plan=draft, terms=draft.terms, amounts={"month": 60 * USD, "year": 500 * USD}, at=T0, by=None
    )
    publish(draft)
    assert (on_sale(), at_stripe(2)) == ((2, 60), {"max_v2_month": 6000, "max_v2_year": 50000})
    story = Story(stripe_account)
    story.subscribe(max=1)
    assert story.paid() == [6000]


def test_what_cannot_be_published_says_why(stripe_account: StripeAccount) -> None:
    draft = make_draft()
    digest = digest_of(draft)
    publish(draft)
    with pytest.raises(PlanPublished, match="published already"):
        publish_plan(plan=draft, digest=digest, at=T0, by=None)
    gone = make_draft()
    discard_draft(plan=gone, at=T0, by=None)
    with pytest.raises(NotFound):
        publication(Plan(pk=0, code="max"), T0)
    unpriced = make_draft()
    unpriced.prices.all().delete()
    with pytest.raises(PlanNotPriced):
        publication(unpriced, T0)


def test_what_is_shown_before_is_both_versions_side_by_side_and_who_keeps_theirs(db: None) -> None:
    team = make_team()
    for _ in range(2):
        make_seat(team)  # each makes a new version of Max: Max v1 and v2
    shown = publication(make_draft("max", agents=(4, 9), month=55), T0)
    assert (str(shown.on_sale), str(shown.draft), shown.holders) == ("Max v2", "Max v3", {1: 1, 2: 1})
    assert [str(line) for line in shown.lines if line.differs] == [
        "Agents at once: 4 to 5 -> 4 to 9",
        "A seat a month: $50.00 -> $55.00",
    ]
    assert [line.label for line in shown.lines] == [
        "Name",
        "Order",
        "Agents at once",
        "Quota of 5h",
        "Quota of week",
        "A seat a month",
        "A seat a year",
    ]
