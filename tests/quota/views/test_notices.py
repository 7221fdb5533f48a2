"""The page on which a person chooses which notices they get."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from quota.models import NoticeSettings
from teams.models import User
from tests.helpers.factories import make_user
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
PAGE = "/account/notices/"


def checked(client: Client) -> list[str]:
    """The values of the boxes that are ticked; "on" is one that stands for itself."""
    page = client.get(PAGE)
    form = page.context["form"]
    alone = [name for name in ("credits_low", "balance_low") if form[name].value()]
    return [*map(str, form["thresholds"].value()), *alone]


def test_without_a_choice_it_shows_what_is_sent(as_user: AsUser) -> None:
    client = as_user(make_user("ada@example.com"))

    assert "What is mailed to ada@example.com about the usage of your Teams." in read(client, PAGE)
    assert checked(client) == ["80", "100", "credits_low", "balance_low"]
    assert not NoticeSettings.objects.exists()


def test_a_choice_is_saved_and_shown_again(as_user: AsUser) -> None:
    client = as_user(make_user())

    assert "Your choice of notices is saved." in submit(
        client, PAGE, thresholds=["50", "95"], balance_low="on"
    )

    assert checked(client) == ["50", "95", "balance_low"]


def test_none_at_all_can_be_chosen(as_user: AsUser) -> None:
    client = as_user(make_user())

    submit(client, PAGE)

    assert checked(client) == []
    assert NoticeSettings.objects.get().thresholds == []


@pytest.mark.parametrize("wrong", ["81", "x", ""])
def test_another_threshold_is_refused_and_nothing_is_saved(as_user: AsUser, wrong: str) -> None:
    client = as_user(make_user())

    answer = client.post(PAGE, {"thresholds": [wrong]})

    assert answer.status_code == 422
    assert "Select a valid choice." in words(answer)
    assert not NoticeSettings.objects.exists()
