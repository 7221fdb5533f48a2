"""The format of the log."""

import logging

import pytest

from tokenplan.log import LineFormatter


@pytest.mark.parametrize(
    "key",
    [
        "sk-cp-abcdef0123456789ABCDEF",
        "gw-abcdef0123",
        "pat-abcdef0123",
        "sk-api-a1b2c3d4",
        "sk_test_a1b2c3d4",
        "sk_live_a1b2c3d4",
        "rk_live_a1b2c3d4",
        "whsec_a1b2c3d4",
    ],
)
def test_credentials_are_hidden_and_an_event_is_one_line(key: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "refused %s\nand more", (key,), None)
    line = LineFormatter().format(record)
    assert key not in line
    assert "…" in line
    assert "\n" not in line
