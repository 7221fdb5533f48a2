"""Pages that ask for recent proof, and the one that takes a code by mail as proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.forms import ConfirmLoginCodeForm
from allauth.account.internal.flows.code_verification import AbstractCodeVerificationProcess
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import suspend_request
from allauth.account.views import BaseReauthenticateView
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.cache import never_cache

from teams.proof import address_for_code, has_recent_proof
from tokenplan.kit.pages import View

V = TypeVar("V", bound=Callable[..., HttpResponse])

CODE_STATE = "reauthentication_code"


class CannotProve(PermissionDenied):
    """Whoever has no password and no confirmed address. The page says how to get either: the link that
    chooses a password is mailed to the address, and confirms it.
    """

    leads_to = (reverse_lazy("account_reset_password"), _lazy("Have a link mailed to you"))

    def __init__(self) -> None:
        super().__init__(
            _(
                "You have no password and no confirmed e-mail address, so you cannot confirm that it is you. "
                "Choose a password first, by a link that we mail to your address."
            )
        )


def needs_proof(*methods: str) -> Callable[[View], View]:
    """The page does what these methods ask for after a recent proof alone.

    Whoever has none is asked for it; what was posted is kept, and done once the proof is given.
    Put it inside of `team_page` and `person_page`, so that whoever may not do it is told so first.
    """
    wanted = frozenset({*methods, *({"HEAD"} if "GET" in methods else ())})

    def wrap(view: View) -> View:
        @wraps(view)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method in wanted and request.user.is_authenticated and (asked := ask_first(request)):
                return asked
            return view(request, *args, **kwargs)

        page.needs_proof = frozenset(methods)  # type: ignore[attr-defined]
        return page

    return wrap


def ask_first(request: HttpRequest) -> HttpResponse | None:
    """Where the person is asked for a proof, after which the request is done; None: there is a recent one.

    Raises CannotProve for whoever could give none.
    """
    return None if has_recent_proof(request, at=timezone.now()) else _ask_for_proof(request)


def _ask_for_proof(request: HttpRequest) -> HttpResponse:
    ways = get_adapter().get_reauthentication_methods(request.user)
    if not ways:
        raise CannotProve
    url: str = ways[0]["url"]
    if any("password" in name for name in request.POST):
        # A password is not kept in the session, so the form is filled in again.
        return HttpResponseRedirect(f"{url}?{urlencode({'next': request.get_full_path()})}")
    response: HttpResponse = suspend_request(request, url)
    return response


class CodeByMail(AbstractCodeVerificationProcess):  # type: ignore[misc]  # the library has no types
    """A code that was mailed, and how many wrong ones were typed; in the session, for a few minutes."""

    def __init__(self, request: HttpRequest, state: dict[str, Any]) -> None:
        self.request = request
        super().__init__(
            max_attempts=app_settings.LOGIN_BY_CODE_MAX_ATTEMPTS,
            timeout=app_settings.LOGIN_BY_CODE_TIMEOUT,
            state=state,
            user=request.user,
        )

    @classmethod
    def begin(cls, request: HttpRequest, email: str) -> None:
        process = cls(request, cls.initial_state(user=request.user, email=email))
        process.state["code"] = get_adapter().generate_login_code()
        process.send()
        process.persist()

    @classmethod
    def going_on(cls, request: HttpRequest) -> CodeByMail | None:
        """The one that was mailed last, unless it is too old or was this session's former person's."""
        state = request.session.get(CODE_STATE)
        if state is None:
            return None
        process = cls(request, state)
        if state.get("user_id") != cls.initial_state(user=request.user)["user_id"]:
            process.abort()
            return None
        going_on: CodeByMail | None = process.abort_if_invalid()
        return going_on

    def send(self) -> None:
        minutes = app_settings.LOGIN_BY_CODE_TIMEOUT // 60
        context = {"request": self.request, "code": self.code, "minutes": minutes}
        get_adapter().send_mail("account/email/proof_code", self.state["email"], context)

    def persist(self) -> None:
        self.request.session[CODE_STATE] = self.state

    def abort(self) -> None:
        self.request.session.pop(CODE_STATE, None)


@method_decorator(login_required, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class ConfirmByCode(BaseReauthenticateView):  # type: ignore[misc]
    """Mails a code when asked to, and takes it as proof."""

    form_class = ConfirmLoginCodeForm
    template_name = "account/reauthenticate_by_code.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not get_adapter().get_reauthentication_methods(request.user):
            raise CannotProve
        self.process = CodeByMail.going_on(request)
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        email = address_for_code(request.user)  # type: ignore[arg-type]  # signed in
        if "send" in request.POST or self.process is None:
            if email is not None:
                CodeByMail.begin(request, email)
            return HttpResponseRedirect(self.passthrough_next_url(request.path))
        response: HttpResponseBase = super().post(request, *args, **kwargs)
        return response

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "code": self.process.code if self.process else ""}

    def form_invalid(self, form: ConfirmLoginCodeForm) -> HttpResponse:
        if self.process is not None and not self.process.record_invalid_attempt():
            self.process = None  # too many: another one has to be mailed
        response: HttpResponse = super().form_invalid(form)
        return response

    def form_valid(self, form: ConfirmLoginCodeForm) -> HttpResponse:
        if self.process is None:
            raise CannotProve
        self.process.abort()  # it is good once
        email = self.process.state["email"]
        record_authentication(
            self.request, self.request.user, method="code", email=email, reauthenticated=True
        )
        response: HttpResponse = super().form_valid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "sent_to": self.process and self.process.state["email"]}
