"""Every refusal and failure of the API as an RFC 9457 problem document with a stable `code`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core import exceptions as django_errors
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests
from rest_framework import exceptions as drf

from tokenplan.kit.errors import InvalidValue, Refusal, Unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_UNAVAILABLE_SECONDS = 1


class TooBusy(Unavailable):
    """More is being asked at once than this process can take; asked again soon, it may have room."""


UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, PoolClosed, TooManyRequests, Unavailable)


# A status, headers but for the length, and the body.
RawAnswer = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(frozen=True)
class Problem:
    """What a problem document says, in the language that is active when the document is made.

    `errors` lists every wrong field; `pointer` is the first one's (RFC 6901).
    """

    code: str
    status: int
    title: str | Promise
    detail: str | Promise
    pointer: str | None = None
    retry_after: int | None = None
    errors: tuple[Mapping[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": str(self.title),
            "status": self.status,
            "detail": str(self.detail),
            "code": self.code,
        }
        if self.pointer is not None:
            document["pointer"] = self.pointer
        if self.errors:
            document["errors"] = [dict(error) for error in self.errors]
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return {**document, **self.extra}

    def response(self) -> JsonResponse:
        headers = dict(self.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return JsonResponse(self.document(), status=self.status, headers=headers, content_type=MEDIA_TYPE)

    def raw(self) -> RawAnswer:
        """The same without Django."""
        response = self.response()
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        return self.status, headers, response.content


NOT_FOUND = Problem("not_found", 404, _("There is nothing here"), _("Check the address and the method."))
INTERNAL_ERROR = Problem(
    "internal_error",
    500,
    _("Something went wrong here"),
    _("The error was logged. Check whether the request took effect before you send it again."),
)
UNAVAILABLE_PROBLEM = Problem(
    "unavailable",
    503,
    _("Cannot answer right now"),
    _("The database cannot be reached or is busy. Nothing was written by this request; send it again."),
    retry_after=RETRY_UNAVAILABLE_SECONDS,
)
BODY_UNREADABLE = Problem(
    "malformed", 400, _("The body cannot be read"), _("The body ended early; send it again.")
)


class BodyTooLarge(drf.APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = _("The body is too large; send less at once.")


def body_too_large(limit: int) -> BodyTooLarge:
    """`limit` is in bytes."""
    return BodyTooLarge(
        gettext("A body may have up to %(limit)s bytes; send less at once.") % {"limit": limit}
    )


class BodyEncoded(drf.APIException):
    status_code = 415
    default_code = "body_encoded"
    default_detail = _("Send the body as it is, without a Content-Encoding.")


class BodyTooSlow(drf.APIException):
    status_code = 408
    default_code = "body_too_slow"
    default_detail = _("The body did not arrive in time; send the request again.")


class ScopeTooNarrow(drf.PermissionDenied):
    default_code = "scope_too_narrow"
    default_detail = _("This access token may only read; use one with the scope manage.")


class CSRFFailed(drf.PermissionDenied):
    default_code = "csrf_failed"


# The stable code and title of what the REST framework raises, by its class or the nearest one above it.
FRAMEWORK: dict[type[drf.APIException], tuple[str, str | Promise]] = {
    BodyTooLarge: ("body_too_large", _("The body is too large")),
    BodyEncoded: ("body_encoded", _("Compressed bodies are not read")),
    BodyTooSlow: ("body_too_slow", _("The body did not arrive in time")),
    ScopeTooNarrow: ("scope_too_narrow", _("The access token may only read")),
    CSRFFailed: ("csrf_failed", _("The request does not come from a page of this site")),
    drf.ParseError: ("malformed", _("The body cannot be read")),
    drf.NotAuthenticated: ("not_authenticated", _("Sign in, or send a credential")),
    drf.AuthenticationFailed: ("authentication_failed", _("The credential is not valid")),
    drf.PermissionDenied: ("permission_denied", _("This is not allowed")),
    drf.NotFound: ("not_found", _("There is nothing here")),
    drf.MethodNotAllowed: ("method_not_allowed", _("This address does not know the method")),
    drf.NotAcceptable: ("not_acceptable", _("The answer is not available in a type that was asked for")),
    drf.UnsupportedMediaType: (
        "unsupported_media_type",
        _("The body's type is not understood; send application/json"),
    ),
    drf.Throttled: ("throttled", _("Too many requests")),
    drf.APIException: ("refused", _("The request was refused")),
}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> JsonResponse:
    """The REST framework's hook: an answer for whatever a view raised."""
    return problem_of(error).response()


def problem_of(error: BaseException) -> Problem:
    """The problem that tells a caller what to do about `error`.

    An error that no case foresees is logged, and answered without its text.
    """
    if isinstance(error, Refusal):
        return of_refusal(error)
    if isinstance(error, drf.ValidationError):
        return _invalid(_field_errors(error.detail, ""))
    if isinstance(error, drf.APIException):
        return _of_framework(error)
    if isinstance(error, UNAVAILABLE):
        logger.warning("Unavailable: %s: %s", type(error).__name__, error)
        return UNAVAILABLE_PROBLEM
    problem = _of_django(error)
    if problem is None:
        logger.error("Unforeseen error", exc_info=error)
        return INTERNAL_ERROR
    return problem


def of_refusal(refusal: Refusal, **extra: Any) -> Problem:
    """A service's refusal; `extra` joins the document as members of its own."""
    errors: tuple[Mapping[str, str], ...] = ()
    if refusal.pointer is not None:
        errors = ({"pointer": refusal.pointer, "detail": refusal.detail},)
    headers = {"WWW-Authenticate": 'Bearer realm="api"'} if refusal.status == 401 else {}
    return Problem(
        code=refusal.code,
        status=refusal.status,
        title=refusal.title,
        detail=refusal.detail,
        pointer=refusal.pointer,
        retry_after=refusal.retry_after,
        errors=errors,
        headers=headers,
        extra=extra,
    )


def _of_framework(error: drf.APIException) -> Problem:
    code, title = next(FRAMEWORK[kind] for kind in type(error).__mro__ if kind in FRAMEWORK)
    headers = {}
    auth_header = getattr(error, "auth_header", None)
    if auth_header:
        headers["WWW-Authenticate"] = auth_header
    wait = getattr(error, "wait", None)
    return Problem(
        code=code,
        status=error.status_code,
        title=title,
        detail=str(error.detail),
        retry_after=None if wait is None else max(1, int(wait)),
        headers=headers,
    )


def _of_django(error: BaseException) -> Problem | None:
    if isinstance(error, Http404):
        return NOT_FOUND
    if isinstance(error, django_errors.PermissionDenied):
        return _of_framework(drf.PermissionDenied())
    if isinstance(error, django_errors.RequestDataTooBig):
        return _of_framework(BodyTooLarge())
    if isinstance(error, (UnreadablePostError, MultiPartParserError, django_errors.BadRequest)):
        return BODY_UNREADABLE
    if isinstance(error, django_errors.SuspiciousOperation):
        return replace(
            BODY_UNREADABLE,
            title=_("The request cannot be read"),
            detail=_("Check headers and address."),
        )
    if isinstance(error, django_errors.ValidationError):
        return _invalid([("", message) for message in error.messages])
    if isinstance(error, (DataError, UnicodeEncodeError)):
        # A NUL byte, half a surrogate pair, a number too large for its column, which nothing before caught.
        logger.warning("Data that the database refuses: %s", type(error).__name__)
        return _invalid([("", gettext("A value holds a character or a number that cannot be stored."))])
    return None


def _invalid(errors: Sequence[tuple[str, str]]) -> Problem:
    first_pointer, first_detail = errors[0] if errors else ("", str(InvalidValue.title))
    return Problem(
        code=InvalidValue.code,
        status=InvalidValue.status,
        title=InvalidValue.title,
        detail=first_detail if not first_pointer else f"{first_pointer}: {first_detail}",
        pointer=first_pointer,
        errors=tuple({"pointer": pointer, "detail": detail} for pointer, detail in errors),
    )


def _field_errors(detail: Any, pointer: str) -> list[tuple[str, str]]:
    """The framework's nested errors, flat: (JSON Pointer into the body, what is wrong)."""
    return list(_walk(detail, pointer))


def _walk(detail: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            if name == "non_field_errors":
                yield from _walk(inner, pointer)
            else:
                token = str(name).replace("~", "~0").replace("/", "~1")
                yield from _walk(inner, f"{pointer}/{token}")
    elif isinstance(detail, (list, tuple)):
        for index, inner in enumerate(detail):
            # A list of messages is about this place; a list of mappings is about the rows of a list.
            nested = isinstance(inner, (Mapping, list, tuple))
            yield from _walk(inner, f"{pointer}/{index}" if nested else pointer)
    else:
        yield pointer, str(detail)


# For the urlconf's handler400, handler404 and handler500, which answer for failures outside of API views.
# Under /api/ they are JSON too; elsewhere Django's own pages are shown.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return (_of_django(exception) or BODY_UNREADABLE).response()


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return NOT_FOUND.response() if _is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is being handled, so it can tell an outage from a defect.

    Django has logged it.
    """
    if not _is_api(request):
        return defaults.server_error(request)
    away = isinstance(sys.exc_info()[1], UNAVAILABLE)
    return (UNAVAILABLE_PROBLEM if away else INTERNAL_ERROR).response()


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
