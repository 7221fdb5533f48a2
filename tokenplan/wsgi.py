"""What the web server calls: Django's WSGI application, behind one that reads bodies of unknown length."""

import os
from collections.abc import Iterable
from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")

from django.conf import settings

_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers one request."""
    give_length(environ)
    answer: Iterable[bytes] = _django(environ, start_response)
    return answer


def give_length(environ: dict[str, Any]) -> None:
    """Reads a body sent in chunks, without Content-Length, and sets its length: else Django reads nothing.

    One byte more than is allowed is enough to read: the middleware BodyLimit refuses any longer body.
    """
    if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in environ:
        body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
