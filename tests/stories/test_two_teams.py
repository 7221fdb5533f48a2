"""Whatever a Team does and is shown is the same whether or not another Team has as much and more beside it,
and changes nothing that the other has.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import Model

from quota.selectors.reconcile import differences
from tests.helpers.factories import MONDAY, make_gateway, make_user, use_test_rate_card
from tests.helpers.life import NOW, Life
from tests.helpers.stripe_says import put_on_sale

pytestmark = pytest.mark.django_db


PENNY, USD = 10_000_000, 1_000_000_000
# What the smaller Team is shown at first, by hand. Nothing of a lot that is frozen or has expired, of a seat
# that another holds, of a hold that has lapsed, of who is gone.
SHOWN: dict[str, object] = {
    "roster": [
        ("olivia@acme.example", "owner", None, True, True, None, 13 * PENNY),
        ("cleo@acme.example", "admin", "max", True, False, None, 0),
        ("bob@shared.example", "member", "max", True, True, 3 * USD, 0),
    ],
    "open": [
        [("new@acme.example", 1), ("newer@acme.example", 1)],
        [("bob@shared.example", "acme"), ("cleo@acme.example", "acme")],
        [("bob@shared.example", 1_000_000)],
    ],
    "seats": [
        ("plus", None, False, [(0, 0)] * 2, [(0, 0)] * 2, []),
        (
            "max",
            "bob@shared.example",
            False,
            [(53 * PENNY, 11 * PENNY)] * 2,
            [(53 * PENNY, 11 * PENNY)] * 2,
            [("bob@shared.example", 50 * PENNY), ("gone@acme.example", 3 * PENNY)],
        ),
        (
            "max",
            "cleo@acme.example",
            False,
            [(8 * PENNY + 1, 4 * PENNY)] * 2,
            [(8 * PENNY + 1, 4 * PENNY)] * 2,
            [("cleo@acme.example", 8 * PENNY + 1), ("cleo@acme.example", 2 * PENNY)],
        ),
        ("plus", None, False, [(0, 0)] * 2, [(0, 0)] * 2, []),
    ],
    "free": 2,
    "crowded": ["bob@shared.example"],
    "balance": 16 * USD - 30 * PENNY,
    "low": [(16 * USD - 30 * PENNY, 100 * USD)],
    "gains": [2 * USD, 1 * USD, 10 * USD, 5 * USD],
    "bought": [("plus", 20 * USD, 1, 0), ("max", 50 * USD, 2, 2)],
    "paid seats": [("plus", None), ("max", "bob@shared.example"), ("max", "cleo@acme.example")],
    "subscription": ("active", False),
    "balance at Stripe": -USD,
    "page": "10,000 Credits",
    "claw back": (USD, USD),
}


def rows_of(life: Life) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that names the Team or one of its seats, members or keys, whatever floor it is of."""
    owned: dict[str, list[tuple[Any, ...]]] = {}
    for floor in ("teams", "quota", "billing"):
        for model in apps.get_app_config(floor).get_models():
            path = path_to_team(model)
            if path is not None:
                rows = model._default_manager.filter(**{path: life.team.pk}).order_by("pk")
                owned[model.__name__] = list(rows.values_list())
    return owned


def path_to_team(model: type[Model]) -> str | None:
    if model.__name__ == "Team":
        return "pk"
    names = {field.name for field in model._meta.get_fields() if field.many_to_one or field.one_to_one}
    if "team" in names:
        return "team"
    for name in ("membership", "seat", "subscription", "payment"):
        if name in names:
            return f"{name}__team"
    return None


@pytest.mark.slow
def test_a_team_lives_the_same_with_another_beside_it() -> None:
    use_test_rate_card(MONDAY)
    put_on_sale()
    gateway, shared = make_gateway(), make_user("bob@shared.example")

    def acme() -> Life:
        return Life("acme", 1, shared, gateway)

    alone = acme()
    with transaction.atomic():
        alone.begin()
        alone.live()
        assert list(differences(NOW)) == []
        transaction.set_rollback(True)

    first = alone.seen[0]
    assert isinstance(first, dict)
    assert {name: first[name] for name in SHOWN} == SHOWN

    before, beside, after = Life("before", 3, shared, gateway), acme(), Life("after", 2, shared, gateway)
    before.begin()
    beside.begin()
    after.begin()
    before.troubled()
    after.troubled()
    of_others = [(life.shown(), rows_of(life)) for life in (before, after)]
    assert all(len(rows) > 20 for _shown, rows in of_others)
    beside.live()

    for number, (seen, expected) in enumerate(zip(beside.seen, alone.seen, strict=True)):
        assert seen == expected, f"look {number}"
    for life, (shown, rows) in zip((before, after), of_others, strict=True):
        assert life.shown() == shown
        assert rows_of(life) == rows
    assert list(differences(NOW)) == []
