"""The settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenplan_litellm.settings import Settings, SettingWrong, settings_from

NEEDED = {"TOKENPLAN_URL": "https://plan.example/", "TOKENPLAN_GATEWAY_KEY": "gw-1"}


def test_two_settings_are_needed_and_the_rest_has_defaults() -> None:
    assert settings_from(NEEDED) == Settings(
        url="https://plan.example",
        gateway_key="gw-1",
        outbox=Path("tokenplan-outbox.sqlite3").absolute(),
        mode="per_call",
        lease_nanousd=500_000_000,
        lease_seconds=60,
        patience=5,
        output_tokens=4096,
        hold_seconds=None,
    )
    assert settings_from(NEEDED).keep_seconds == 900


def test_each_can_be_set() -> None:
    found = settings_from(
        {
            **NEEDED,
            "TOKENPLAN_MODE": "lease",
            "TOKENPLAN_OUTBOX": "/var/lib/outbox",
            "TOKENPLAN_LEASE_NANOUSD": "7",
            "TOKENPLAN_LEASE_SECONDS": "10",
            "TOKENPLAN_PATIENCE_SECONDS": "0",
            "TOKENPLAN_OUTPUT_TOKENS": " 9 ",
            "TOKENPLAN_HOLD_SECONDS": "60",
        }
    )
    expected = Settings("https://plan.example", "gw-1", Path("/var/lib/outbox"), "lease", 7, 10, 0, 9, 60)
    assert found == expected
    assert found.keep_seconds == 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENPLAN_URL", ""),
        ("TOKENPLAN_URL", "plan.example"),
        ("TOKENPLAN_GATEWAY_KEY", " "),
        ("TOKENPLAN_MODE", "sometimes"),
        ("TOKENPLAN_LEASE_NANOUSD", "0"),
        ("TOKENPLAN_LEASE_SECONDS", "9"),
        ("TOKENPLAN_PATIENCE_SECONDS", "-1"),
        ("TOKENPLAN_OUTPUT_TOKENS", "4k"),
        ("TOKENPLAN_HOLD_SECONDS", "9"),
    ],
)
def test_a_wrong_one_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingWrong, match=name):
        settings_from({**NEEDED, name: value})
