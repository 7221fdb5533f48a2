"""The settings of the plug-in, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODES = ("per_call", "lease")
NANOUSD_A_DOLLAR = 1_000_000_000
# What the console gives a call that talks, unless it is asked for another time.
USUAL_HOLD = 900


class SettingWrong(Exception):
    """A setting is missing or not usable; the text names it."""


@dataclass(frozen=True)
class Settings:
    """`lease_nanousd` is what one lease holds, for `lease_seconds`. `patience` is for how many seconds an
    authorize is sent again while the console is away. `output_tokens` is what a call is thought to answer at
    most, where neither it nor the rate card says. A call holds for `hold_seconds`, or for as long as the
    console says where that is None, and is kept up while it runs.
    """

    url: str
    gateway_key: str
    outbox: Path
    mode: str = "per_call"
    lease_nanousd: int = NANOUSD_A_DOLLAR // 2
    lease_seconds: int = 60
    patience: int = 5
    output_tokens: int = 4096
    hold_seconds: int | None = None

    @property
    def keep_seconds(self) -> int:
        """For how long a hold of a call that runs long is lengthened each time."""
        return self.hold_seconds or USUAL_HOLD


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Reads the `TOKENPLAN_…` variables. Raises SettingWrong."""
    url = _needed(environment, "TOKENPLAN_URL").rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise SettingWrong("TOKENPLAN_URL is the console's address, such as https://plan.example")
    mode = environment.get("TOKENPLAN_MODE") or "per_call"
    if mode not in MODES:
        raise SettingWrong(f"TOKENPLAN_MODE is one of {', '.join(MODES)}, not {mode}")
    return Settings(
        url=url,
        gateway_key=_needed(environment, "TOKENPLAN_GATEWAY_KEY"),
        outbox=Path(environment.get("TOKENPLAN_OUTBOX") or "tokenplan-outbox.sqlite3").absolute(),
        mode=mode,
        lease_nanousd=_number(environment, "TOKENPLAN_LEASE_NANOUSD", Settings.lease_nanousd, 1),
        lease_seconds=_number(environment, "TOKENPLAN_LEASE_SECONDS", Settings.lease_seconds, 10),
        patience=_number(environment, "TOKENPLAN_PATIENCE_SECONDS", Settings.patience, 0),
        output_tokens=_number(environment, "TOKENPLAN_OUTPUT_TOKENS", Settings.output_tokens, 1),
        hold_seconds=_number(environment, "TOKENPLAN_HOLD_SECONDS", 0, 10) or None,
    )


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise SettingWrong(f"{name} is not set")
    return value


def _number(environment: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise SettingWrong(f"{name} is a whole number from {least}, not {text}")
    return int(text)
