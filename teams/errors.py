"""Refusals about people, Teams, seats and keys. Codes and statuses are part of the API (docs/errors.md)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tokenplan.kit.errors import Refusal, Unavailable


class KeyInvalid(Refusal):
    """Unknown, malformed, revoked, or of another kind. One answer for all, so that it reveals nothing."""

    code = "key_invalid"
    status = 401
    title = _("The key is not valid")


class KeyRootMissing(Unavailable):
    """The root secret that the key was made with is not here, so nobody can tell whether the key is genuine.

    No refusal: a key that may be genuine is not called invalid.
    """


class ApiKeyTextHidden(Refusal):
    """It is somebody else's, or was revoked."""

    code = "api_key_text_hidden"
    title = _(
        "An API key is shown only to whoever made or last rotated it; rotate it to get one that you can see"
    )


class ReauthenticationRequired(Refusal):
    code = "reauthentication_required"
    status = 403
    title = _("Confirm that it is you, by your password for example")


class DefaultTeamIsPersonal(Refusal):
    code = "default_team_is_personal"
    title = _(
        "A Default Team has exactly one member; nobody can be invited and it can be neither left nor deleted"
    )


class OwnerMustTransferFirst(Refusal):
    code = "owner_must_transfer_first"
    title = _("The Owner cannot leave, be removed or be given another role before transferring ownership")


class AlreadyMember(Refusal):
    code = "already_member"
    title = _("This person is already a member of the Team")


class InvitationNotUsable(Refusal):
    """The invitation is unknown, used, revoked or expired."""

    code = "invitation_not_usable"
    status = 410
    title = _("This invitation is no longer valid; ask for a new one")


class InviterMayNotInvite(Refusal):
    """Who sent the invitation left the Team since, or has lost the right to invite with its role."""

    code = "inviter_may_not_invite"
    status = 410
    title = _("Whoever sent this invitation may no longer invite you to the Team; ask the Team for a new one")


class TooManyInvitations(Refusal):
    """So many mails with invitations were sent in 24 hours: they go to people who have not asked for them."""

    code = "too_many_invitations"
    status = 429
    title = _("No more invitations can be sent at the moment")


class InvitationForAnotherAddress(Refusal):
    code = "invitation_for_another_address"
    status = 403
    title = _(
        "This invitation was sent to another e-mail address; sign in to an account that has confirmed it"
    )


class InvitationAlreadyOpen(Refusal):
    code = "invitation_already_open"
    title = _("This address already has an open invitation; send it again or revoke it")


class SeatTaken(Refusal):
    code = "seat_taken"
    title = _("This seat is held by another member; free it first")


class MemberHasSeat(Refusal):
    code = "member_has_seat"
    title = _("This member already holds a seat in this Team")


class SeatNotHeld(Refusal):
    code = "seat_not_held"
    title = _("Nobody holds this seat")


class SeatNotUndone(Refusal):
    """Too late, or something else happened to the seat since."""

    code = "seat_not_undone"
    title = _("This cannot be undone any more: it is too long ago, or the seat has changed hands since")


class TeamHasLiveSeats(Refusal):
    code = "team_has_live_subscription"
    title = _("The Team still has seats that were given by operators; ask them to withdraw those first")


class MailNotKept(Refusal):
    code = "mail_not_kept"
    title = _("What this mail said was a secret and is not kept; have the person ask for a new one")
