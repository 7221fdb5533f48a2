"""Bases of the API's views for people: for a person, or for a member of a Team with a right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from teams.api.authentication import AccessTokenAuthentication, BrowserSession
from teams.errors import ReauthenticationRequired
from teams.models import Membership, Team, User
from teams.permissions import Right, membership_of, require
from teams.proof import has_recent_proof
from tokenplan.kit.api import ApiView

# Methods that Django's and the REST framework's base classes answer themselves.
OPEN = ("head", "options", "trace")


class PersonView(ApiView):
    """For a person who has signed in or sent an access token; anyone else gets 401.

    The methods in `proof` ask for a recent proof (teams/proof.py), which no access token can give.
    """

    authentication_classes = [AccessTokenAuthentication, BrowserSession]
    permission_classes = [IsAuthenticated]
    proof: ClassVar[frozenset[str]] = frozenset()

    @property
    def person(self) -> User:
        return cast(User, self.request.user)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.admit(request, **kwargs)
        if request.method in self.proof:
            self._ask_for_proof(request)

    def admit(self, request: Request, **kwargs: Any) -> None:
        """Raises unless the person may do this, before any proof is asked for."""

    def sent_password(self) -> str | None:
        """The password in the body, of an address that takes it as proof."""
        return None

    def _ask_for_proof(self, request: Request) -> None:
        if request.auth is not None:
            raise ReauthenticationRequired(
                _("An access token cannot do this: sign in, and confirm that it is you.")
            )
        browser = request._request
        password = self.sent_password()
        if password is None:
            if not has_recent_proof(browser, at=timezone.now()):
                raise ReauthenticationRequired
            return
        # The limit of the page that asks for the password, shared with it.
        if not ratelimit.consume(browser, action="reauthenticate", user=self.person):
            raise Throttled(wait=60)
        if not self.person.check_password(password):
            raise ReauthenticationRequired(_("This is not your password."), pointer="/password")
        reauthenticate_by_password(browser)


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

    def admit(self, request: Request, **kwargs: Any) -> None:
        self.membership = membership_of(self.person, str(kwargs["slug"]))
        self.team = self.membership.team
        require(self.membership, self._right_for(request.method or ""))

    def _right_for(self, method: str) -> Right:
        if isinstance(self.right, Right):
            return self.right
        # HEAD is a GET; OPTIONS reveals nothing about the Team; a method without a handler is answered 405.
        return self.right.get("GET" if method == "HEAD" else method, Right.VIEW_TEAM)
