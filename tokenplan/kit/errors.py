"""Refusals: what a service raises when it will not do what was asked.

A refusal is part of the API: its `code` is stable, `status` is the HTTP status that an interface answers
with, and the message says what to do about it. Each app subclasses `Refusal`; a service raises nothing else
on purpose. Titles and details are for people: each goes through gettext, the code does not.
"""

from __future__ import annotations

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """A request that was understood and is declined; nothing was written."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    title: ClassVar[str | Promise] = _("The request was refused")

    def __init__(
        self, detail: str | Promise = "", *, pointer: str | None = None, retry_after: int | None = None
    ) -> None:
        # In the language of the moment at which it is raised, so that it can be logged and pickled.
        self.detail = str(detail or self.title)
        self.said = detail or self.title
        super().__init__(self.detail)
        self.pointer = pointer
        self.retry_after = retry_after


class Unavailable(Exception):
    """What is needed to answer is not there at present. No refusal: nothing was decided, nothing is kept."""


class PermissionRefused(Refusal):
    """The actor's role lacks the right."""

    code = "permission_denied"
    status = 403
    title = _("Your role in this Team does not allow this")


class NotFound(Refusal):
    """What was named does not exist among the things the actor may see."""

    code = "not_found"
    status = 404
    title = _("There is nothing here")


class InvalidValue(Refusal):
    """A value is outside of what the rule allows; `pointer` names the field."""

    code = "invalid"
    status = 422
    title: ClassVar[str | Promise] = _("A value is not valid")
