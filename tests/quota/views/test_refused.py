"""One's own refused calls: why, and what helps."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from quota import errors
from quota.hot_path import authorize, holds, refusals
from quota.models import RefusalCount, RefusedCall
from quota.services.refusals import count_forged, remember_refusal
from quota.views.refused import EXPLAINED
from teams.models import User
from teams.services.keys import named_in, rotate_key
from tests.helpers.factories import T0, Scene, make_desk, make_member, make_scene
from tests.helpers.reading import read
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def refuse(scene: Scene, key: str, refusal: Refusal, at: object = T0, model: str = "talker") -> None:
    remember_refusal(
        gateway=scene.desk.gateway,
        key_text=key,
        request_id="r1",
        model=model,
        refusal=refusal,
        at=at,  # type: ignore[arg-type]
    )


def test_ones_own_refused_calls_say_why_and_what_helps(as_user: AsUser) -> None:
    scene = make_scene()
    mia, bob = make_member(scene.team), make_member(scene.team)
    earlier = make_desk(mia).key
    refuse(scene, earlier, errors.ModelUnknown("There is no model <b>."), T0 - timedelta(hours=2), "gpt-99")
    rotate_key(membership=mia, overlap=timedelta(0), at=T0, by=mia.user)
    refuse(scene, make_desk(mia).key, errors.UsageOwed("40 Credits are owed."))
    refuse(scene, make_desk(bob).key, errors.UsageOwed("of bob"))
    refuse(scene, earlier, errors.UsageOwed("long ago"), T0 - timedelta(days=8))
    url = f"/account/refused/{scene.team.slug}/"

    page = read(as_user(mia.user), url)

    assert (
        "3 Jun, 10:02:00 UTC talker Earlier calls used more than Credits covered, and that is owed."
        " usage_owed The next Credits of the Team pay it; then the key works again."
    ) in page
    assert (
        "3 Jun, 08:02:00 UTC gpt-99 There is no model of this name on the price list."
        " model_unknown Check the name of the model in your tool. Models & prices"
    ) in page
    assert page.index("usage_owed") < page.index("model_unknown")
    assert "of bob" not in page
    assert "long ago" not in page
    assert "1 × There is no model of this name on the price list." in page
    assert "Rotate the key" not in page
    assert "No call was refused. Recent charges and receipts" in read(as_user(scene.owner.user), url)


def test_texts_with_another_secret_are_counted_and_rotating_is_offered(as_user: AsUser) -> None:
    scene = make_scene()
    key = named_in(scene.desk.key)
    assert key
    count_forged(key=key, at=T0)
    RefusalCount.objects.update(refused=1200)

    page = read(as_user(scene.owner.user), f"/account/refused/{scene.team.slug}/")

    assert "1,200 × Somebody sent your key's id with another secret. Nothing was given for it." in page
    assert "If it was no slip of yours, rotate the key. Rotate the key" in page
    assert not RefusedCall.objects.exists()


def refused_in_two_ways(scene: Scene) -> str:
    """A call each, of two models on two days; the address of the page."""
    earlier = T0 - timedelta(days=1)
    refuse(scene, scene.desk.key, errors.ModelUnknown("@none."), earlier, "=gpt-99")
    refuse(scene, scene.desk.key, errors.UsageOwed("40 Credits are owed."))
    return f"/account/refused/{scene.team.slug}/"


@pytest.mark.parametrize(
    "query",
    [
        "reason=model_unknown",
        "model=GPT",
        "end=2026-06-02",
        "start=2026-06-01&end=2026-06-02&reason=nothing",
    ],
)
def test_refused_calls_are_found_by_reason_model_and_day(as_user: AsUser, query: str) -> None:
    scene = make_scene()
    url = refused_in_two_ways(scene)
    client = as_user(scene.owner.user)

    page = client.get(f"{url}?{query}").content.decode()

    table = page.partition("<tbody>")[2]
    assert "=gpt-99" in table
    assert "usage_owed" not in table
    assert f'href="{url}file/?{query.replace("&", "&amp;")}"' in page
    answer = client.get(f"{url}file/?{query}")
    assert answer.getvalue().decode("utf-8-sig").splitlines() == [
        "When (UTC),Model,Why,Detail,Code,What helps",
        "2026-06-02 10:02:00,'=gpt-99,There is no model of this name on the price list.,'@none.,"
        "model_unknown,Check the name of the model in your tool.",
    ]


def test_how_often_each_reason_was_leads_to_its_calls_and_what_is_not_found_leads_back(
    as_user: AsUser,
) -> None:
    scene = make_scene()
    url = refused_in_two_ways(scene)
    client = as_user(scene.owner.user)

    page = client.get(f"{url}?start=2026-06-01&before=x")
    assert 'href="?start=2026-06-01&amp;reason=usage_owed"' in page.content.decode()
    assert len(client.get(f"{url}file/?start=x").getvalue().splitlines()) == 3
    assert "Nothing is found. Show all" in read(client, f"{url}?start=2026-06-03&model=gpt")


def test_long_lists_are_paged(as_user: AsUser) -> None:
    scene = make_scene()
    for minute in range(51):
        refuse(scene, scene.desk.key, errors.UsageOwed(f"no. {minute}."), T0 - timedelta(minutes=minute))
    page = read(as_user(scene.owner.user), f"/account/refused/{scene.team.slug}/")
    assert "3 Jun, 09:13:00 UTC" in page
    assert "3 Jun, 09:12:00 UTC" not in page


def test_every_refusal_of_a_call_is_explained_and_every_page_named_is_there() -> None:
    """Of a call that is asked for: what the modules raise that decide on it."""
    kinds = {
        getattr(errors, node.func.id, None)
        for module in (authorize, holds, refusals)
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    codes = {kind.code for kind in kinds if isinstance(kind, type) and issubclass(kind, Refusal)}
    assert {"quota_exhausted", "no_usable_resources"} <= codes
    assert codes - EXPLAINED.keys() == set()
    for explained in EXPLAINED.values():
        assert bool(explained.page) == bool(explained.label)
        assert not explained.page or reverse(explained.page)
