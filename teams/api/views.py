"""Bases of the API's views for people: for a person, or for a member of a Team with a right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from teams.api.authentication import AccessTokenAuthentication, BrowserSession
from teams.models import Membership, Team, User
from teams.permissions import Right, membership_of, require
from tokenplan.kit.api import ApiView

# Methods that Django's and the REST framework's base classes answer themselves.
OPEN = ("head", "options", "trace")


class PersonView(ApiView):
    """For a person who has signed in or sent an access token; anyone else gets 401."""

    authentication_classes = [AccessTokenAuthentication, BrowserSession]
    permission_classes = [IsAuthenticated]

    @property
    def person(self) -> User:
        return cast(User, self.request.user)


class TeamView(PersonView):
    """For a Team named by `slug` in the URL: 404 unless it is one of the person's, 403 without the right.

    `right` is one for all methods, or one a method; a class with a method that its mapping forgot cannot be
    defined.
    """

    right: ClassVar[Right | Mapping[str, Right]]
    team: Team
    membership: Membership

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        right = getattr(cls, "right", None)
        if not isinstance(right, Right):
            answered = {name for name in cls.http_method_names if name not in OPEN and hasattr(cls, name)}
            forgotten = sorted(name for name in answered if name.upper() not in (right or {}))
            if forgotten:
                raise TypeError(f"{cls.__name__} names no right for {', '.join(forgotten)}")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.membership = membership_of(self.person, str(kwargs["slug"]))
        self.team = self.membership.team
        require(self.membership, self._right_for(request.method or ""))

    def _right_for(self, method: str) -> Right:
        if isinstance(self.right, Right):
            return self.right
        # HEAD is a GET; OPTIONS reveals nothing about the Team; a method without a handler is answered 405.
        return self.right.get("GET" if method == "HEAD" else method, Right.VIEW_TEAM)
