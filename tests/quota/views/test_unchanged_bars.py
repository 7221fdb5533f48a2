"""Bars that are as the browser has them are answered in batches, as by the view; all others by the view."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from quota.views.unchanged_bars import BARS, MOST, Poll, read_bars, refuse_bars, unchanged_bars
from teams.models import Membership, User
from teams.services.memberships import end_membership
from tests.helpers.cases import many
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_member,
    make_scene,
    make_seat,
)
from tokenplan.kit.errors import Refusal
from tokenplan.kit.problems import RawAnswer, TooBusy

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
# What the view's answer has beside these is for pages, and is the same whoever asks.
SAID = ("etag", "x-as-of", "cache-control")


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(USD, 10 * USD))


def url_of(*names: str) -> str:
    return f"/account/bars/?{'&'.join(f'of={name}' for name in names)}"


def headers_of(client: Client, known: str, **more: str) -> dict[str, str]:
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"cookie": cookies, "if-none-match": known, **more}


def poll_of(client: Client, url: str, known: str, body: bytes = b"", **more: str) -> Poll | None:
    headers = headers_of(client, known, **{name.replace("_", "-"): value for name, value in more.items()})
    match = BARS.fullmatch(url.encode())
    named = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return read_bars(match.groups(), named, body) if match else None


def in_a_batch(client: Client, url: str, known: str) -> RawAnswer | None:
    poll = poll_of(client, url, known)
    assert poll is not None
    (answer,) = unchanged_bars([poll])
    return answer


def by_the_view(client: Client, url: str, known: str) -> tuple[int, dict[str, str], bytes]:
    response = client.get(url, headers={"If-None-Match": known})
    said = {name: response.headers[name] for name in SAID if name in response.headers}
    return response.status_code, said, response.content


def said_by(answer: RawAnswer) -> tuple[int, dict[str, str], bytes]:
    status, headers, body = answer
    return status, {name.decode(): value.decode() for name, value in headers}, body


def tag(client: Client, url: str) -> str:
    known: str = client.get(url).headers["ETag"]
    return known


def test_bars_and_credits_that_are_as_they_were_are_answered_as_by_the_view(
    as_user: AsUser, scene: Scene
) -> None:
    give_credits(scene.team, 5000 * CREDIT)
    scene.desk.use(30)
    client, url = as_user(scene.owner.user), url_of(f"bar-{scene.owner.pk}", f"credits-{scene.owner.pk}")
    known = tag(client, url)
    with time_machine.travel(T0 + timedelta(seconds=8), tick=False):
        answer = in_a_batch(client, url, known)
        assert answer is not None
        assert said_by(answer) == by_the_view(client, url, known)
    assert said_by(answer)[:2] == (
        304,
        {"etag": known, "x-as-of": "10:02 UTC", "cache-control": "no-store, private"},
    )


def test_the_reader_reads_when_in_their_own_zone(as_user: AsUser, scene: Scene) -> None:
    User.objects.filter(pk=scene.owner.user_id).update(time_zone="Asia/Shanghai", language="zh-hans")
    client, url = as_user(User.objects.get(pk=scene.owner.user_id)), url_of(f"bar-{scene.owner.pk}")
    known = tag(client, url)
    answer = in_a_batch(client, url, known)
    assert answer is not None
    assert said_by(answer) == by_the_view(client, url, known)
    assert said_by(answer)[1]["x-as-of"] == "18:02 CST"


class Home:
    """A page of somebody whose Team has Credits, and what happens meanwhile."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene, self.chance = scene, chance
        self.member = make_member(scene.team)
        make_seat(scene.team, scene.plan, holder=self.member)
        self.at = T0

    @property
    def things(self) -> list[Callable[[], object]]:
        """Each changes what the page shows, or who may see it; or nothing of either."""
        user = User.objects.filter(pk=self.scene.owner.user_id)
        return [
            *[lambda: None] * 6,
            lambda: self.scene.desk.use(self.chance.choice([1, 1, 1, 30]), at=self.at),
            lambda: self.scene.desk.ask(self.chance.choice([0, 2]), at=self.at),
            lambda: give_credits(self.scene.team, USD, at=self.at),
            lambda: allow_credits(self.scene.owner, month_cap=self.chance.choice([None, 0, USD])),
            lambda: user.update(language=self.chance.choice(["", "en", "zh-hans"])),
            lambda: user.update(time_zone=self.chance.choice(["UTC", "Asia/Shanghai"])),
            lambda: self.scene.team.__class__.objects.update(name=self.chance.choice(["One", "Two"])),
            lambda: setattr(self, "at", self.at + timedelta(seconds=self.chance.choice([30, 700, 9000]))),
        ]


@pytest.mark.parametrize("seed", many(range(8)))
def test_whatever_happens_a_batch_answers_as_the_view_or_not_at_all(
    as_user: AsUser, scene: Scene, seed: int
) -> None:
    chance = random.Random(seed)
    home, client = Home(scene, chance), as_user(scene.owner.user)
    names = [f"bar-{scene.owner.pk}", f"credits-{scene.owner.pk}", f"bar-{home.member.pk}"]
    known, answered = "", 0
    for _ in range(60):
        with suppress(Refusal):
            chance.choice(home.things)()
        home.at += timedelta(seconds=4)
        with time_machine.travel(home.at, tick=False):
            url = url_of(*names[: chance.choice([1, 2, 2, 2, 2, 2, 2, 3])])
            known = known or tag(client, url)
            before = list(Session.objects.values_list("session_data", flat=True))
            answer = in_a_batch(client, url, known)
            assert list(Session.objects.values_list("session_data", flat=True)) == before
            by_view = by_the_view(client, url, known)
        if answer is not None:
            assert said_by(answer) == by_view
            answered += 1
        known = by_view[1]["etag"]
    assert answered > 5


def close(users: QuerySet[User]) -> None:
    users.update(is_active=False, deactivated_at=T0)


ENDS: dict[str, Callable[[Scene], object]] = {
    "signed out": lambda scene: Session.objects.all().delete(),
    "session run out": lambda scene: Session.objects.update(expire_date=T0),
    "another password": lambda scene: User.objects.filter(pk=scene.owner.user_id).update(password="x"),
    "no account": lambda scene: close(User.objects.filter(pk=scene.owner.user_id)),
    "Team deleted": lambda scene: type(scene.team).objects.filter(pk=scene.team.pk).update(deleted_at=T0),
    "stopped": lambda scene: scene.desk.use(100),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_who_may_not_see_it_any_more_is_answered_by_the_view(
    as_user: AsUser, scene: Scene, end: Callable[[Scene], object]
) -> None:
    client, url = as_user(scene.owner.user), url_of(f"bar-{scene.owner.pk}")
    known = tag(client, url)
    assert in_a_batch(client, url, known) is not None
    end(scene)
    assert in_a_batch(client, url, known) is None
    assert by_the_view(client, url, known)[0] != 304


def test_who_has_left_sees_none_any_more(as_user: AsUser, scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    client, url = as_user(member.user), url_of(f"bar-{member.pk}")
    known = tag(client, url)
    assert in_a_batch(client, url, known) is not None
    end_membership(membership=member, by=scene.owner.user, at=T0)
    assert in_a_batch(client, url, known) is None


def test_bars_of_others_are_the_views(as_user: AsUser, scene: Scene) -> None:
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    client = as_user(scene.owner.user)
    for names in ([f"bar-{member.pk}"], [f"bar-{scene.owner.pk}", f"bar-{member.pk}"]):
        url = url_of(*names)
        known = tag(client, url)
        assert by_the_view(client, url, known)[0] == 304
        assert in_a_batch(client, url, known) is None


def test_a_session_whose_use_is_to_be_noted_is_the_views(as_user: AsUser, scene: Scene) -> None:
    client, url = as_user(scene.owner.user), url_of(f"bar-{scene.owner.pk}")
    session: Any = client.session
    session["seen"] = timezone.now().timestamp()
    session.save()
    known = tag(client, url)
    assert in_a_batch(client, url, known) is not None
    with time_machine.travel(T0 + timedelta(minutes=10), tick=False):
        assert in_a_batch(client, url, known) is None


def test_many_polls_take_as_many_statements_as_one(as_user: AsUser) -> None:
    polls = []
    for _ in range(3):
        scene = make_scene(limits(USD, 10 * USD))
        client, url = as_user(scene.owner.user), url_of(f"bar-{scene.owner.pk}")
        polls.append(poll_of(client, url, tag(client, url)))
    asked = [poll for poll in polls if poll]
    for some in (asked[:1], asked):
        with CaptureQueriesContext(connection) as caught:
            assert [answer and answer[0] for answer in unchanged_bars(some)] == [304] * len(some)
        # Sessions and memberships. All bars are one statement more, of a cursor that is not counted.
        assert len(caught) == 2


@pytest.mark.parametrize(
    "url",
    [
        "/account/bars/?of=seat-1",
        "/account/bars/?of=bar-1&of=",
        "/account/bars/?of=bar-1&as=html",
        "/account/bars/?of=bar-%31",
        "/account/bars/?",
        url_of(*["bar-1"] * (MOST + 1)),
    ],
)
def test_what_is_no_plain_poll_is_the_views(client: Client, url: str) -> None:
    client.cookies[settings.SESSION_COOKIE_NAME] = "a"
    assert poll_of(client, url_of("bar-1"), '"x"') is not None
    assert poll_of(client, url, '"x"') is None


def test_who_has_nothing_yet_is_the_views(client: Client) -> None:
    assert poll_of(client, url_of("bar-1"), '"x"') is None
    client.cookies[settings.SESSION_COOKIE_NAME] = "a"
    assert poll_of(client, url_of("bar-1"), "") is None
    assert poll_of(client, url_of("bar-1"), '"x"', b"body") is None


def test_the_language_of_who_has_chosen_none_is_the_browsers(client: Client) -> None:
    client.cookies[settings.SESSION_COOKIE_NAME] = "a"
    plain = poll_of(client, url_of("bar-1"), '"x"', accept_language="zh-CN,en;q=0.5")
    assert plain is not None
    assert plain.language == "zh-hans"
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    switched = poll_of(client, url_of("bar-1"), '"x"', accept_language="zh-CN,en;q=0.5")
    assert switched is not None
    assert switched.language == "en"


def test_too_many_at_once_are_refused_as_any_page_is() -> None:
    status, _headers, _body = refuse_bars(Poll((), "", "", "en"), TooBusy())
    assert status == 503


def test_a_membership_of_nobody_is_none(as_user: AsUser, scene: Scene) -> None:
    client, url = as_user(scene.owner.user), url_of(f"bar-{Membership.objects.latest('pk').pk + 1}")
    assert in_a_batch(client, url, tag(client, url)) is None


@pytest.mark.parametrize("cookie", ["\x00" * 32, '"\\000bcdefghijklmnopqrstuvwxyz012345"', "é", ""])
def test_what_is_no_key_of_a_session_comes_into_no_batch(cookie: str) -> None:
    match = BARS.fullmatch(url_of("bar-1").encode())
    assert match is not None
    headers = {b"cookie": f"sessionid={cookie}".encode(), b"if-none-match": b'"known"'}
    assert read_bars(match.groups(), headers, b"") is None
