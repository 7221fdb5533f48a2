"""Promises kept: links in pages and mails lead somewhere, and what a text says is to be opened is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.urls import get_resolver, resolve

from tests.keepers import OURS, files
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
