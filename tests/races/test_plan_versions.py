"""Two operators publish, draft and change versions of one plan at once, over real connections."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Concat

from billing.errors import PlanDraftChanged
from billing.selectors.plan_versions import amounts_of, digest_of
from billing.services.plans import draft_version, put_on_sale
from billing.workflows.catalog import publish_draft_prices
from billing.workflows.plans import publish_plan
from quota.errors import PlanDraftExists, PlanPublished
from quota.models import Plan
from quota.services import plans
from teams.models import AuditEntry
from tests.helpers.factories import T0, USD, make_draft
from tests.helpers.locks import Case
from tests.helpers.races import race, waiting
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db(transaction=True)

OPERATORS = 4


def published() -> int:
    return AuditEntry.objects.filter(action="plan.published", subject="Max v2").count()


def publish(draft: Plan, digest: str) -> Plan:
    return publish_plan(plan=draft, digest=digest, at=T0, by=None)


def test_control_without_the_lock_the_second_publishes_again_or_breaks(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has the last word, and says it as an error; nobody hears that it was done already."""
    draft = make_draft()
    publish_draft_prices(draft)
    digest, both_have_read = digest_of(draft), threading.Barrier(2)

    def read_without_lock(code: str) -> list[Plan]:
        found = list(Plan.objects.filter(code=code).order_by("pk"))
        both_have_read.wait(timeout=30)
        return found

    monkeypatch.setattr(plans, "_locked_versions", read_without_lock)
    answers = race(*[lambda: put_on_sale(plan=draft, digest=digest, at=T0, by=None)] * 2)
    assert draft in answers
    assert not [answer for answer in answers if isinstance(answer, Refusal)]
    assert published() == len([answer for answer in answers if answer == draft])


def test_operators_who_publish_one_draft_at_once_publish_it_once(stripe_account: StripeAccount) -> None:
    draft = make_draft(month=55)
    digest = digest_of(draft)
    answers = race(*[lambda: publish(draft, digest)] * OPERATORS)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert len(refused) == OPERATORS - 1
    assert all(isinstance(answer, Refusal) for answer in refused), refused
    assert (published(), Plan.objects.current("max")) == (1, draft)
    assert None not in draft.prices.values_list("stripe_id", flat=True)
    with pytest.raises(PlanPublished):
        publish(draft, digest)


def test_operators_who_draft_at_once_have_one_draft(db: None) -> None:
    """Also the first of a plan, which has no row yet that both could lock."""
    terms = make_draft("mini").terms
    Plan.objects.all().delete()

    def draft() -> Plan:
        return draft_version(terms=terms, amounts=None, at=T0, by=None)

    answers = race(*[draft] * OPERATORS)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert [type(answer) for answer in refused] == [PlanDraftExists] * (OPERATORS - 1)
    assert Plan.objects.count() == 1


def test_a_price_that_goes_while_the_draft_is_published_ends_that(stripe_account: StripeAccount) -> None:
    """Whichever way it goes: the database lets neither overtake the other."""
    draft = make_draft()
    digest = digest_of(draft)

    def deletes() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM billing_price WHERE plan_id = %s AND interval = 'year'", [draft.pk])
            waiting("transactionid", 1)

    deleted, answer = race(deletes, lambda: publish(draft, digest))
    if isinstance(deleted, Exception):  # it was published before
        assert isinstance(deleted, IntegrityError)
        assert draft.prices.count() == 2
    else:
        assert isinstance(answer, (PlanDraftChanged, Refusal))
        assert Plan.objects.current("max") != draft


def drafted_while_another_is_published() -> Case:
    draft = make_draft(month=55)
    draft.prices.update(stripe_id=Concat("lookup_key", Value("_at_stripe")))
    digest = digest_of(draft)
    return Case(
        lambda: put_on_sale(plan=draft, digest=digest, at=T0, by=None),
        lambda: draft_version(terms=draft.terms, amounts=None, at=T0, by=None),
        lambda: amounts_of(Plan.objects.get(published_at=None))["month"] == 55 * USD,
    )


def test_a_draft_begun_while_another_is_published_has_the_prices_of_that_one() -> None:
    case = drafted_while_another_is_published()
    case.run()
    assert not case.is_lost(), case.answer
