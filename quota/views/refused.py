"""One's own refused calls: in plain words why, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.models import RefusedCall
from quota.querysets import RefusedCallQuerySet
from quota.selectors.refused_calls import Refused, calls_found, refused_calls
from quota.services.refusals import FORGED, KEPT_FOR
from quota.usage_forms import RefusedForm
from teams.permissions import Right
from teams.views.base import TeamRequest, show_fresh, team_page
from tokenplan.kit.csv_answers import csv_file, moment_cell
from tokenplan.kit.pages import page_of
from tokenplan.kit.transactions import streamed

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a call was refused, and what helps; `page` is the name of the page where it is done."""

    why: StrOrPromise
    helps: StrOrPromise
    page: str = ""
    label: StrOrPromise = ""


YOUR_BAR = _("Your usage bar")
SEND_AGAIN = _("Nothing is wrong with your key. Send the call again; if it stays so, tell the operator.")
EXPLAINED = {
    "quota_exhausted": Explained(
        _("A window had no room for the call, and Credits did not pay for the rest."),
        _("Wait until the bar says that there is room, use Credits, or get a higher seat."),
        "account",
        YOUR_BAR,
    ),
    "larger_than_the_window": Explained(
        _("The call alone was larger than a whole window, and Credits did not pay for the rest."),
        _("Ask for less at once, use Credits, or get a higher seat."),
        "account",
        YOUR_BAR,
    ),
    "no_usable_resources": Explained(
        _("There was nothing to spend: no seat that works, and no or too few Credits that you may use."),
        _("Get a seat, or Credits. The same key works as soon as there are some."),
        "account",
        YOUR_BAR,
    ),
    "usage_owed": Explained(
        _("Earlier calls used more than Credits covered, and that is owed."),
        _("The next Credits of the Team pay it; then the key works again."),
        "account",
        YOUR_BAR,
    ),
    "too_many_agents": Explained(
        _("More agents were at work than the plan allows at once."),
        _("Wait until one has finished, or get a higher seat."),
        "account",
        YOUR_BAR,
    ),
    "model_unknown": Explained(
        _("There is no model of this name on the price list."),
        _("Check the name of the model in your tool."),
        "models",
        _("Models & prices"),
    ),
    "usage_invalid": Explained(
        _("What the call was to use has no price, or cost more than one call may."),
        _("Check the model and the size of the call in your tool."),
        "models",
        _("Models & prices"),
    ),
    "key_invalid": Explained(
        _("The key in the tool was replaced, revoked or mistyped."),
        _("Copy the key that works now into the tool."),
        "account",
        _("Your keys"),
    ),
    FORGED: Explained(
        _("Somebody sent your key's id with another secret. Nothing was given for it."),
        _("If it was no slip of yours, rotate the key."),
        "account",
        _("Your keys"),
    ),
    "lease_not_allowed": Explained(
        _("The gateway asked for many calls at once, and this plan wants each asked for."), SEND_AGAIN
    ),
    "request_id_reused": Explained(_("The gateway used the number of one call for another."), SEND_AGAIN),
    "reservation_closed": Explained(_("The gateway asked again for a call that was over."), SEND_AGAIN),
}
OTHER = Explained(_("The gateway sent what could not be read."), SEND_AGAIN)
EXPLAINED["invalid"] = OTHER


@team_page(get=Right.USE)
def own_refused(request: TeamRequest) -> HttpResponse:
    """What was refused to one's own key in the last seven days, the latest first, or what is asked for."""
    refused = refused_calls(request.membership, timezone.now() - KEPT_FOR)
    form = _form(request, refused)
    page = page_of(_found(form, refused), request)
    context = {
        "form": form,
        "page": page,
        "rows": [(call, EXPLAINED.get(call.code, OTHER)) for call in page.rows],
        "counts": [(code, EXPLAINED.get(code, OTHER), count) for code, count in refused.counts.items()],
        "forged": EXPLAINED[FORGED] if FORGED in refused.counts else None,
        "forged_code": FORGED,
    }
    return show_fresh(request, "quota/own_refused.html", context)


@team_page(get=Right.USE)  # type: ignore[arg-type]  # an answer that is streamed is one too
def refused_csv(request: TeamRequest) -> HttpResponseBase:
    """All of what is asked for, for a spreadsheet."""
    refused = refused_calls(request.membership, timezone.now() - KEPT_FOR)
    found = _found(_form(request, refused), refused).order_by("-at", "-pk")
    heading = (
        *(gettext("When (UTC)"), gettext("Model"), gettext("Why")),
        *(gettext("Detail"), gettext("Code"), gettext("What helps")),
    )
    rows = (_cells(call) for call in streamed(found))
    return csv_file(f"refused-{request.team.slug}.csv", heading, rows)


def _cells(call: RefusedCall) -> tuple[str, ...]:
    explained = EXPLAINED.get(call.code, OTHER)
    why, helps = str(explained.why), str(explained.helps)
    return (moment_cell(call.at), call.model, why, call.detail, call.code, helps)


def _form(request: TeamRequest, refused: Refused) -> RefusedForm:
    """Validated. Of texts with another secret there are no calls to show."""
    codes = [code for code in refused.counts if code != FORGED]
    form = RefusedForm(request.GET, [(code, EXPLAINED.get(code, OTHER).why) for code in codes])
    form.is_valid()
    return form


def _found(form: RefusedForm, refused: Refused) -> RefusedCallQuerySet:
    """What the form asks for; a field that cannot be read asks for nothing."""
    since, until = form.moments()
    asked = form.cleaned_data
    return calls_found(
        refused.calls,
        code=asked.get("reason", ""),
        model=asked.get("model", ""),
        since=since,
        until=until,
    )
