"""The usage bar as the API answers it: what a member may use in a Team now."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from quota.api.fields import WindowSerializer
from quota.money import credits_text
from quota.selectors.usage_bar import UsageBar
from quota.stored_json import moment_json, windows_json
from tokenplan.kit.api import Shape


def usage_bar_json(bar: UsageBar) -> dict[str, Any]:
    """The usage bar of a member in a Team."""
    team, plan, pool = bar.membership.team, bar.plan, bar.credits
    return {
        "team": {"slug": team.slug, "name": team.name},
        "seat": {
            "plan": plan.code,
            "name": plan.name,
            "ends_at": moment_json(bar.ends_at) if bar.ends_at else None,
            "renews_at": moment_json(bar.renews_at) if bar.renews_at else None,
        }
        if plan
        else None,
        "suspended": bar.suspended,
        "usable": bar.usable,
        "windows": windows_json(bar.windows),
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
            "owed": credits_text(bar.owed),
        },
    }


class UsageTeamSerializer(Shape):
    slug = serializers.CharField()
    name = serializers.CharField()


class UsageSeatSerializer(Shape):
    plan = serializers.CharField()
    name = serializers.CharField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Null: until further notice.")
    renews_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next paid period begins; null where none is to."
    )


class AgentsSerializer(Shape):
    active = serializers.IntegerField()
    guideline = serializers.ListField(
        child=serializers.IntegerField(), min_length=2, max_length=2, allow_null=True
    )
    enforced = serializers.BooleanField()


class UsageCreditsSerializer(Shape):
    """Credits, as decimal strings."""

    access = serializers.BooleanField()
    balance = serializers.CharField()
    usable = serializers.CharField(help_text="What this member could still draw now.")
    overflow = serializers.ChoiceField(["allow", "never"])
    month_cap = serializers.CharField(allow_null=True)
    month_used = serializers.CharField()
    owed = serializers.CharField(
        help_text="Used without a seat and not paid; until it is, every call is refused (`usage_owed`)."
    )


class UsageSerializer(Shape):
    """The usage bar."""

    team = UsageTeamSerializer()
    seat = UsageSeatSerializer(allow_null=True)
    suspended = serializers.BooleanField(help_text="The seat waits for a payment.")
    usable = serializers.BooleanField(help_text="Whether a small call would be allowed now.")
    windows = WindowSerializer(many=True)
    agents = AgentsSerializer()
    credits = UsageCreditsSerializer()
