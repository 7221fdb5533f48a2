"""Many forged texts of one key at once: each is refused, and none waits until another is counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connections, transaction

from quota.models import RefusalCount
from quota.services import refusals
from quota.services.refusals import count_forged, remember_refusal
from teams.errors import KeyInvalid
from teams.models import KeyText
from tests.helpers.factories import T0, Scene, make_scene
from tests.helpers.hot_path import forged

pytestmark = pytest.mark.django_db(transaction=True)


def while_one_is_counted(scene: Scene) -> None:
    """Another forged text of the same key is refused."""

    def refuse() -> None:
        try:
            remember_refusal(
                gateway=scene.desk.gateway,
                key_text=forged(scene.desk.key),
                request_id="r",
                model="penny",
                refusal=KeyInvalid(),
                at=T0,
            )
        finally:
            connections.close_all()

    key: KeyText = scene.owner.keys.get()
    with ThreadPoolExecutor(1) as another, transaction.atomic():
        count_forged(key=key, at=T0)
        another.submit(refuse).result()


def counted() -> list[tuple[str, int]]:
    return list(RefusalCount.objects.values_list("code", "refused"))


def test_a_forged_text_is_not_counted_while_another_is() -> None:
    scene = make_scene()
    for times in (1, 2):
        while_one_is_counted(scene)
        assert counted() == [("secret_forged", times)]


@pytest.mark.slow
def test_control_whoever_counts_all_waits_for_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_BEGIN_COUNTING", "SELECT %s <> ''")
    scene = make_scene()
    with pytest.raises(OperationalError, match="lock timeout"):
        while_one_is_counted(scene)
