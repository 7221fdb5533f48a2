"""Promises kept: links in pages, mails, documents and translations lead somewhere, and what a text says is to
be opened is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from tests.helpers.catalogues import CATALOGUES, entries
from tests.keepers import OURS, documents, files, spans
from tests.keepers.test_docs import answered
from tokenplan.runtime.folders import ROOT

TEMPLATES = [path for path in files("templates") if path.suffix in (".html", ".txt")]
MAILS = [path for path in TEMPLATES if path.suffix == ".txt"]
# What is said of other companies' programs is not ours to check.
MODULES = [path for path in files(*OURS, suffix=".py") if "tool_guides" not in path.parts]
LINKS_IN_PYTHON = re.compile(r"\b(?:reverse|reverse_lazy|redirect)\(\s*\"([\w-]+)\"")
HREF = re.compile(r"(?:href|action|hx-get|hx-post)=\"((?:[^\"{]|{{.*?}}|{%.*?%})*)\"")
MAILED = re.compile(r"{{ base_url }}((?:[^\s{\"]|{{.*?}}|{% (?:if|elif|else|endif).*?%})*)")
CONDITION = re.compile(r"{% if [^%]+%}((?:(?!{% if).)*?){% endif %}")
OTHERWISE = re.compile(r"{% (?:elif [^%]+|else) %}")
SOME_ID = "0b8f6a2e-7c4a-4a54-9f1e-0d3b9d0d3b9d"
# "Add a card under Cards and invoices", "open Billing".
SAID_TO_OPEN = re.compile(
    r"\b(?:[Uu]nder|[Oo]pen) (?!Token Plan)([A-Z][a-z]+(?: and [a-z]+| [a-z]+-[a-z]+)?)"
)
LABEL = re.compile(r"{% (?:translate|trans) \"([^\"]+)\"")
CODE = re.compile(r"<code>([a-z]+(?:_[a-z]+)+)</code>")
# Where a text leads, and what it names for programs: the same in every language.
SAME = re.compile(
    r"\bhref=\"[^\"]*\"|<code>[^<]*</code>|\b(?:GET|POST|PUT|PATCH|DELETE)\b|https?://[A-Za-z0-9./_-]*[A-Za-z0-9/]"
)
# Addresses of the console in Markdown, with or without the method; whatever begins otherwise is a gateway's.
ADDRESS = re.compile(r"(?:[A-Z]+ )?(/(?:api|accounts?|admin|teams)/.*)")
# Of texts about what is planned or was, and about what others have.
HISTORY = ("decisions", "CHANGELOG.md")


@cache
def names(namespace: str = "") -> set[str]:
    resolver = get_resolver()
    if namespace:
        _prefix, resolver = resolver.namespace_dict[namespace]
    return {name for name in resolver.reverse_dict if isinstance(name, str)}


def is_there(name: str) -> bool:
    namespace, _, rest = name.rpartition(":")
    return rest in names(namespace)


def named_in(template: str) -> set[str]:
    """The names of addresses in it: of `url`, and of `nav_link`, which takes several."""
    found = set(re.findall(r"{%\s*url\s+['\"]([\w:-]+)['\"]", template))
    for arguments in re.findall(r"{%\s*nav_link\s+(.*?)%}", template):
        found |= set(re.findall(r"(?<!=)\"([\w-]+)\"", arguments))
    return found


def ways_of(address: str) -> Iterator[str]:
    """An address with each way of its conditions, and something in the place of each value."""
    found = CONDITION.search(address)
    if found is None:
        yield re.sub(r"{{.*?}}", SOME_ID, re.sub(r"{%.*?%}", "", address))
        return
    for way in OTHERWISE.split(found[1]):
        yield from ways_of(address[: found.start()] + way + address[found.end() :])


def leads_somewhere(path: str) -> bool:
    try:
        resolve(path.partition("?")[0].partition("#")[0])
    except Exception:
        return False
    return True


def dead_links(template: str) -> list[str]:
    """Addresses that are written out and that no page has; mails write theirs behind `base_url`."""
    written = [address for address in HREF.findall(template) if address.startswith("/")]
    written += [address or "/" for address in MAILED.findall(template)]
    return [way for address in written for way in ways_of(address) if not leads_somewhere(way)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_every_link_of_a_template_leads_somewhere(path: Path) -> None:
    template = path.read_text()
    assert [name for name in named_in(template) if not is_there(name)] == []
    assert dead_links(template) == []


def test_the_check_of_links_finds_those_that_lead_nowhere() -> None:
    assert named_in('{% url \'team\' x %}{% nav_link "team-usage" label "charges" slug=team.slug %}') == {
        "team",
        "team-usage",
        "charges",
    }
    assert not is_there("charges")
    assert not is_there("admin:nothing")
    ways = "{% if a == b %}balance{% elif lot %}credit{% else %}billing{% endif %}"
    ways = "{{ base_url }}/teams/{{ slug }}/" + ways + "/"
    assert dead_links(ways) == [f"/teams/{SOME_ID}/credit/"]
    assert dead_links('<a href="/nowhere/">') == ["/nowhere/"]
    assert dead_links('<a href="/faq/#x"> <a href="{{ url }}"> {{ base_url }}/account/') == []


def test_every_anchor_is_there() -> None:
    texts = {path: path.read_text() for path in TEMPLATES}
    ids = {name for text in texts.values() for name in re.findall(r"\bid=\"([\w-]+)\"", text)}
    missing = {
        f"{path.name}: #{anchor}"
        for path, text in texts.items()
        for anchor in re.findall(r"(?:href|data-copy|data-filter)=\"[^\"]*?#([\w-]+)\"", text)
        if anchor not in ids
    }
    assert missing == set()


def test_every_address_that_the_code_names_is_there() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in MODULES
        if "integrations" not in path.parts
        for name in LINKS_IN_PYTHON.findall(path.read_text())
        if not is_there(name)
    }
    assert missing == set()


def test_what_a_text_says_to_open_is_written_on_a_page() -> None:
    labels = {label for path in TEMPLATES for label in LABEL.findall(path.read_text())}
    said = {
        (path.name, name)
        for path in [*TEMPLATES, *MODULES]
        for name in SAID_TO_OPEN.findall(re.sub(r"<[^>]+>", "", path.read_text()))
    }
    assert {name for _, name in said} >= {"Cards and invoices", "Seats"}  # it finds some
    assert {(file, name) for file, name in said if name not in labels} == set()


def test_every_error_code_that_a_page_names_is_there() -> None:
    named = {code for path in TEMPLATES for code in CODE.findall(path.read_text())}
    assert named - answered().keys() == set()


def is_address(written: str) -> bool:
    """Whether the console has it, or those below it where it ends in `…` or `/`; `{slug}` is any value."""
    path = written.partition("?")[0]
    if path.endswith(("…", "/")) and any(f"/{route}".startswith(path.rstrip("…")) for route in routes()):
        return True
    filled = [re.sub(r"{\w+}", value, path) for value in ("1", "acme", SOME_ID)]
    return any(leads_somewhere(way) or leads_somewhere(f"{way}/") for way in filled)


@cache
def routes() -> frozenset[str]:
    """How every address begins, up to its first value."""

    def walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
        for pattern in patterns:
            route = before + str(pattern.pattern).lstrip("^")
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            else:
                yield route.partition("<")[0]

    return frozenset(walk(get_resolver().url_patterns, ""))


def addresses_in(document: str) -> list[str]:
    return [found[1] for span in spans(document) if (found := ADDRESS.fullmatch(span))]


def test_every_address_that_a_document_names_is_there() -> None:
    named = {
        (path.name, address)
        for path in documents()
        if not set(HISTORY) & set(path.parts)
        for address in addresses_in(path.read_text())
    }
    assert len(named) > 20  # it finds some
    assert {(name, address) for name, address in named if not is_address(address)} == set()


def test_the_check_of_documents_finds_an_address_that_is_gone() -> None:
    assert addresses_in("`GET /api/v1/me` asks, `/v1/messages` is a gateway's, `/teams/…` are pages") == [
        "/api/v1/me",
        "/teams/…",
    ]
    assert is_address("/teams/{slug}/members/")
    assert is_address("/api/v1/me…")
    assert not is_address("/teams/{slug}/charge/")
    assert not is_address("/api/v2/…")


def test_the_check_of_translations_finds_each_kind_of_what_stays_the_same() -> None:
    text = '<a href="/x/">打开</a> <code>not_found</code>，GET https://openclaw.ai/install.sh。'
    assert SAME.findall(text) == [
        'href="/x/"',
        "<code>not_found</code>",
        "GET",
        "https://openclaw.ai/install.sh",
    ]


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda path: path.parts[-3])
class TestTranslation:
    """What a translated text promises is what its original does."""

    def test_it_leads_where_its_original_leads(self, catalogue: Path) -> None:
        different = [
            (entry.key[1], text)
            for entry in entries(catalogue.read_text())
            for text in entry.translations
            if text and sorted(SAME.findall(text)) != sorted(SAME.findall(entry.plural or entry.key[1]))
        ]
        assert different == []

    def test_what_it_says_to_open_is_called_so_on_the_page(self, catalogue: Path) -> None:
        texts = [entry for entry in entries(catalogue.read_text()) if entry.translations]
        labels = {entry.key[1]: entry.translations[0] for entry in texts if not entry.key[0]}
        said = [
            (name, entry.translations[0])
            for entry in texts
            for name in SAID_TO_OPEN.findall(re.sub(r"<[^>]+>", "", entry.key[1]))
        ]
        assert {name for name, _ in said} >= {"Cards and invoices"}  # it finds some
        assert [(name, text) for name, text in said if text and labels.get(name, name) not in text] == []
