"""How long ago moments are, for pages that stay open: the words of `ago` have one source, which is here."""

from __future__ import annotations

from datetime import datetime

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

# A page has fewer; of more, the others stay as they were said.
MOST = 100


@require_safe
@never_cache
def moments(request: HttpRequest) -> HttpResponse:
    """What `?at=` names, in ISO 8601 with an offset, as `ago` says it in the reader's language, by its text;
    what is no such moment is left out.
    """
    return JsonResponse(
        {text: naturaltime(at) for text in request.GET.getlist("at")[:MOST] if (at := _read(text))}
    )


def _read(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
