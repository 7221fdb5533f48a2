"""A process that dies between Stripe's answer and our commit, at every step: after the sweeps, and the person
who looks and asks again where it was not done, all is as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from billing.errors import NothingToChange
from billing.models import CreditPurchase, Payment, PromotionRedemption, Refund
from billing.selectors.change_requests import change_request
from billing.services.top_ups import set_auto_top_up
from billing.sync.checkouts import sync_checkout
from billing.sync.reconcile import reconcile
from billing.workflows.changes import settle_open_changes
from billing.workflows.checkouts import buy_credits, expire_old_checkouts
from billing.workflows.refunds import refund_payment, send_open_refunds
from billing.workflows.top_ups import top_up, top_up_all
from tests.helpers.crashes import Died, Fate, dies_when_stripe_has_answered, fails_to_commit
from tests.helpers.factories import USD
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.year import books_of, state_of
from tokenplan.kit.errors import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MINUTE = timedelta(minutes=1)


@contextmanager
def tried(account: StripeAccount) -> Iterator[None]:
    """What happens inside is taken back, here and at Stripe."""
    database, last_event, at = account.stripe.store._db, account.stripe.last_event_read, account.clock.at
    before = database.serialize()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    database.deserialize(before)
    account.stripe.last_event_read, account.clock.at = last_event, at


def buys_seats(story: Story) -> None:
    checkout = story.begin_checkout(max=2)
    story.account.pay(checkout.url)
    sync_checkout(checkout, story.account.at)


def buys_credits(story: Story) -> None:
    if CreditPurchase.objects.filter(state="paid").exists():
        return
    checkout = buy_credits(team=story.team, packs=2, at=story.account.at, by=story.owner)
    story.account.pay(checkout.url)
    sync_checkout(checkout, story.account.at)


def buys_seats_with_a_code(story: Story) -> None:
    checkout = story.begin_checkout(max=2, code="GIFT")
    story.account.pay(checkout.url)
    sync_checkout(checkout, story.account.at)


def buys_credits_with_a_code(story: Story) -> None:
    if CreditPurchase.objects.filter(state="paid").exists():
        return
    at, by = story.account.at, story.owner
    checkout = buy_credits(team=story.team, packs=2, promotion_code="PACKS", at=at, by=by)
    story.account.pay(checkout.url)
    sync_checkout(checkout, story.account.at)


def adds(story: Story) -> None:
    if story.billed() == {"max_v1_month": 2, "plus_v1_month": 1}:
        asked(story, "add", plan="max", count=1)


def moves_up(story: Story) -> None:
    if "plus_v1_month" in story.billed():
        asked(story, "move", plan="ultra", seats=story.seats()[:1])


def gives_up(story: Story) -> None:
    asked(story, "give_up", seats=story.seats()[-1:])


def cancels(story: Story) -> None:
    asked(story, "give_up", seats=story.seats()[-1:])
    with suppress(NothingToChange):
        story.confirm_cancel(story.preview_cancel())


def is_refunded(story: Story) -> None:
    bought = CreditPurchase.objects.get(kind="pack", state="paid")
    payment = Payment.objects.get(stripe_id=bought.payment_id)
    if not Refund.objects.exists():
        refund_payment(
            payment=payment, amount_nanousd=5 * USD, reason="x", at=story.account.at, by=story.owner
        )


def tops_up(story: Story) -> None:
    set_auto_top_up(
        team=story.team,
        enabled=True,
        threshold_nanousd=20 * USD,
        target_nanousd=25 * USD,
        month_cap_nanousd=25 * USD,
        at=story.account.at,
        by=story.owner,
    )
    top_up(team=story.team, at=story.account.at)


def asked(story: Story, kind: str, **about: Any) -> None:
    """What is so already is not asked for again."""
    request = change_request(kind=kind, **about)
    with suppress(NothingToChange):
        story.confirm(request, story.preview(request))


def sweeps(story: Story) -> None:
    """What Celery does in the next ten minutes, and in the night; no event was heard. Stripe's time stands
    meanwhile, so that what is bought afterwards costs what it did."""
    at = story.account.at + 10 * MINUTE
    settle_open_changes(at=at)
    send_open_refunds(at=at)
    expire_old_checkouts(at=at)
    top_up_all(at=at)
    assert reconcile(at=at).unrepaired == []


def nothing(story: Story) -> None:
    """Before the first purchase."""


def has_codes(story: Story) -> None:
    make_code("GIFT")
    make_code("PACKS", scope="credits")


def has_seats(story: Story) -> None:
    story.subscribe(plus=1, max=2)


def has_credits(story: Story) -> None:
    buys_credits(story)
    story.account.deliver()


def used_codes(story: Story) -> list[tuple[str, str]]:
    rows = PromotionRedemption.objects.for_team(story.team).counting()
    return list(rows.values_list("promotion__code", "state"))


STEPS = [
    pytest.param(nothing, buys_seats, id="buying seats"),
    pytest.param(nothing, buys_credits, id="buying Credits"),
    pytest.param(has_codes, buys_seats_with_a_code, id="buying seats with a code"),
    pytest.param(has_codes, buys_credits_with_a_code, id="buying Credits with a code"),
    pytest.param(has_seats, adds, id="adding seats"),
    pytest.param(has_seats, moves_up, id="moving up"),
    pytest.param(has_seats, gives_up, id="giving up"),
    pytest.param(has_seats, cancels, id="canceling"),
    pytest.param(has_credits, is_refunded, id="refunding"),
    pytest.param(has_credits, tops_up, id="topping up"),
]
FATES = (dies_when_stripe_has_answered, fails_to_commit)


def outcome(story: Story) -> tuple[object, ...]:
    """All that is so in the end. A change that was written down and never sent is refused by the sweep, and
    made anew: that row is no difference.
    """
    state = state_of(story)
    state["changes"] = [change for change in state["changes"] if change[1] != "refused"]
    return state, books_of(story), used_codes(story)


@pytest.mark.parametrize(("before", "step"), STEPS)
def test_a_crash_at_any_moment_changes_nothing_in_the_end(
    stripe_account: StripeAccount,
    before: Callable[[Story], None],
    step: Callable[[Story], None],
) -> None:
    story = Story(stripe_account)
    before(story)
    fates = [(strikes, Fate(0)) for strikes in FATES]
    with tried(stripe_account):
        with ExitStack() as counted:
            for strikes, fate in fates:
                counted.enter_context(strikes(fate))
            step(story)
        sweeps(story)
        expected = outcome(story)
    assert all(fate.count for _, fate in fates)
    for strikes, never in fates:
        for fatal in range(1, never.count + 1):
            with tried(stripe_account):
                with suppress(Died, OperationalError), strikes(Fate(fatal)):
                    step(story)
                sweeps(story)
                with suppress(Refusal):  # AlreadySubscribed, where it was done all the same
                    step(story)
                story.account.deliver()
                assert outcome(story) == expected, f"{strikes.__name__}, the {fatal}. time"
