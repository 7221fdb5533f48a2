from datetime import timedelta

import pytest

from teams.models import AuditEntry, PersonalAccessToken, User
from teams.services import access_tokens, accounts
from tests.helpers.people import NOON, person
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db


def made(user: User, scope: str = "read", days: int = 90) -> tuple[PersonalAccessToken, str]:
    return access_tokens.create(user=user, name="ci", scope=scope, expires_in_days=days, by=user, at=NOON)


def test_a_token_is_shown_once_and_kept_as_a_hash() -> None:
    ann = person("ann@example.com")
    token, text = made(ann, "manage")
    assert text.startswith("pat-")
    assert len(text) == 47
    assert text not in str(list(PersonalAccessToken.objects.values()))
    assert (token.prefix, token.expires_at) == (text[:8], NOON + timedelta(days=90))
    assert access_tokens.recognise(text=text, at=NOON) == (ann, "manage")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.details) == ("access_token.created", {"scope": "manage"})


def test_what_is_not_recognised() -> None:
    ann = person("ann@example.com")
    token, text = made(ann)
    end = token.expires_at
    assert access_tokens.recognise(text=text, at=end - timedelta(seconds=1)) == (ann, "read")
    assert access_tokens.recognise(text=text, at=end) is None
    for wrong in ("", "pat-", text[:-1], text + "x", text.upper(), "sk-cp-" + text, "pat-" + "x" * 10_000):
        assert access_tokens.recognise(text=wrong, at=NOON) is None
    accounts.deactivate(user=ann, by=None, at=NOON)
    assert access_tokens.recognise(text=text, at=NOON) is None


def test_a_revoked_token_is_dead_at_once() -> None:
    ann = person("ann@example.com")
    token, text = made(ann)
    access_tokens.revoke(token=token, by=ann, at=NOON)
    assert access_tokens.recognise(text=text, at=NOON) is None
    assert AuditEntry.objects.latest("pk").action == "access_token.revoked"
    with pytest.raises(NotFound):
        access_tokens.revoke(token=token, by=ann, at=NOON)


def test_last_use_is_noted_every_five_minutes() -> None:
    token, text = made(person("ann@example.com"))
    for minutes, noted in ((0, 0), (4, 0), (5, 5), (6, 5)):
        access_tokens.recognise(text=text, at=NOON + timedelta(minutes=minutes))
        token.refresh_from_db()
        assert token.last_used_at == NOON + timedelta(minutes=noted)


@pytest.mark.parametrize("scope, days", [("write", 1), ("", 1), ("read", 0), ("read", 367), ("read", -1)])
def test_a_scope_and_a_length_of_time_that_make_sense(scope: str, days: int) -> None:
    ann = person("ann@example.com")
    with pytest.raises(InvalidValue):
        made(ann, scope, days)
    assert not PersonalAccessToken.objects.exists()
