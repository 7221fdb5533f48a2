"""Refusals of the ground floor. Codes and statuses are the API contract's (docs/errors.md)."""

from __future__ import annotations

from tokenplan.kit.errors import Refusal


class KeyInvalid(Refusal):
    """Unknown, malformed, revoked, or a key of another kind. One answer for all: nothing to learn from it."""

    code = "key_invalid"
    status = 401
    title = "The Subscription Key is not valid"


class ReauthenticationRequired(Refusal):
    code = "reauthentication_required"
    status = 403
    title = "Confirm your password to see the key"


class DefaultTeamIsPersonal(Refusal):
    code = "default_team_is_personal"
    title = (
        "A Default Team has exactly one member; nobody can be invited and it can be neither left nor deleted"
    )


class OwnerMustTransferFirst(Refusal):
    code = "owner_must_transfer_first"
    title = "The Owner cannot leave, be removed or be given another role before transferring ownership"


class AlreadyMember(Refusal):
    code = "already_member"
    title = "This person is already a member of the Team"


class InvitationNotUsable(Refusal):
    """The invitation is unknown, used, revoked or expired."""

    code = "invitation_not_usable"
    status = 410
    title = "This invitation is no longer valid; ask for a new one"


class InvitationForAnotherAddress(Refusal):
    code = "invitation_for_another_address"
    status = 403
    title = "This invitation was sent to another e-mail address; sign in with that address, verified"


class InvitationAlreadyOpen(Refusal):
    code = "invitation_already_open"
    title = "This address already has an open invitation; send it again or revoke it"


class SeatTaken(Refusal):
    code = "seat_taken"
    title = "This seat is held by another member; free it first"


class MemberHasSeat(Refusal):
    code = "member_has_seat"
    title = "This member already holds a seat in this Team"


class SeatNotHeld(Refusal):
    code = "seat_not_held"
    title = "Nobody holds this seat"


class TeamHasLiveSeats(Refusal):
    code = "team_has_live_subscription"
    title = "The Team still has seats that are paid for; end the subscription first"
