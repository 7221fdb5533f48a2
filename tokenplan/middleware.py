"""The security headers of every answer, and the limit on the size of every request's body."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from tokenplan.kit.problems import body_too_large, problem_of

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
