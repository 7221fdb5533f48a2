"""What notices say of a window and of Credits, in sentences with exact figures. Pure."""

from __future__ import annotations

from datetime import datetime

from quota.money import credits_words, usd_text
from quota.windows import Policy, QuotaWindow


def moment_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def window_text(window: QuotaWindow) -> dict[str, str | int]:
    """The figures of a window, as a mail's context."""
    return {
        "window": window.limit.label,
        "used": usd_text(window.used),
        "limit": usd_text(window.limit.nanousd),
        "left": usd_text(max(window.limit.nanousd - window.used, 0)),
        "percent": str(window.used_percent),
        "room_comes": room_comes(window),
    }


def room_comes(window: QuotaWindow) -> str:
    """When the window has room again by itself."""
    end = moment_text(window.resets_at)
    if window.limit.rule.policy is Policy.ROLLING:
        release = window.next_release
        if release is None or release.at >= window.resets_at:
            return f"All of it is released at {end}."
        return (
            f"It is released step by step: {usd_text(release.nanousd)} at {moment_text(release.at)}, "
            f"and all that was used so far by {end}."
        )
    return f"The window ends, and the next one begins empty, at {end}."


def credits_sentence(
    *, access: bool, overflow: str, balance: int, usable: int, month_cap: int | None, month_used: int
) -> str:
    """Whether Credits pay for what goes beyond the window, and if not, why. Amounts are nano-dollars."""
    if usable > 0:
        return f"Credits pay for what goes beyond it: you can use {credits_words(usable)} Credits now."
    if not access:
        return "Credits do not pay for what goes beyond it: your access to the Team's Credits is off."
    if overflow != "allow":
        return "Credits do not pay for what goes beyond it: this is switched off, for you or for the Team."
    if month_cap is not None and month_used >= month_cap:
        cap = credits_words(month_cap)
        return f"Credits do not pay for what goes beyond it: your {cap} Credits of this month are used."
    if balance <= 0:
        return "Credits do not pay for what goes beyond it: the Team has none."
    return "Credits do not pay for what goes beyond it now: calls under way may need all that you can use."
