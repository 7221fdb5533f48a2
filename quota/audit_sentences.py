"""What entries of the audit log about what may be used say: invitations and API keys with their amounts,
plans of seats, Credits, the API balance.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from quota.ledger_causes import cause_words
from quota.money import credits_words, nanousd_from_credits, usd_text
from teams.audit_sentences import Said, Sentence, plain


def _invited(said: Said) -> str:
    text = _("Invited %(subject)s as %(role)s.")
    if int(said.details.get("times_sent") or 1) > 1:
        text = _("Sent the invitation of %(subject)s as %(role)s again.")
    parts = [text % {"subject": said.subject, "role": said.role()}]
    if said.details.get("plan"):
        parts.append(_("Promised a %(plan)s seat.") % {"plan": said.plan()})
    if said.details.get("credits"):
        parts.append(_("Promised Credits, %(cap)s.") % {"cap": _cap(said)})
    return " ".join(parts)


def _cap(said: Said, name: str = "month_cap_nanousd") -> str:
    cap = said.details.get(name)
    return _("without a cap") if cap is None else _("at most %(cap)s a month") % {"cap": credits_words(cap)}


def _dollar_cap(said: Said) -> str:
    cap = said.details.get("month_cap_nanousd")
    return _("without a cap") if cap is None else _("at most %(cap)s a month") % {"cap": usd_text(cap)}


def _api_key_created(said: Said) -> str:
    return _("Made the API key %(name)s, %(cap)s.") % {"name": said.subject, "cap": _dollar_cap(said)}


def _api_key_changed(said: Said) -> str:
    text = _("Changed the API key %(before)s: it is called %(name)s, %(cap)s.")
    return text % {"before": said.text("before"), "name": said.subject, "cap": _dollar_cap(said)}


def _entitled(said: Said) -> str:
    values = {
        "seat": said.seat or said.subject,
        "plan": said.plan(),
        "before": said.plan("before"),
        "until": said.moment("until"),
    }
    text = _("%(seat)s has %(plan)s.")
    if values["until"] and values["before"] and values["before"] != values["plan"]:
        text = _("%(seat)s has %(plan)s in place of %(before)s, until %(until)s UTC.")
    elif values["until"]:
        text = _("%(seat)s has %(plan)s until %(until)s UTC.")
    elif values["before"] and values["before"] != values["plan"]:
        text = _("%(seat)s has %(plan)s in place of %(before)s.")
    return text % values


def _suspended(said: Said) -> str:
    text = _("%(seat)s is suspended from %(moment)s UTC on.")
    return text % {"seat": said.seat or said.subject, "moment": said.moment("from")}


def _seat_requested(said: Said) -> str:
    return _("%(subject)s asked for a %(plan)s seat.") % {"subject": said.subject, "plan": said.plan()}


def _seat_answered(said: Said) -> str:
    if not said.details.get("granted"):
        text = _("Declined the request of %(subject)s for a %(plan)s seat.")
        return text % {"subject": said.subject, "plan": said.plan()}
    text = _("Granted the request of %(subject)s: %(seat)s, %(plan)s.")
    return text % {"subject": said.subject, "seat": said.seat, "plan": said.plan("seat_plan")}


def _access(said: Said) -> str:
    """Only what was changed stands in the entry."""
    parts = [_("Changed the access of %(subject)s to Credits:") % {"subject": said.subject}]
    changed = []
    if "allowed" in said.details:
        changed.append(_("may use them") if said.details["allowed"] else _("may not use them"))
    # Entries of before members had caps of their own name it by the first word.
    for name in ("month_cap_nanousd", "granted_month_cap_nanousd"):
        if name in said.details:
            changed.append(_cap(said, name))
    if "overflow" in said.details:
        changed.append(_overflow(said))
    return f"{parts[0]} {', '.join(changed)}."


def _overflow(said: Said) -> str:
    if said.details.get("overflow") == "allow":
        return _("also when a window is full")
    return _("not when a window is full")


def _credits_policy(said: Said) -> str:
    pays = (
        _("Credits pay when a window is full")
        if said.details.get("overflow") == "allow"
        else _("Credits never pay when a window is full")
    )
    low = credits_words(nanousd_from_credits(said.text("low_balance_credits") or "0"))
    return _("Set the rules for Credits: %(pays)s; warn below %(low)s.") % {"pays": pays, "low": low}


def _credits_requested(said: Said) -> str:
    wanted = said.text("wanted_credits")
    if not wanted:
        return _("%(subject)s asked for Credits.") % {"subject": said.subject}
    return _("%(subject)s asked for %(wanted)s Credits a month.") % {
        "subject": said.subject,
        "wanted": credits_words(nanousd_from_credits(wanted)),
    }


def _credits_answered(said: Said) -> str:
    if not said.details.get("granted"):
        return _("Declined the request of %(subject)s for Credits.") % {"subject": said.subject}
    text = _("Granted the request of %(subject)s for Credits: %(cap)s, %(overflow)s.")
    return text % {"subject": said.subject, "cap": _cap(said), "overflow": _overflow(said)}


def _amount(said: Said) -> str:
    """Of a lot: Credits, or dollars of the API balance."""
    text = said.text("credits")
    if text:
        return _("%(credits)s Credits") % {"credits": credits_words(nanousd_from_credits(text))}
    return _("%(usd)s of API balance") % {"usd": said.text("usd")}


def _granted(said: Said) -> str:
    return _("%(amount)s were added.") % {"amount": _amount(said)}


def _refunded(said: Said) -> str:
    text = _("%(amount)s were taken back: %(cause)s")
    return text % {"amount": _amount(said), "cause": cause_words(said.text("cause"))}


def _adjusted(said: Said) -> str:
    text = _("%(amount)s were corrected: %(cause)s")
    return text % {"amount": _amount(said), "cause": cause_words(said.text("cause"))}


def _waived(said: Said) -> str:
    text = _("%(usd)s that %(subject)s owed need not be paid: %(reason)s")
    return text % {"usd": said.text("usd"), "subject": said.subject, "reason": said.text("reason")}


def _balance_alert(said: Said) -> str:
    if not said.details.get("enabled"):
        return _("Switched off the warning of a low API balance.")
    return _("Warn when the API balance is below %(low)s.") % {"low": said.text("low_balance")}


def _corrected(said: Said) -> str:
    text = _("Corrected a charge of %(subject)s from %(before)s to %(after)s: %(reason)s")
    return text % {
        "subject": said.subject,
        "before": said.text("before"),
        "after": said.text("after"),
        "reason": said.text("reason"),
    }


_OF_LOTS: dict[str, Sentence] = {
    "granted": _granted,
    "refund": _refunded,
    "adjustment": _adjusted,
    "frozen": plain(_lazy("A lot is frozen: its payment is disputed.")),
    "unfrozen": plain(_lazy("A lot can be used again: the dispute of its payment is over.")),
    "waived": _waived,
}

# Of no Team: operators alone read these.
_OF_OPERATORS: dict[str, Sentence] = {
    "plan.drafted": plain(_lazy("Drafted %(subject)s.")),
    "plan.draft_changed": plain(_lazy("Changed the draft %(subject)s.")),
    "plan.draft_discarded": plain(_lazy("Discarded the draft %(subject)s.")),
    "plan.published": plain(_lazy("Put %(subject)s on sale.")),
    "plan.withdrawn": plain(_lazy("Took %(subject)s off sale.")),
    "gateway.created": plain(_lazy("Made the gateway %(subject)s.")),
    "gateway.credential_added": plain(_lazy("Gave the gateway %(subject)s a new credential.")),
    "gateway.credential_ended": plain(_lazy("Ended a credential of the gateway %(subject)s.")),
    "gateway.limits": plain(_lazy("Set the limits of holds of the gateway %(subject)s.")),
    "gateway.revoked": plain(_lazy("Revoked the gateway %(subject)s.")),
    "rate_card.loaded": plain(_lazy("Loaded the rate card %(subject)s.")),
    "rate_card.withdrawn": plain(_lazy("Withdrew the rate card %(subject)s.")),
    "quarantine.replayed": plain(_lazy("Replayed from quarantine: %(subject)s.")),
    "quarantine.written_off": plain(_lazy("Wrote off in quarantine: %(subject)s.")),
}

SENTENCES: dict[str, Sentence] = {
    **_OF_OPERATORS,
    "invitation.sent": _invited,
    "api_key.created": _api_key_created,
    "api_key.changed": _api_key_changed,
    "seat.entitled": _entitled,
    "seat.suspended": _suspended,
    "seat.resumed": plain(_lazy("%(seat)s works again.")),
    "seat.requested": _seat_requested,
    "seat.request_answered": _seat_answered,
    "credits.access": _access,
    "credits.own_cap": plain(_lazy("%(subject)s changed their own limit on Credits.")),
    "credits.policy": _credits_policy,
    "credits.requested": _credits_requested,
    "credits.request_answered": _credits_answered,
    "balance.alert": _balance_alert,
    "usage.corrected": _corrected,
    **{
        f"{account}.{kind}": sentence
        for account in ("credits", "balance")
        for kind, sentence in _OF_LOTS.items()
    },
}
