"""The security headers of every answer, the limit on every body, what is compressed, and where pages read."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

from teams.models import User
from teams.services.sessions import note_seen
from teams.sessions import SEEN, SEEN_EVERY
from teams.time_zones import zone_of
from tokenplan.kit import replica
from tokenplan.kit.problems import UNAVAILABLE, body_too_large, problem_of

Answer = Callable[[HttpRequest], HttpResponse]

# Everything is served from this host, and no inline script runs. Tabler's style sheet has images as data
# URLs.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Adds the Content-Security-Policy and Permissions-Policy that Django 5.2 has no setting for."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        forms = " ".join(["form-action 'self'", *settings.STRIPE_PAGES])  # they may lead to Stripe's pages
        response.headers.setdefault("Content-Security-Policy", f"{CONTENT_SECURITY_POLICY}; {forms}")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        return response


class BodyLimit:
    """Refuses a body over DATA_UPLOAD_MAX_MEMORY_SIZE bytes, with 413, before anything reads it.

    Django enforces that limit for forms only; the REST framework's parsers read the stream past it.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = request.headers.get("Content-Length", "")
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length.isdecimal() and int(length) > limit:
            return problem_of(body_too_large(limit)).response()
        return self.get_response(request)


class LocalTimes:
    """Whoever is signed in reads times in their own zone. The API, and the operators' pages, are in UTC."""

    IN_UTC = ("/admin/", "/api/")

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
        if not has_session or request.path.startswith(self.IN_UTC) or not isinstance(request.user, User):
            return self.get_response(request)
        with timezone.override(zone_of(request.user.time_zone)):
            return self.get_response(request)


class SeenSessions:
    """Notes when a session is used, for the list of one's sessions: once in ten minutes."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            at, seen = timezone.now(), request.session.get(SEEN)
            if seen is not None and at.timestamp() - seen >= SEEN_EVERY.total_seconds():
                request.session[SEEN] = at.timestamp()
                note_seen(session_key=str(request.session.session_key), at=at)
        return self.get_response(request)


class CompressedPages(GZipMiddleware):
    """Compresses pages, and nothing else: gateways wait for their answers, files are sent as they are read.

    A page that no cache may keep stays as it is. It may show a secret, and how short it gets, compressed with
    what somebody else put on the page, would tell about it.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        is_secret = "no-store" in response.headers.get("Cache-Control", "")
        if response.streaming or is_secret or not is_page:
            return response
        return super().process_response(request, response)


class ReplicaReads:
    """What a browser asks for is read from the replica, where there is one, for as long as it is near enough
    behind and has what this browser wrote last (docs/decisions/0065).

    Operators' pages and those of sign-in read from the primary, as do all who come without a session.
    """

    COOKIE = "wrote_at"
    # The clocks of the two databases may differ by this many seconds.
    CLOCKS_APART = 60
    ON_PRIMARY = ("/admin/", "/accounts/")

    def __init__(self, get_response: Answer) -> None:
        if replica.REPLICA not in settings.DATABASES:
            raise MiddlewareNotUsed
        self.get_response = get_response
        self._nearness = replica.Nearness(settings.DATABASE_REPLICA_SECONDS)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        with replica.reading(self._alias(request)) as reads:
            response = self.get_response(request)
        if reads.wrote:
            self._remember(response)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Where the replica went away in the middle of a page, the page is made again from the primary."""
        match = request.resolver_match
        if match is None or not isinstance(exception, UNAVAILABLE) or replica.reads_from() != replica.REPLICA:
            return None
        self._nearness.note_away(exception)
        replica.go_to_primary()
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        return response

    def _alias(self, request: HttpRequest) -> str:
        if request.method not in ("GET", "HEAD") or request.path.startswith(self.ON_PRIMARY):
            return DEFAULT_DB_ALIAS
        wrote_at = request.COOKIES.get(self.COOKIE, replica.NO_POSITION)
        if not replica.POSITION.fullmatch(wrote_at):
            return DEFAULT_DB_ALIAS
        return replica.REPLICA if self._nearness.is_near(wrote_at, UNAVAILABLE) else DEFAULT_DB_ALIAS

    def _remember(self, response: HttpResponse) -> None:
        """Until the replica is so far, this browser reads from the primary."""
        try:
            wrote_at = replica.position()
        except UNAVAILABLE:
            wrote_at = replica.LAST_POSITION
        response.set_cookie(
            self.COOKIE,
            wrote_at,
            max_age=settings.DATABASE_REPLICA_SECONDS + self.CLOCKS_APART,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
