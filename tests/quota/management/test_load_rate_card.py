"""`manage.py load_rate_card`: from when a list is in force, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import time_machine

from quota.management.commands.load_rate_card import SHIPPED
from quota.models import RateCard
from teams.models import AuditEntry
from tests.helpers.catalog import refused, said, written
from tests.helpers.factories import RATE_CARD, T0

pytestmark = pytest.mark.django_db


def test_the_first_price_list_is_in_force_from_ever() -> None:
    assert said("load_rate_card") == ["Loaded 32 prices, in force from 1970-01-01 00:00 UTC."]
    assert said("load_rate_card") == ["This list is loaded already, in force from 1970-01-01 00:00 UTC."]


def test_a_later_price_list_is_in_force_from_now_or_from_when_it_says(tmp_path: Path) -> None:
    said("load_rate_card")
    other = written(tmp_path, RATE_CARD)
    with time_machine.travel(T0, tick=False):
        assert said("load_rate_card", other)[0].endswith("from 2026-06-03 10:02 UTC.")
        assert said("load_rate_card", "--effective-from", "2026-07-01")[0].endswith(
            "from 2026-07-01 00:00 UTC."
        )
    assert RateCard.objects.count() == 3


def test_a_price_list_is_refused_with_its_line(tmp_path: Path) -> None:
    wrong = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,free")
    assert refused("load_rate_card", written(tmp_path, wrong)).startswith("Line 8:")
    assert "not a date" in refused("load_rate_card", "--effective-from", "soon")
    assert not RateCard.objects.exists()


def test_a_list_that_a_spreadsheet_has_saved_is_the_same_list(tmp_path: Path) -> None:
    said("load_rate_card")
    file = tmp_path / "list.csv"
    file.write_bytes(b"\xef\xbb\xbf" + SHIPPED.read_bytes().replace(b"\n", b"\r\n"))
    assert said("load_rate_card", str(file)) == [
        "This list is loaded already, in force from 1970-01-01 00:00 UTC."
    ]
    file.write_bytes(SHIPPED.read_text().encode("utf-16"))
    assert "is not text in UTF-8" in refused("load_rate_card", str(file))
    assert RateCard.objects.count() == 1


def test_a_dry_run_shows_what_would_change_and_writes_nothing(tmp_path: Path) -> None:
    said("load_rate_card", written(tmp_path, RATE_CARD))
    kept = [line for line in RATE_CARD.splitlines() if not line.startswith("painter")]
    other = "\n".join([*kept, "singer,music,songs,1,0.05,,"])
    other = other.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
    with time_machine.travel(T0, tick=False):
        lines = said(
            "load_rate_card", written(tmp_path, other), "--effective-from", "2026-07-01", "--dry-run"
        )
    assert lines == [
        "In force from 2026-07-01 00:00 UTC, in place of the rate card of 1970-01-01 00:00 UTC:",
        "  new:     singer songs: $0.05 for 1 (music)",
        "  gone:    painter images: $0.0035 for 1 (image)",
        "  changed: penny calls: $0.01 for 1 (language) -> $0.02 for 1 (language)",
        "Nothing was written.",
    ]
    assert (RateCard.objects.count(), AuditEntry.objects.count()) == (1, 1)


def test_a_dry_run_shows_default_holds_and_aliases_too(tmp_path: Path) -> None:
    header = "model,modality,meter,unit_size,usd_per_unit,context_over,note,alias_of"
    penny = [
        header,
        "penny,language,calls,1,0.01,,,",
        "penny,language,default_hold,1,0.05,,,",
        "cent,,,,,,,penny",
    ]
    said("load_rate_card", written(tmp_path, "\n".join(penny)))
    other = [header, penny[1], "dime,language,calls,1,0.1,,,", "cent,,,,,,,dime", "coin,,,,,,,penny"]
    lines = said("load_rate_card", written(tmp_path, "\n".join(other)), "--dry-run")
    assert lines[1:-1] == [
        "  new:     alias coin: penny",
        "  new:     dime calls: $0.10 for 1 (language)",
        "  gone:    penny default_hold: $0.05 for 1 (language)",
        "  changed: alias cent: penny -> dime",
    ]


def test_a_wrong_card_is_withdrawn_until_it_is_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said("load_rate_card")
    with time_machine.travel(T0, tick=False) as clock:
        said("load_rate_card", written(tmp_path, RATE_CARD), "--effective-from", "2026-07-01")
        assert (
            said("withdraw_rate_card", "2026-07-01")[-1]
            == "The rate card of 2026-07-01 00:00 UTC is withdrawn."
        )
        said(
            "load_rate_card", written(tmp_path, RATE_CARD + "x,y,z,1,1,,\n"), "--effective-from", "2026-07-01"
        )
        clock.move_to("2026-07-01T00:00:00Z")
        for options in ([], ["--dry-run"]):
            capsys.readouterr()
            assert "in force already" in refused("withdraw_rate_card", "2026-07-01", *options)
            assert capsys.readouterr().out == ""


def test_a_dry_run_names_tiers_and_the_cards_around(tmp_path: Path) -> None:
    tiers = RATE_CARD.replace("input_tokens,1000000,0.60,512000", "input_tokens,1000000,0.65,512000")
    with time_machine.travel(T0, tick=False):
        first = said("load_rate_card", written(tmp_path, RATE_CARD), "--dry-run")
        assert first[0] == "In force from 1970-01-01 00:00 UTC, as the first:"
        assert (len(first), RateCard.objects.count()) == (11, 0)
        said("load_rate_card", written(tmp_path, RATE_CARD))
        assert said("load_rate_card", written(tmp_path, RATE_CARD), "--dry-run") == [
            "This list is loaded already, in force from 1970-01-01 00:00 UTC."
        ]
        said("load_rate_card", "--effective-from", "2026-08-01")
        changed = said(
            "load_rate_card", written(tmp_path, tiers), "--effective-from", "2026-07-01", "--dry-run"
        )
    assert changed == [
        "In force from 2026-07-01 00:00 UTC until 2026-08-01 00:00 UTC,"
        " in place of the rate card of 1970-01-01 00:00 UTC:",
        "  changed: talker input_tokens, input over 512,000 tokens: $0.60 for 1,000,000 (language)"
        " -> $0.65 for 1,000,000 (language)",
        "Nothing was written.",
    ]


def test_what_withdrawing_would_change_is_shown_too(tmp_path: Path) -> None:
    with time_machine.travel(T0, tick=False):
        said("load_rate_card", written(tmp_path, RATE_CARD))
        later = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
        said("load_rate_card", written(tmp_path, later), "--effective-from", "2026-07-01")
        before = AuditEntry.objects.count()
        assert said("withdraw_rate_card", "2026-07-01", "--dry-run") == [
            "From 2026-07-01 00:00 UTC the rate card of 1970-01-01 00:00 UTC stays in force:",
            "  changed: penny calls: $0.02 for 1 (language) -> $0.01 for 1 (language)",
            "Nothing was written.",
        ]
        assert (AuditEntry.objects.count(), RateCard.objects.live().count()) == (before, 2)
        assert "Not in force yet: 2026-07-01T00:00:00+00:00" in refused("withdraw_rate_card", "2026-07-02")
