"""Why nothing could be held, and when it can be."""

from __future__ import annotations

from datetime import datetime
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quota.errors import LargerThanTheWindow, NoUsableResources, QuotaExhausted, TooManyAgents
from quota.hot_path.catalog import PlanTerms
from quota.hot_path.state import SeatUsage
from quota.models import Account
from quota.windows import FOREVER


def check_agents(usage: SeatUsage, plan: PlanTerms, agent: str, at: datetime) -> None:
    """Raises TooManyAgents where the plan enforces its guideline."""
    if not plan.agents_enforced:
        return
    at_work = usage.agents(at)
    if agent not in at_work and len(at_work) >= plan.agents[1]:
        lapses = min(live.agent_until for live in usage.at_work(at))
        raise TooManyAgents(
            ngettext(
                "%(plan)s allows %(agents)s agent at once; wait until it has finished",
                "%(plan)s allows %(agents)s agents at once; wait until one has finished",
                plan.agents[1],
            )
            % {"plan": plan.name, "agents": plan.agents[1]},
            retry_after=_seconds(at, lapses),
            windows=usage.windows(plan.limits, at),
        )


def no_room(
    usage: SeatUsage, plan: PlanTerms | None, nanousd: int, *, usable: int, account: Account, at: datetime
) -> NoUsableResources | QuotaExhausted | LargerThanTheWindow:
    """Why `nanousd` cannot be held at `at`, though lots of the account may pay `usable` of it."""
    if plan is None:
        if usable:
            return NoUsableResources(
                _("The call may cost %(cost)s, of which %(usable)s can be paid")
                % {"cost": account.words(nanousd), "usable": account.words(usable)}
            )
        if account is Account.BALANCE:
            return NoUsableResources(_("The API balance is empty, or this key's cap is reached"))
        return NoUsableResources()
    needed = max(nanousd - usable, 1)
    windows = usage.windows(plan.limits, at)
    moments = [usage.fits_at(limit, needed, at) or FOREVER for limit in plan.limits]
    # The window that will be the last to have room; one that never will comes last of all.
    last = max(range(len(windows)), key=lambda i: (moments[i], windows[i].limit.nanousd))
    window, fits = windows[last], moments[last]
    about = {"window": window.limit.label, "plan": plan.name, "moment": fits.isoformat()}
    if fits == FOREVER:
        detail = _(
            "The call may cost more than the whole %(window)s window of %(plan)s holds, and Credits do not "
            "cover it"
        )
        return LargerThanTheWindow(detail % about, window=window, windows=windows)
    # Where calls are in the way that will be charged unless they are reported, it is worth asking when they
    # ought to have been.
    worth_asking = max(usage.may_fit_at(limit, needed, at) or fits for limit in plan.limits)
    detail = _("The %(window)s window of %(plan)s has no room for this call; it fits at %(moment)s")
    return QuotaExhausted(
        detail % about,
        retry_after=_seconds(at, worth_asking),
        window=window,
        windows=windows,
        plan_name=plan.name,
        fits_at=fits,
    )


def _seconds(at: datetime, moment: datetime) -> int:
    """Whole seconds to wait, never too few and never none."""
    return max(1, ceil((moment - at).total_seconds()))
