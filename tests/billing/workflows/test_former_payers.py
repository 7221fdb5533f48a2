"""What those have left behind who do not manage a Team's billing any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.translation import override

from billing.models import Change
from billing.selectors.change_requests import change_request
from billing.stripe_api.client import api
from billing.tasks import finish
from billing.workflows import cancellations
from billing.workflows.checkouts import buy_credits, buy_seats
from billing.workflows.former_payers import (
    drop_changes_of_former_payers,
    end_checkouts_of_former_payers,
    tell_what_former_payers_planned,
)
from teams.models import Mail, Membership
from teams.services.memberships import end_membership, set_billing_right
from teams.services.teams import transfer_ownership
from tests.helpers.factories import make_member
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


def make_payer(story: Story) -> Membership:
    payer = make_member(story.team)
    return set_billing_right(membership=payer, allowed=True, by=story.owner, at=story.account.at)


def take_right(story: Story, payer: Membership) -> None:
    set_billing_right(membership=payer, allowed=False, by=story.owner, at=story.account.at)


def order(story: Story, payer: Membership, kind: str, **about: Any) -> Change | None:
    request = change_request(kind=kind, **about)
    return story.confirm(request, story.preview(request), by=payer.user)


def mails(kind: str) -> list[Mail]:
    return list(Mail.objects.filter(kind=kind).order_by("pk"))


def test_the_page_of_who_does_not_pay_for_the_team_any_more_is_ended(story: Story) -> None:
    """It offers the Team's card to whoever has its address."""
    payer, still = make_payer(story), make_payer(story)
    page = buy_credits(team=story.team, packs=1, at=story.account.at, by=payer.user)
    other = buy_seats(team=story.team, seats={"max": 1}, interval="month", at=story.account.at, by=still.user)
    assert end_checkouts_of_former_payers(at=story.account.at) == 0

    take_right(story, payer)
    finish()

    states = [api().checkout.sessions.retrieve(row.stripe_id).status for row in (page, other)]
    assert states == ["expired", "open"]
    page.refresh_from_db()
    assert page.state == "expired"


def test_a_change_that_waits_for_its_payment_is_given_up_with_the_right_of_who_ordered_it(
    story: Story,
) -> None:
    story.subscribe(max=1)
    payer = make_payer(story)
    story.use_card("pm_card_authenticationRequired")
    story.account.advance(DAY)
    change = order(story, payer, "add", plan="max", count=1)
    assert change is not None
    assert change.state == "awaits_payment"
    assert drop_changes_of_former_payers(at=story.account.at) == 0

    take_right(story, payer)
    with override("zh-hans"):  # whoever runs it: what is stored is in the default language
        assert drop_changes_of_former_payers(at=story.account.at) == 1

    change.refresh_from_db()
    assert (change.state, change.reason) == (
        "refused",
        "Who asked for it does not manage the Team's billing any more.",
    )
    assert api().invoices.retrieve(change.invoice_id).status == "void"
    assert (story.billed(), len(story.paid())) == ({"max_v1_month": 1}, 1)
    (mail,) = mails("change_dropped")
    assert (mail.to, mail.context["by"]) == (story.owner.email, payer.user.email)
    assert mail.context["what"] == "Add 1 seat of Max"
    assert drop_changes_of_former_payers(at=story.account.at) == 0


def test_a_change_of_the_owner_before_is_given_up_after_a_transfer(story: Story) -> None:
    story.subscribe(max=1)
    story.use_card("pm_card_authenticationRequired")
    change = story.add("max")
    assert change is not None
    assert change.state == "awaits_payment"

    transfer_ownership(team=story.team, to=make_member(story.team), by=story.owner, at=story.account.at)

    assert drop_changes_of_former_payers(at=story.account.at) == 1
    assert [mail.to for mail in mails("change_dropped")] == [story.owner.email]


def test_what_is_planned_stands_and_who_pays_gets_one_mail(story: Story) -> None:
    story.subscribe(max=3)
    payer, still = make_payer(story), make_payer(story)
    story.account.advance(DAY)
    order(story, payer, "give_up", seats=story.seats()[1:])
    assert tell_what_former_payers_planned(at=story.account.at) == 0

    end_membership(membership=payer, by=story.owner, at=story.account.at)

    assert tell_what_former_payers_planned(at=story.account.at) == 1
    assert tell_what_former_payers_planned(at=story.account.at) == 0
    sent = mails("plan_stands")
    assert [mail.to for mail in sent] == [story.owner.email, still.user.email]
    about = {name: sent[0].context[name] for name in ("by", "on", "ends", "leaves", "moves", "interval")}
    assert about == {
        "by": payer.user.email,
        "on": story.row.period_end.isoformat(),
        "ends": "",
        "leaves": 2,
        "moves": 0,
        "interval": "",
    }
    story.account.advance(30 * DAY)
    story.account.deliver()
    assert story.billed() == {"max_v1_month": 1}


def test_what_somebody_planned_who_still_pays_is_nobody_elses_news(story: Story) -> None:
    """Whoever planned last has seen the whole plan."""
    story.subscribe(max=3)
    payer = make_payer(story)
    order(story, payer, "give_up", seats=story.seats()[2:])
    story.give_up(story.seats()[1])

    take_right(story, payer)

    assert tell_what_former_payers_planned(at=story.account.at) == 0


def test_a_cancellation_stands_too_and_after_resuming_there_is_nothing_to_say(story: Story) -> None:
    story.subscribe(max=1)
    payer = make_payer(story)
    cancellations.cancel(team=story.team, amount_nanousd=0, at=story.account.at, by=payer.user)
    take_right(story, payer)

    assert tell_what_former_payers_planned(at=story.account.at) == 1
    assert [mail.context["ends"] for mail in mails("plan_stands")] == ["yes"]

    story.resume()
    assert tell_what_former_payers_planned(at=story.account.at) == 0
    assert story.row.cancel_at is None
