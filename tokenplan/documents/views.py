"""The documents as pages, and the search over them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from teams.models import Membership, SubscriptionKey, User
from teams.views.base import last_team
from tokenplan.documents.figures import figures
from tokenplan.documents.pages import BY_SLUG, Document
from tokenplan.documents.reading import (
    NOBODY,
    SIGNED_IN,
    Reader,
    Rendered,
    all_documents,
    render_document,
)
from tokenplan.documents.search import find
from tokenplan.kit.text import searched

# The palette has other results beside these.
MOST_IN_PALETTE = 5


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """All documents with their contents; or, with `?q=`, the sections in which that is found."""
    text = searched(request.GET.get("q", ""))
    documents = _documents(request)
    context = {"documents": documents, "searched": text, "hits": find(documents, text)}
    return render(request, "docs/index.html", context)


@require_safe
def page(request: HttpRequest, page: str) -> HttpResponse:
    """A document with its contents, and the beginning of the reader's own key in its examples. One that is
    not there is answered by 404 with those that are.
    """
    document = BY_SLUG.get(page)
    if document is None:
        context = {"documents": _documents(request), "missing": True}
        return render(request, "docs/index.html", context, status=404)
    if document.address:
        return redirect(document.address)
    return _shown(request, document)


@require_safe
def faq(request: HttpRequest) -> HttpResponse:
    """What people ask before they buy, and when something does not work; with the plans on sale."""
    return _shown(request, BY_SLUG["faq"])


@sensitive_post_parameters("q")
@require_POST
def found(request: HttpRequest) -> HttpResponse:
    """What the palette shows of the documents while somebody types: links to what has all of it. The text is
    posted, so that no address has it.
    """
    text = searched(request.POST.get("q", ""))
    hits = [hit for hit in find(_documents(request), text) if hit.is_complete]
    return render(request, "docs/includes/found.html", {"hits": hits[:MOST_IN_PALETTE]})


def _documents(request: HttpRequest) -> list[Rendered]:
    return all_documents(figures(), is_signed_in=request.user.is_authenticated)


def _shown(request: HttpRequest, document: Document) -> HttpResponse:
    rendered = render_document(document, figures(), _reader(request))
    answer = render(request, "docs/page.html", {"rendered": rendered})
    patch_cache_control(answer, private=True, no_store=True)
    return answer


def _reader(request: HttpRequest) -> Reader:
    """Whoever is signed in, in the Team that they opened last, or else in their Default Team."""
    if not isinstance(request.user, User):
        return NOBODY
    mine = Membership.objects.live().filter(user=request.user).select_related("team")
    last = mine.filter(team__slug=last_team(request)).first()
    membership = last or mine.order_by("team__default_for").first()
    key = SubscriptionKey.objects.current().filter(membership=membership, revoked_at=None).first()
    if membership is None or key is None:
        return SIGNED_IN
    return Reader(key.prefix, membership.team.slug, membership.team.display_name)
