"""Refusals are remembered for a week: the first hundred of a key, code and hour whole, the rest by number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.errors import ModelUnknown, NoUsableResources, QuotaExhausted, UsageOwed
from quota.models import RefusalCount, RefusedCall
from quota.services.refusals import forget_refusals, remember_refusal
from teams.errors import KeyInvalid
from teams.services.keys import rotate_key
from tests.helpers.factories import T0, Scene
from tests.helpers.hot_path import HOUR, MINUTE, forged
from tokenplan.kit.errors import Refusal

pytestmark = pytest.mark.django_db


def remember(scene: Scene, refusal: Refusal, name: str = "r", at=T0, key: str = "") -> None:  # type: ignore[no-untyped-def]
    remember_refusal(
        gateway=scene.desk.gateway,
        key_text=key or scene.desk.key,
        request_id=name,
        model="penny",
        refusal=refusal,
        at=at,
    )


def counted() -> list[tuple[str, int]]:
    return list(RefusalCount.objects.order_by("hour", "code").values_list("code", "refused"))


def test_it_is_remembered_who_was_refused_what_when_and_why(scene: Scene) -> None:
    remember(scene, UsageOwed("Three cents are owed"), "one", T0 + MINUTE)
    call = RefusedCall.objects.get()
    assert (call.team, call.gateway) == (scene.team, scene.desk.gateway)
    assert (call.key_public_id, call.request_id, call.model) == (scene.desk.key[6:18], "one", "penny")
    assert (call.code, call.detail, call.at) == ("usage_owed", "Three cents are owed", T0 + MINUTE)
    count = RefusalCount.objects.get()
    assert (count.hour, count.refused) == (T0.replace(minute=0), 1)


def test_the_first_hundred_of_a_key_code_and_hour_are_whole_and_the_rest_counted(scene: Scene) -> None:
    for number in range(103):
        remember(scene, NoUsableResources(), str(number))
    remember(scene, UsageOwed(), "another code")
    remember(scene, NoUsableResources(), "another hour", T0 + HOUR)
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)
    assert RefusedCall.objects.filter(code="no_usable_resources").count() == 101
    assert not RefusedCall.objects.filter(request_id="100").exists()
    assert counted() == [("no_usable_resources", 103), ("usage_owed", 1), ("no_usable_resources", 1)]


def test_of_a_forged_secret_the_number_is_kept_and_of_garbage_nothing(scene: Scene) -> None:
    remember(scene, KeyInvalid(), key=forged(scene.desk.key))
    remember(scene, KeyInvalid(), key="sk-cp-garbage")
    assert (counted(), RefusedCall.objects.count()) == ([("secret_forged", 1)], 0)
    # A text that was right once is somebody's.
    rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)
    remember(scene, KeyInvalid())
    assert RefusedCall.objects.get().code == "key_invalid"


def test_no_row_holds_the_text_of_a_key(scene: Scene) -> None:
    remember(scene, KeyInvalid())
    for row in (*RefusedCall.objects.values(), *RefusalCount.objects.values()):
        assert scene.desk.key[18:] not in str(row)


def test_after_seven_days_it_is_forgotten(scene: Scene) -> None:
    remember(scene, UsageOwed(), "old")
    remember(scene, UsageOwed(), "new", T0 + HOUR)
    assert forget_refusals(at=T0 + timedelta(days=7)) == 0
    assert forget_refusals(at=T0 + timedelta(days=7, seconds=1)) == 1
    assert (RefusedCall.objects.get().request_id, counted()) == ("new", [("usage_owed", 1)])


def test_a_long_detail_is_cut(scene: Scene) -> None:
    remember(scene, UsageOwed("x" * 501))
    assert RefusedCall.objects.get().detail == "x" * 500
    assert QuotaExhausted.code == "quota_exhausted"


def test_whatever_holds_the_text_of_a_key_it_is_left_out(scene: Scene) -> None:
    key = scene.desk.key
    refusal = ModelUnknown(f"The model '{key}' is not on the rate card")
    remember_refusal(
        gateway=scene.desk.gateway, key_text=key, request_id=f"r_{key}", model=key, refusal=refusal, at=T0
    )
    row = RefusedCall.objects.get()
    assert (row.request_id, row.model) == ("r_sk-cp-…", "sk-cp-…")
    assert row.detail == "The model 'sk-cp-…' is not on the rate card"
