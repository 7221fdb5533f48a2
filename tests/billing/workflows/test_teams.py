"""A Team is deleted when it does not pay any more, and nothing is paid for it later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.errors import TeamHasSubscription
from billing.stripe_api.client import api
from billing.workflows.teams import delete_team
from teams.models import Team
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

DAY = timedelta(days=1)


@pytest.fixture
def story(stripe_account: StripeAccount) -> Story:
    return Story(stripe_account)


@pytest.mark.slow
def test_a_team_is_deleted_with_its_open_checkout_which_cannot_be_paid_then(story: Story) -> None:
    checkout = story.begin_checkout(max=1)
    delete_team(team=story.team, by=story.owner, at=story.account.at)
    assert story.account.pay(checkout.url) == checkout.url
    story.account.deliver()
    assert Team.objects.get(pk=story.team.pk).deleted_at == story.account.at
    assert not api().subscriptions.list({"customer": story.customer}).data


@pytest.mark.slow
def test_a_team_with_a_live_subscription_is_not_deleted(story: Story) -> None:
    story.subscribe(max=1)
    with pytest.raises(TeamHasSubscription):
        delete_team(team=story.team, by=story.owner, at=story.account.at)
    story.cancel()
    story.account.advance(31 * DAY)
    story.account.deliver()
    assert delete_team(team=story.team, by=story.owner, at=story.account.at).deleted_at is not None
