"""Bars for many key holders at once: what is read, and that the answers are those of the views."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from quota.api.key_holder import gathered
from teams.models import User
from teams.services import keys
from teams.services.memberships import end_membership
from tests.helpers import factories
from tests.helpers.api_client import make_office
from tests.helpers.cases import many
from tests.helpers.crowds import Crowd
from tests.helpers.factories import T0, key_of, make_member
from tests.helpers.hot_path import HOUR
from tokenplan.kit.problems import RawAnswer, TooBusy

USAGE, REMAINS = "/api/v1/usage", "/v1/token_plan/remains"
LEGACY = "/v1/api/openplatform/coding_plan/remains"
# What only browsers, and caches between them and us, read; it is the same whoever asks.
OF_BROWSERS = {
    *("allow", "content-language", "content-security-policy", "cross-origin-opener-policy"),
    *("permissions-policy", "referrer-policy", "vary"),
}
KEY = "sk-cp-aaaaaaaaaaaaX5eTzG0fZGZgNkxCGZEnRD7nTxhQTlDCw2wIxCdR3lR1KG"


@dataclass(frozen=True)
class Path:
    """An address, and its two ends of the road."""

    path: str
    read: Callable[..., str | None]
    answer: Callable[..., RawAnswer | None]

    def ask(self, text: str, **more: str) -> str | None:
        headers = {"authorization": f"Bearer {text}", **more}
        named = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
        return self.read((), named, b"")


PATHS = [
    Path(USAGE, gathered.read_usage, gathered.answer_usage),
    Path(REMAINS, gathered.read_remains, gathered.answer_remains),
]


@pytest.fixture(params=PATHS, ids=["usage", "remains"])
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def by_the_view(path: Path, text: str, *, language: str = "en") -> RawAnswer:
    asked = {"Authorization": f"Bearer {text}", "Accept-Language": language}
    response = Client().get(path.path, headers=asked)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    return response.status_code, headers, response.content


def compared(answer: RawAnswer | None) -> tuple[int, dict[bytes, bytes], bytes]:
    assert answer is not None
    status, headers, body = answer
    ignored = {b"content-length", *(name.encode() for name in OF_BROWSERS)}
    return status, {name: value for name, value in headers if name not in ignored}, body


def gathered_answers(path: Path, *texts: str) -> list[RawAnswer | None]:
    return [path.answer(found) for found in gathered.bars_of_keys(texts)]


@pytest.mark.parametrize("seed", many(range(3)))
def test_both_roads_answer_the_same_whatever_state_members_are_in(
    seed: int, clock: time_machine.Traveller
) -> None:
    texts = [key_of(member) for member in Crowd(seed).members]
    for moment in (T0 + HOUR, T0 + 2 * HOUR, T0 + 200 * HOUR):
        clock.move_to(moment)
        for path in PATHS:
            for text, answer in zip(texts, gathered_answers(path, *texts), strict=True):
                assert compared(answer) == compared(by_the_view(path, text))


def test_names_that_are_not_ascii_are_written_as_the_view_writes_them(path: Path) -> None:
    office = make_office()
    office.scene.team.name = 'Größe "日本" \u2028 </script>'
    office.scene.team.save(update_fields=["name"])
    (answer,) = gathered_answers(path, office.key)
    assert compared(answer) == compared(by_the_view(path, office.key))


def test_a_usual_request_is_read_and_stands_for_its_key(path: Path) -> None:
    text = make_office().key
    assert path.ask(text) == text
    assert path.ask(f" {text} ") == text
    assert path.read((), {b"authorization": b"bearer " + text.encode()}, b"") == text
    for accept in ("*/*", "application/json", "application/json, text/plain, */*", "text/html,application/*"):
        assert path.ask(text, accept=accept) == text


def test_what_is_not_usual_is_for_the_view(path: Path) -> None:
    text = make_office().key
    key = {b"authorization": f"Bearer {text}".encode()}
    assert path.read((), key, b"{}") is None
    for authorization in ("", text, f"Basic {text}", "Bearer", f"Bearer {text}x", f"Bearer {text[:-1]}é"):
        assert path.read((), {b"authorization": authorization.encode("latin-1")}, b"") is None
    assert path.read((), {}, b"") is None
    assert path.ask("sk-api-" + text[6:]) is None


@pytest.mark.parametrize("accept", ["text/html", "", "application/json; indent=4", "text/html, */*;q=0.1"])
def test_what_asks_for_another_form_of_usage_is_for_the_view_and_trackers_get_theirs(accept: str) -> None:
    text = make_office().key
    usage, remains = PATHS
    assert usage.ask(text, accept=accept) is None
    assert remains.ask(text, accept=accept) == text


def test_keys_that_do_not_work_are_for_the_view_and_take_no_other_with_them(
    path: Path, clock: time_machine.Traveller
) -> None:
    office = make_office()
    team = office.scene.team
    revoked, gone, closed, replaced = (make_member(team) for _ in range(4))
    dead = [key_of(member) for member in (revoked, gone, closed, replaced)]
    assert all(gathered_answers(path, office.key, *dead))
    keys.revoke_keys(membership=revoked, at=T0, by=None)
    end_membership(membership=gone, at=T0, by=None)
    User.objects.filter(pk=closed.user_id).update(is_active=False, deactivated_at=T0)
    keys.rotate_key(membership=replaced, overlap=timedelta(hours=1), at=T0, by=replaced.user)
    dead.append(factories.forged_key_of(office.scene.owner))
    first, *others = gathered_answers(path, office.key, *dead)
    assert first
    assert [bool(answer) for answer in others] == [False, False, False, True, False]
    clock.shift(timedelta(hours=1))
    assert not any(gathered_answers(path, *dead))
    # The view says why.
    assert {by_the_view(path, text)[0] for text in dead} == {401 if path.path == USAGE else 200}


def test_one_batch_may_have_two_texts_of_a_member_and_a_forged_one() -> None:
    office = make_office()
    owner = office.scene.owner
    forged = factories.forged_key_of(owner)
    keys.rotate_key(membership=owner, overlap=timedelta(hours=1), at=T0, by=owner.user)
    found = gathered.bars_of_keys([office.key, forged, key_of(owner), office.key])
    assert [one and one[0].membership for one in found] == [owner, None, owner, owner]
    assert gathered.bars_of_keys([]) == []


def test_a_key_whose_root_is_not_here_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()
    roots = settings.KEY_ROOTS
    monkeypatch.setattr(settings, "KEY_ROOTS", {"new": b"n" * 32, **roots})
    late = key_of(make_member(office.scene.team))
    monkeypatch.setattr(settings, "KEY_ROOTS", roots)
    assert [bool(found) for found in gathered.bars_of_keys([late, office.key])] == [False, True]


def test_what_was_settled_is_in_the_next_bar(path: Path) -> None:
    office = make_office()
    before = gathered_answers(path, office.key)
    office.settle(office.ask(410).body["reservation"], 410)
    (after,) = gathered_answers(path, office.key)
    assert before != [after]
    body: Any = json.loads(after[2]) if after else None
    if path.path == USAGE:
        assert body["windows"][0]["used_nanousd"] == 4_100_000_000
    else:
        assert body["model_remains"][0]["current_interval_remaining_percent"] == 59


def test_who_comes_when_too_many_wait_is_refused_in_the_words_of_the_address() -> None:
    status, headers, body = gathered.refuse_usage(KEY, TooBusy())
    assert (status, json.loads(body)["code"], dict(headers)[b"retry-after"]) == (503, "unavailable", b"1")
    status, headers, body = gathered.refuse_remains(KEY, TooBusy())
    assert (status, dict(headers)[b"cache-control"]) == (200, b"no-store")
    assert json.loads(body) == {
        "model_remains": None,
        "base_resp": {"status_code": 1000, "status_msg": "unknown error"},
    }


def test_the_addresses_are_those_of_the_views() -> None:
    assert gathered.USAGE.fullmatch(USAGE.encode())
    assert gathered.REMAINS.fullmatch(REMAINS.encode())
    assert gathered.REMAINS.fullmatch(LEGACY.encode())
    for other in (USAGE + "/", USAGE + "/receipts", REMAINS + "/", "/v1/remains"):
        assert not gathered.USAGE.fullmatch(other.encode())
        assert not gathered.REMAINS.fullmatch(other.encode())


def test_an_answer_is_the_same_in_every_language(clock: time_machine.Traveller) -> None:
    texts = [key_of(member) for member in Crowd(0).members]
    clock.move_to(T0 + HOUR)
    for path in PATHS:
        for text, answer in zip(texts, gathered_answers(path, *texts), strict=True):
            for code, _name in settings.LANGUAGES:
                assert compared(answer) == compared(by_the_view(path, text, language=code))
