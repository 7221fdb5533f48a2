"""What an operator can do about a refused call, a report in quarantine and a lapsed hold."""

from __future__ import annotations

from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quota.models import Reservation
from quota.models.reservations import LAPSED

SEE_DETAIL = _("The detail says what was wrong.")

# By the code of the refusal.
REFUSED = {
    "key_invalid": _("The key was revoked, replaced, or its member has left: they copy the present one."),
    "no_usable_resources": _(
        "The member needs a seat, or access to Credits that are there. The Owner gives both."
    ),
    "usage_owed": _("Earlier usage is owed: the next Credits pay it, or waive it on the person's page."),
    "model_unknown": _("Their tool names a model that is not on the rate card: it has to name another one."),
    "usage_invalid": _("The gateway's estimate names a meter without a price: see the rate card."),
    "quota_exhausted": _(
        "The window has room again by itself, as the detail says. A higher plan, or Credits, help now."
    ),
    "larger_than_the_window": _(
        "The call alone is larger than the window: it has to be smaller, or the plan higher."
    ),
    "too_many_agents": _("The plan allows no more agents at once: it goes on when one has finished."),
    "request_id_reused": _("A mistake of the gateway: it gave two calls the same id."),
    "reservation_closed": _("The gateway repeated a call that is over: nothing is to be done."),
    "lease_not_allowed": _("The gateway has to ask for each call of this plan."),
}

IN_QUARANTINE = {
    "model_unknown": _("Load a rate card with the model and replay, or write it off."),
    "usage_invalid": _("Load a rate card with the meter and replay, or write it off."),
    "reported_too_late": _("It came after 60 days: replay to charge it all the same, or write it off."),
    "occurred_at_out_of_range": _(
        "It came too late, or the gateway's clock is wrong: replay, or write it off."
    ),
    "event_id_reused": _(
        "Another event has its id: ask the gateway's people which one is right, write this one off."
    ),
    "reservation_unknown": _("Its hold is not known here: replay once it is, or write it off."),
    "reservation_settled": _(
        "Its hold was settled with other usage: correct that charge, and write this off."
    ),
    "reservation_released": _("The gateway had said that the call was not made: replay, or write it off."),
    "key_invalid": _("The key did not work at that moment: write it off, unless it ought to have worked."),
}


def of_hold(hold: Reservation, at: datetime) -> str | Promise:
    """What to do about a hold at this moment."""
    if hold.state_at(at) != LAPSED:
        return _("Nothing.")
    if hold.charges_at is not None:
        return _(
            "It is charged as estimated until its usage is reported. Correct the charge if that is wrong."
        )
    return _("It holds nothing any more. If its gateway reports the usage within 60 days, that is charged.")
