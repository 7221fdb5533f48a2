"""Publishing a plan version: Stripe knows its prices first, then it goes on sale in one transaction."""

from __future__ import annotations

from datetime import datetime

from billing.selectors.plan_versions import publication, refuse_another_draft
from billing.services.plans import put_on_sale
from billing.workflows.catalog import publish_draft_prices
from quota.models import Plan
from teams.models import User


def publish_plan(*, plan: Plan, digest: str, reason: str = "", at: datetime, by: User | None) -> Plan:
    """The draft that `digest` stands for is on sale, and the version before it off.

    Whatever ends it before its last step, the version before stays on sale, and publishing again goes on.
    Raises PlanPublished, PlanNotPriced, PlanDraftChanged, and what Stripe refuses.
    """
    draft = publication(plan, at).draft
    refuse_another_draft(draft, digest)
    publish_draft_prices(draft)
    return put_on_sale(plan=draft, digest=digest, reason=reason, at=at, by=by)
