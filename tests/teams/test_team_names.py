"""A Default Team has the name that its owner gave it, and until then one in the reader's language."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils.translation import override

from teams.services.teams import rename_team
from teams.team_names import first_names
from tests.helpers.factories import T0, make_team, make_user
from tests.helpers.reading import words

pytestmark = pytest.mark.django_db


def test_it_has_a_first_name_in_each_language() -> None:
    assert first_names() == {"Default Team", "个人团队"}


def test_pages_say_it_in_the_readers_language_until_it_has_another_name(client: Client) -> None:
    mia = make_user("mia@example.com")
    team = mia.default_team
    client.force_login(mia)

    def shown(language: str) -> bool:
        return team.display_name in words(client.get("/account/", headers={"accept-language": language}))

    assert team.name == "Default Team"
    for language, name in {"en": "Default Team", "zh-hans": "个人团队"}.items():
        with override(language):
            assert team.display_name == name
            assert shown(language)

    team = rename_team(team=team, name="Mia's own", by=mia, at=T0)
    with override("zh-hans"):
        assert team.display_name == "Mia's own"
        assert shown("zh-hans")


def test_a_team_of_several_keeps_its_name_whatever_it_is() -> None:
    team = make_team("Default Team")
    with override("zh-hans"):
        assert team.display_name == "Default Team"
