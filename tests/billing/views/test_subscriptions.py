"""The page that seats are chosen on says what they are paid by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_team, owner_of
from tests.helpers.reading import read
from tests.helpers.stripe_says import put_on_sale

AsUser = Callable[[User], Client]


@pytest.mark.django_db
def test_it_is_said_before_paying_that_seats_take_a_card_or_link(as_user: AsUser) -> None:
    put_on_sale()
    team = make_team()
    page = read(as_user(owner_of(team).user), f"/teams/{team.slug}/billing/subscribe/")
    assert "Seats are paid by card or Link. A bank account cannot pay for what renews" in page
