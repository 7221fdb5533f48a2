"""`manage.py key_roots`: how many keys work under which root."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from teams.models import KeyRoot
from tests.helpers.factories import T0, make_member, make_team

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> list[str]:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_working_keys_are_counted_by_root(settings: object) -> None:
    team = make_team("Acme")
    make_member(team).keys.update(root="lost")
    make_member(team).keys.update(revoked_at=T0)
    current = next(iter(settings.KEY_ROOTS))  # type: ignore[attr-defined]
    settings.KEY_ROOTS |= {"older": b"b"}  # type: ignore[attr-defined]
    # The Owner's, and the three people's own Default Teams'.
    assert said("key_roots") == [
        f"{current}: 4 working keys (makes new keys)",
        "older: 0 working keys (old)",
        "lost: 1 keys cannot work: this root is not configured",
    ]


def test_another_secret_of_the_same_name_is_said(settings: object) -> None:
    make_team("Acme")
    current = next(iter(settings.KEY_ROOTS))  # type: ignore[attr-defined]
    settings.KEY_ROOTS = {current: b"b"}  # type: ignore[attr-defined]
    assert said("key_roots") == [
        f"{current}: 2 working keys (makes new keys)",
        f"{current}: its keys were made with another secret of this name, and cannot work",
    ]


def test_a_root_that_there_never_was_is_not_withdrawn() -> None:
    make_member(make_team("Acme")).keys.update(root="lost")
    with pytest.raises(CommandError, match=r"There is no root nope\. There are: .*lost"):
        said("key_roots", "--withdraw", "nope")
    assert not KeyRoot.objects.filter(name="nope").exists()


def test_a_lost_root_is_withdrawn_and_the_one_in_use_is_not(settings: object) -> None:
    team = make_team("Acme")
    make_member(team).keys.update(root="lost")
    assert said("key_roots", "--withdraw", "lost") == [
        "lost: 1 keys were revoked; their holders make new ones on the Home page"
    ]
    current = next(iter(settings.KEY_ROOTS))  # type: ignore[attr-defined]
    with pytest.raises(CommandError, match="makes the new keys"):
        said("key_roots", "--withdraw", current)
