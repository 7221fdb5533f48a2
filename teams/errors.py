"""Refusals: what a service raises when it will not do what was asked.

A refusal is part of the API: its `code` is stable, `status` is the HTTP status an interface answers with,
and the message says what to do about it. Each floor subclasses `Refusal`; no service raises anything else
on purpose.
"""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """A request that was understood and is declined; nothing was written."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "The request was refused"

    def __init__(
        self, detail: str = "", *, pointer: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.pointer = pointer
        self.retry_after = retry_after


class PermissionRefused(Refusal):
    """The actor is a member of the Team without the right."""

    code = "permission_denied"
    status = 403
    title = "Your role in this Team does not allow this"


class NotFound(Refusal):
    """What was named does not exist among the things the actor may see."""

    code = "not_found"
    status = 404
    title = "There is nothing here"


class InvalidValue(Refusal):
    """A value is outside of what the rule allows; `pointer` names the field."""

    code = "invalid"
    status = 422
    title = "A value is not valid"


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
