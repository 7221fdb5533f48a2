"""Refusals: what a service raises when it will not do what was asked.

A refusal is part of the API: its `code` is stable, `status` is the HTTP status that an interface answers
with, and the message says what to do about it. Each floor subclasses `Refusal`; a service raises nothing else
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
