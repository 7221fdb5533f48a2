"""What pages show of the documents: one as a part of a page, an example, and the way from one to the next."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context, RequestContext

from tokenplan.documents.examples import BY_NAME
from tokenplan.documents.figures import figures
from tokenplan.documents.pages import BY_SLUG, neighbours
from tokenplan.documents.reading import NOBODY, SIGNED_IN, Rendered, all_documents, render_document

register = template.Library()


@register.simple_tag(takes_context=True)
def document(context: RequestContext, slug: str) -> Rendered:
    """A document in the reader's language, for a page that has more than its text."""
    reader = SIGNED_IN if context["request"].user.is_authenticated else NOBODY
    return render_document(BY_SLUG[slug], figures(), reader)


@register.inclusion_tag("docs/includes/head.html", takes_context=True)
def docs_head(context: RequestContext, slug: str = "") -> dict[str, Any]:
    """Above a document: all of them, this one marked, and the search."""
    return {
        "documents": all_documents(figures(), is_signed_in=context["request"].user.is_authenticated),
        "slug": slug,
        "text": context.get("searched", ""),
    }


@register.inclusion_tag("docs/includes/foot.html")
def docs_foot(slug: str) -> dict[str, Any]:
    """Below a document: the one before and the next."""
    known = figures()
    before, after = (row and render_document(row, known) for row in neighbours(slug))
    return {"before": before, "after": after}


@register.inclusion_tag("docs/includes/example.html", takes_context=True)
def example(context: Context, name: str) -> dict[str, Any]:
    """A request to copy, and its answer."""
    found = BY_NAME[name]
    return {"example": found, "answer": found.answer(context["base_url"])}


@register.inclusion_tag("docs/includes/variables.html")
def variables(name: str, **values: str) -> dict[str, str]:
    """Lines that set variables of the shell, for the examples after them. Of a secret the reader has to fill
    in the rest.
    """
    return {"name": name, "text": "\n".join(f"export {key}='{value}'" for key, value in values.items())}
