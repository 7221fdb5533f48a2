"""Rows and bars as the API's JSON."""

from __future__ import annotations

from typing import Any

from quota.answers import moment, windows_answer
from quota.models import UsageEvent
from quota.money import credits_text
from quota.selectors.bar import Bar


def receipt_answer(event: UsageEvent) -> dict[str, Any]:
    """A receipt (api.md). Windows and prices are as they were stored with the charge."""
    return {
        "id": str(event.pk),
        "model": event.model,
        "modality": event.modality,
        "agent": event.agent,
        "usage": event.usage,
        "amount_nanousd": event.amount_nanousd,
        "from_quota_nanousd": event.from_quota_nanousd,
        "from_credits_nanousd": event.from_credits_nanousd,
        "overrun_nanousd": event.overrun_nanousd,
        "prices": event.prices,
        "windows_before": event.windows_before,
        "windows_after": event.windows_after,
        "occurred_at": moment(event.occurred_at),
        "recorded_at": moment(event.recorded_at),
    }


def usage_answer(bar: Bar) -> dict[str, Any]:
    """The usage bar of a member in a Team."""
    team, plan, pool = bar.membership.team, bar.plan, bar.credits
    return {
        "team": {"slug": team.slug, "name": team.name},
        "seat": {
            "plan": plan.code,
            "name": plan.name,
            "ends_at": moment(bar.ends_at) if bar.ends_at else None,
            "renews_at": moment(bar.renews_at) if bar.renews_at else None,
        }
        if plan
        else None,
        "suspended": bar.suspended,
        "usable": bar.usable,
        "windows": windows_answer(bar.windows),
        "agents": {
            "active": bar.agents,
            "guideline": list(plan.agents) if plan else None,
            "enforced": plan.agents_enforced if plan else False,
        },
        "credits": {
            "access": pool.access,
            "balance": credits_text(pool.balance),
            "usable": credits_text(pool.usable),
            "overflow": pool.overflow,
            "month_cap": None if pool.month_cap is None else credits_text(pool.month_cap),
            "month_used": credits_text(pool.month_used),
        },
    }
