"""Which documents there are, in the order in which they are read."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

# English is the source. A page has a file of the same name in the folder of each (templates/docs).
SOURCE = "en"
LANGUAGES = (SOURCE, "zh-hans")


@dataclass(frozen=True, slots=True)
class Document:
    """A page. `address` is the name of one that is a page of its own elsewhere, with this text as a part of
    it; else it is read under /docs/.
    """

    slug: str
    address: str = ""

    @property
    def url(self) -> str:
        return reverse(self.address) if self.address else reverse("docs-page", args=[self.slug])


DOCUMENTS = (
    Document("quickstart", "quickstart"),
    Document("plans-and-credits"),
    Document("promotions", "promotions"),
    Document("api"),
    Document("faq", "faq"),
)
BY_SLUG = {document.slug: document for document in DOCUMENTS}


def neighbours(slug: str) -> tuple[Document | None, Document | None]:
    """The documents before and after this one."""
    at = DOCUMENTS.index(BY_SLUG[slug])
    before = DOCUMENTS[at - 1] if at else None
    return before, DOCUMENTS[at + 1] if at + 1 < len(DOCUMENTS) else None
