"""Every figure that a document names, read from where it is kept: no text has one typed into it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from billing.change_requests import MAX_SEATS
from billing.money import CREDITS_PER_PACK, LEAST_CHARGE_NANOUSD, PACKS
from billing.selectors.offers import months_free, offers
from billing.services.overdue import GRACE
from billing.services.top_ups import MAX_FAILURES
from billing.workflows.change_previews import LEAST_BILLED
from billing.workflows.changes import SHOWN_FOR
from quota.hot_path.events import MAX_LATE
from quota.money import NANOUSD_PER_CREDIT, NANOUSD_PER_USD
from quota.services.credits import LOT_LIFETIME
from quota.services.refusals import KEPT_FOR
from quota.windows import Limit
from teams.services.access_tokens import LONGEST_DAYS
from teams.services.invitations import LIFETIME as INVITATION_LIFETIME
from teams.services.keys import DEFAULT_OVERLAP, MAX_OVERLAP


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """A window of the plans on sale, however much it allows."""

    name: str
    policy: str
    length_seconds: int
    anchor: datetime | None

    @property
    def is_weekly(self) -> bool:
        return self.days == 7

    @property
    def hours(self) -> int:
        return self.length_seconds // 3600

    @property
    def days(self) -> int:
        return self.length_seconds // 86_400


@dataclass(frozen=True, slots=True)
class OfferFigures:
    """A plan on sale. `quotas` are nano-dollars, in the order of the windows of all plans; None where it has
    no such window.
    """

    name: str
    month_nanousd: int
    year_nanousd: int
    agents_min: int
    agents_max: int
    quotas: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Those of the data, which change, and those of the code."""

    offers: tuple[OfferFigures, ...]
    windows: tuple[WindowFigures, ...]
    months_free: int
    test_cards: bool
    credits_per_dollar: int = NANOUSD_PER_USD // NANOUSD_PER_CREDIT
    credits_per_pack: int = CREDITS_PER_PACK
    pack_nanousd: int = PACKS["credits"].nanousd
    most_packs: int = PACKS["credits"].most
    balance_least_nanousd: int = PACKS["balance"].least_nanousd
    balance_most_nanousd: int = PACKS["balance"].most_nanousd
    lot_days: int = LOT_LIFETIME.days
    grace_days: int = GRACE.days
    invitation_days: int = INVITATION_LIFETIME.days
    overlap_hours: int = MAX_OVERLAP // timedelta(hours=1)
    usual_overlap_hours: int = DEFAULT_OVERLAP // timedelta(hours=1)
    proof_minutes: int = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT // 60
    least_billed_days: int = LEAST_BILLED.days
    least_charge_nanousd: int = LEAST_CHARGE_NANOUSD
    preview_minutes: int = SHOWN_FOR // timedelta(minutes=1)
    most_seats: int = MAX_SEATS
    top_up_failures: int = MAX_FAILURES
    refusals_days: int = KEPT_FOR.days
    late_days: int = MAX_LATE.days
    token_days: int = LONGEST_DAYS
    hold_minutes: int = settings.RESERVATION_LIFETIME_SECONDS // 60

    @property
    def context(self) -> dict[str, Any]:
        """As templates name them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def figures() -> Figures:
    """As they are now."""
    on_sale = offers()
    windows = list(dict.fromkeys(_window(limit) for offer in on_sale for limit in offer.limits))
    rows = []
    for offer in on_sale:
        quotas = {_window(limit): limit.nanousd for limit in offer.limits}
        rows.append(
            OfferFigures(
                name=offer.plan.name,
                month_nanousd=offer.month_nanousd,
                year_nanousd=offer.year_nanousd,
                agents_min=offer.plan.agents_min,
                agents_max=offer.plan.agents_max,
                quotas=tuple(quotas.get(window) for window in windows),
            )
        )
    return Figures(tuple(rows), tuple(windows), months_free(on_sale), settings.LOCAL_STRIPE)


def _window(limit: Limit) -> WindowFigures:
    rule = limit.rule
    return WindowFigures(limit.name, str(rule.policy), rule.length_seconds, rule.anchor)
