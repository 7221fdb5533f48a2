"""The README of the local Stripe names every test card and every room."""

from pathlib import Path

from tokenplan import local_stripe
from tokenplan.local_stripe.objects.events import VERSION
from tokenplan.local_stripe.payments.cards import METHODS

PACKAGE = Path(local_stripe.__file__).parent
README = (PACKAGE / "README.md").read_text()


def test_every_test_card_is_in_the_table_with_what_it_does() -> None:
    for card in METHODS:
        assert f"| {card.spaced} | `{card.token}` | {card.label}" in README


def test_every_room_is_in_the_table() -> None:
    rooms = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    assert rooms
    assert [room for room in rooms if f"| `{room}/` |" not in README] == []


def test_the_version_of_the_api_is_named() -> None:
    assert VERSION in README
