"""Versions of plans, with their limits and prices: a draft is made, changed, and published after it was shown
beside the version on sale. What is published is read-only; it can only be withdrawn from sale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.admin.forms import PlanVersionForm, PublishForm
from billing.models import Price
from billing.price_lists import INTERVALS, Amounts
from billing.selectors.plan_versions import holders_of, publication
from billing.services.plans import change_draft, draft_version
from billing.workflows.plans import publish_plan
from quota.admin.columns import usd
from quota.models import Plan, PlanLimit
from quota.plan_terms import VersionTerms
from quota.services.plans import discard_draft, withdraw_plan
from teams.models import User
from tokenplan.kit.admin import Preview, ReadOnlyInline, ReasonForm, Verb, VerbsAdmin


def _is_draft(plan: Plan) -> bool:
    return plan.published_at is None


def _is_published(plan: Plan) -> bool:
    return plan.published_at is not None


def _terms(plan: Plan, values: Mapping[str, Any]) -> VersionTerms:
    return replace(
        plan.terms,
        name=values["name"],
        agents=(values["agents_min"], values["agents_max"]),
        agents_enforced=values["agents_enforced"],
        limits=tuple(replace(limit, nanousd=values[f"limit_{limit.name}"]) for limit in plan.terms.limits),
    )


def _amounts(values: Mapping[str, Any]) -> Amounts:
    return {interval: values[interval] for interval in INTERVALS}


def _new_version(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    terms, amounts = _terms(plan, values), _amounts(values)
    made = draft_version(terms=terms, amounts=amounts, reason=values["reason"], at=at, by=by)
    return gettext("%(plan)s is a draft. Nothing on sale has changed; publish it from its own page.") % {
        "plan": made
    }


def _change(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    terms, amounts = _terms(plan, values), _amounts(values)
    changed = change_draft(plan=plan, terms=terms, amounts=amounts, reason=values["reason"], at=at, by=by)
    return gettext("The draft %(plan)s is changed.") % {"plan": changed}


def _preview_publication(plan: Plan, values: Mapping[str, Any]) -> Preview:
    shown = publication(plan, timezone.now())
    head = ["", str(shown.on_sale or gettext("Nothing on sale")), str(shown.draft)]
    rows = [[line.label, line.before or "–", line.after or "–"] for line in shown.lines]
    kept = [gettext("Whoever has an earlier version keeps it, at its price, until they change their plan.")]
    kept += _seats(plan, shown.holders)
    return Preview([gettext("%(plan)s goes on sale.") % {"plan": shown.draft}, *kept], [head, *rows])


def _seats(plan: Plan, holders: Mapping[int, int]) -> list[str]:
    """How many seats have each version."""
    return [
        ngettext(
            "%(count)s seat has %(plan)s v%(version)s.", "%(count)s seats have %(plan)s v%(version)s.", count
        )
        % {"count": count, "plan": plan.name, "version": version}
        for version, count in holders.items()
    ]


def _publish(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    published = publish_plan(plan=plan, digest=values["digest"], reason=values["reason"], at=at, by=by)
    return gettext("%(plan)s is on sale. Seats on earlier versions keep theirs.") % {"plan": published}


def _discard(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    discard_draft(plan=plan, reason=values["reason"], at=at, by=by)
    return gettext("The draft %(plan)s is discarded.") % {"plan": plan}


def _preview_withdrawal(plan: Plan, values: Mapping[str, Any]) -> list[str]:
    first = gettext("Nobody can buy %(plan)s until a newer version is published. Whoever has it keeps it.")
    return [first % {"plan": plan}, *_seats(plan, holders_of(plan.code, timezone.now()))]


def _withdraw(plan: Plan, values: Mapping[str, Any], by: User, at: datetime) -> str:
    withdraw_plan(plan=plan, reason=values["reason"], at=at, by=by)
    return gettext("%(plan)s is not on sale any more.") % {"plan": plan}


LIMIT = usd("limit_nanousd", _("Limit"))
PRICE = usd("amount_nanousd", _("Price"))


class LimitInline(ReadOnlyInline):
    model = PlanLimit
    fields = ("name", "policy", "length_seconds", "anchor", LIMIT)
    readonly_fields = (LIMIT,)


class PriceInline(ReadOnlyInline):
    model = Price
    fields = ("interval", PRICE, "lookup_key", "stripe_id")
    readonly_fields = (PRICE,)
    show_change_link = False


@admin.register(Plan)
class PlanAdmin(VerbsAdmin[Plan]):
    list_display = ("name", "code", "version", "rank", "agents_min", "agents_max", "sellable", "published_at")
    list_filter = ("sellable", "code")
    inlines = (LimitInline, PriceInline)
    verbs = (
        Verb("new-version", _("Draft a new version"), PlanVersionForm, _new_version, fits=_is_published),
        Verb("change-draft", _("Change the draft"), PlanVersionForm, _change, fits=_is_draft),
        Verb("publish", _("Publish"), PublishForm, _publish, _preview_publication, _is_draft),
        Verb("discard", _("Discard the draft"), ReasonForm, _discard, fits=_is_draft),
        Verb(
            "withdraw",
            _("Withdraw from sale"),
            ReasonForm,
            _withdraw,
            _preview_withdrawal,
            lambda plan: plan.sellable,
        ),
    )
