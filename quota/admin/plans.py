"""Plans: read-only, because seats keep the version that they have; a change is a new version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.admin.fields import UsdField
from quota.models import Plan, PlanLimit
from quota.money import usd_text
from quota.services.plans import create_plan_version
from quota.windows import Limit
from teams.models import User
from tokenplan.kit.admin import ReadOnlyInline, Verb, VerbsAdmin


class PlanVersionForm(forms.Form):
    """What a new version changes. Its windows stay the same kind; a field each says how much."""

    name = forms.CharField(max_length=50)
    agents_min = forms.IntegerField(label=_("Agents at once, from"), min_value=1, max_value=1000)
    agents_max = forms.IntegerField(label=_("Agents at once, to"), min_value=1, max_value=1000)
    agents_enforced = forms.BooleanField(label=_("Refuse calls of more agents than that"), required=False)

    def __init__(self, plan: Plan, data: Any) -> None:
        names = ("name", "agents_min", "agents_max", "agents_enforced")
        initial = {name: getattr(plan, name) for name in names}
        limits = list(plan.limits.all())
        initial |= {f"limit_{limit.name}": usd_text(limit.limit_nanousd) for limit in limits}
        super().__init__(data, initial=initial)
        for limit in limits:
            self.fields[f"limit_{limit.name}"] = UsdField(
                label=gettext("Quota of %(limit)s, in dollars") % {"limit": limit.name}
            )

    def clean(self) -> None:
        low, high = self.cleaned_data.get("agents_min"), self.cleaned_data.get("agents_max")
        if low and high and low > high:
            self.add_error("agents_max", gettext("The guideline ends at or above where it begins."))


def _new_version(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    limits = [Limit(limit.name, limit.rule, values[f"limit_{limit.name}"]) for limit in plan.limits.all()]
    made = create_plan_version(
        code=plan.code,
        name=values["name"],
        rank=plan.rank,
        agents=(values["agents_min"], values["agents_max"]),
        agents_enforced=values["agents_enforced"],
        limits=limits,
        at=at,
        by=by,
    )
    return gettext("%(plan)s is on sale. Seats on earlier versions keep theirs.") % {"plan": made}


class LimitInline(ReadOnlyInline):
    model = PlanLimit
    fields = ("name", "policy", "length_seconds", "anchor", "limit_nanousd")


@admin.register(Plan)
class PlanAdmin(VerbsAdmin[Plan]):
    list_display = ("name", "code", "version", "rank", "agents_min", "agents_max", "sellable", "created_at")
    list_filter = ("sellable", "code")
    inlines = (LimitInline,)
    verbs = (Verb("new-version", _("Make a new version"), PlanVersionForm, _new_version),)
