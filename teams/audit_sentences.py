"""What an entry of the audit log says, in words people read. Each floor has the sentences of its own verbs;
the page of the log has all of them (`billing/selectors/audit.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from teams.models import Role, User

# As `Ultra v1` ends.
VERSION = re.compile(r" v[0-9]+$")


@dataclass(frozen=True, slots=True)
class Said:
    """An entry as a sentence needs it. `seat` is what people call the seat that it names, such as `Seat 3`;
    `plans` are names by code.
    """

    subject: str
    details: Mapping[str, Any]
    seat: str
    plans: Mapping[str, str]

    def role(self, name: str = "role") -> str:
        """The role in this detail, by its label."""
        role = self.details.get(name)
        return str(Role(role).label) if role in Role.values else str(role or "")

    def plan(self, name: str = "plan") -> str:
        """The plan in this detail, by its name, without a version: that says nothing to customers."""
        code = str(self.details.get(name) or "")
        return self.plans.get(code) or VERSION.sub("", code)

    def text(self, name: str) -> str:
        """This detail as it stands; "" where there is none."""
        value = self.details.get(name)
        return "" if value is None else str(value)

    def moment(self, name: str) -> str:
        """The moment in this detail, in UTC, as the console writes moments; "" where there is none."""
        text = self.text(name)
        return date_format(datetime.fromisoformat(text), "j M Y, H:i") if text else ""


Sentence = Callable[[Said], str]


def plain(text: str | Promise) -> Sentence:
    """A sentence that names no more than `subject` and `seat`."""
    return lambda said: str(text) % {"subject": said.subject, "seat": said.seat or said.subject}


def _team_renamed(said: Said) -> str:
    text = _("Renamed the Team from %(before)s to %(after)s.")
    return text % {"before": said.text("before"), "after": said.subject}


def _joined(said: Said) -> str:
    return _("%(subject)s joined as %(role)s.") % {"subject": said.subject, "role": said.role()}


def _left(said: Said) -> str:
    return _with_void(_("%(subject)s left the Team.") % {"subject": said.subject}, said)


def _removed(said: Said) -> str:
    return _with_void(_("Removed %(subject)s from the Team.") % {"subject": said.subject}, said)


def _with_void(text: str, said: Said) -> str:
    """With how many invitations stopped working for it, where some did."""
    count = int(said.details.get("invitations") or 0)
    if not count:
        return text
    void = ngettext(
        "%(count)s open invitation of theirs no longer works.",
        "%(count)s open invitations of theirs no longer work.",
        count,
    )
    return f"{text} {void % {'count': count}}"


def _role_changed(said: Said) -> str:
    text = _("Changed the role of %(subject)s from %(before)s to %(after)s.")
    values = {"subject": said.subject, "before": said.role("before"), "after": said.role("after")}
    return _with_void(text % values, said)


def _transferred(said: Said) -> str:
    text = _("Made %(after)s the Owner in place of %(before)s.")
    return _with_void(text % {"after": said.text("after"), "before": said.text("before")}, said)


def _handed_over(said: Said) -> str:
    reason = _("Reason: %(reason)s") % {"reason": said.text("reason")}
    return f"{_transferred(said)} {reason}"


def _accepted(said: Said) -> str:
    text = _("Accepted the invitation of %(subject)s and joined as %(role)s.")
    return text % {"subject": said.subject, "role": said.role()}


def _seat_assigned(said: Said) -> str:
    text = _("Gave %(seat)s to %(subject)s.")
    if said.details.get("undone"):
        text = _("Gave %(seat)s back to %(subject)s: what was done to it before was undone.")
    return text % {"seat": said.seat or said.subject, "subject": said.subject}


def _seat_freed(said: Said) -> str:
    text = _("Took %(seat)s from %(subject)s.")
    if said.details.get("undone"):
        text = _("Took %(seat)s from %(subject)s again: what was done to it before was undone.")
    return text % {"seat": said.seat or said.subject, "subject": said.subject}


def _key_rotated(said: Said) -> str:
    hours = int(said.details.get("overlap_seconds") or 0) / 3600
    if not hours:
        return _("Rotated a key: %(key)s is new, the one before stopped at once.") % {"key": said.subject}
    return _("Rotated a key: %(key)s is new, the one before works %(hours)g hours more.") % {
        "key": said.subject,
        "hours": hours,
    }


def _api_key_policy(said: Said) -> str:
    return (
        _("Let every member make API keys.")
        if said.details.get("members_make")
        else _("Let only the Owner and the Admins make API keys.")
    )


def _account_changed(said: Said) -> str:
    fields = [*User._meta.fields, *User._meta.many_to_many]
    labels = {field.name: str(field.verbose_name) for field in fields}
    changed = said.text("changed").split(", ") if said.text("changed") else []
    if not changed:
        return _("Saved the account %(subject)s as it was.") % {"subject": said.subject}
    text = _("Changed the account %(subject)s: %(changed)s.") % {
        "subject": said.subject,
        "changed": ", ".join(labels.get(name, name) for name in changed),
    }
    if "is_staff" not in changed:
        return text
    opened = (
        _("The operators' pages are open to it.")
        if said.details.get("staff")
        else _("The operators' pages are closed to it.")
    )
    return f"{text} {opened}"


def _group_changed(said: Said) -> str:
    """Rights by their codenames, as superusers find them: `change_user` is `change user`."""
    rights = said.text("rights").replace("_", " ")
    if not rights:
        return _("The group %(subject)s gives no rights.") % {"subject": said.subject}
    return _("The group %(subject)s gives these rights: %(rights)s.") % {
        "subject": said.subject,
        "rights": rights,
    }


def _passkey_added(said: Said) -> str:
    text = _("Added the passkey “%(name)s” to the account %(subject)s.")
    return text % {"name": said.text("name"), "subject": said.subject}


def _passkey_removed(said: Said) -> str:
    text = _("Removed the passkey “%(name)s” of the account %(subject)s.")
    return text % {"name": said.text("name"), "subject": said.subject}


def _sessions_ended(said: Said) -> str:
    count = int(said.details.get("sessions") or 0)
    text = ngettext(
        "Signed %(count)s other session of %(subject)s out.",
        "Signed %(count)s other sessions of %(subject)s out.",
        count,
    )
    return text % {"count": count, "subject": said.subject}


def _token_created(said: Said) -> str:
    text = (
        _("%(subject)s made an access token that may read and change.")
        if said.text("scope") == "manage"
        else _("%(subject)s made an access token that may read.")
    )
    return text % {"subject": said.subject}


# Of no Team: operators alone read these.
_OF_ACCOUNTS: dict[str, Sentence] = {
    "account.changed": _account_changed,
    "account.closed": plain(_lazy("Closed the account %(subject)s.")),
    "account.reopened": plain(_lazy("Opened the account %(subject)s again.")),
    "group.changed": _group_changed,
    "passkey.added": _passkey_added,
    "passkey.removed": _passkey_removed,
    "passkey.codes_made": plain(_lazy("Made new recovery codes for the account %(subject)s.")),
    "passkey.all_removed": plain(
        _lazy("Removed all passkeys, the authenticator app and the recovery codes of %(subject)s.")
    ),
    "totp.added": plain(_lazy("Added an authenticator app to the account %(subject)s.")),
    "totp.removed": plain(_lazy("Removed the authenticator app of the account %(subject)s.")),
    "session.ended": plain(_lazy("Signed a session of %(subject)s out.")),
    "sessions.ended": _sessions_ended,
    "access_token.created": _token_created,
    "access_token.revoked": plain(_lazy("Revoked an access token of %(subject)s.")),
    "mail.sent_again": plain(_lazy("Sent a mail to %(subject)s again.")),
}

SENTENCES: dict[str, Sentence] = {
    **_OF_ACCOUNTS,
    "team.created": plain(_lazy("Created the Team %(subject)s.")),
    "team.renamed": _team_renamed,
    "team.deleted": plain(_lazy("Deleted the Team %(subject)s.")),
    "member.joined": _joined,
    "member.left": _left,
    "member.removed": _removed,
    "role.changed": _role_changed,
    "billing_right.given": plain(_lazy("Gave %(subject)s the Billing right.")),
    "billing_right.taken": plain(_lazy("Took the Billing right from %(subject)s.")),
    "ownership.transferred": _transferred,
    "ownership.handed_over": _handed_over,
    "invitation.accepted": _accepted,
    "invitation.revoked": plain(_lazy("Revoked the invitation of %(subject)s.")),
    "seat.added": plain(_lazy("%(seat)s was added.")),
    "seat.removed": plain(_lazy("%(seat)s was removed.")),
    "seat.assigned": _seat_assigned,
    "seat.freed": _seat_freed,
    "key.rotated": _key_rotated,
    "key.revoked": plain(_lazy("Revoked the key %(subject)s.")),
    "api_key.rotated": plain(_lazy("Gave the API key %(subject)s a new text.")),
    "api_key.revoked": plain(_lazy("Revoked the API key %(subject)s.")),
    "api_key.policy": _api_key_policy,
}
