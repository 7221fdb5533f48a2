"""Every text for people goes through gettext: in templates, in Python, and none in JavaScript."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, Token, TokenType

from tokenplan.documents.pages import LANGUAGES
from tokenplan.runtime.folders import ROOT

# A document is a file a language, and what keeps them alike is test_translated_documents.py.
DOCUMENTS = set(LANGUAGES)
TEMPLATES = [
    path
    for path in sorted((ROOT / "templates").rglob("*"))
    if path.suffix in (".html", ".txt") and not {"local_stripe", *DOCUMENTS} & set(path.parts)
]
# Packages whose Python is checked. Management commands, and the replay that one runs, are for developers.
PACKAGES = ["billing", "quota", "teams", "tokenplan/kit"]
MODULES = [
    path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if not {"management", "migrations", "replay"} & set(path.parts)
]
# What people read of the roof: signing in.
MODULES += [ROOT / "tokenplan" / name for name in ("account_forms.py", "passkeys.py")]

# The brand, a unit, and the headers of a mail: the same in every language.
SAME_EVERYWHERE = re.compile(r"Token Plan|\bUTC\b|^(?:Subject|Button):", re.M)
ADDRESS = re.compile(r"\S*/\S*")
READ_ALOUD = {"title", "aria-label", "aria-valuetext", "alt", "placeholder"}
# Elements that hold no sentences: samples of code.
SAMPLES = {"code", "script", "style"}
FILTER_TEXT = re.compile(r"\|(?:default|default_if_none|yesno|pluralize)(?::\"(?P<text>[^\"]*)\"|(?![:\w]))")
# Values for code, chosen by `yesno`.
NOT_FOR_PEOPLE = re.compile(r"^year,month$")


def letters(text: str) -> bool:
    return any(sign.isalpha() for sign in SAME_EVERYWHERE.sub("", text))


class Page(HTMLParser):
    """Collects the texts of a template out of which everything between braces was taken."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SAMPLES:
            self.open.append(tag)
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in SAMPLES and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open:
            self.texts.append(data)


ATTRIBUTES = re.compile(r'\s*[\w-]+="')


def outside(tokens: list[Token]) -> Iterator[Token]:
    """The tokens that no blocktranslate encloses."""
    enclosed = False
    for token in tokens:
        name = token.contents.split(maxsplit=1)[0] if token.token_type is TokenType.BLOCK else ""
        if name == "blocktranslate":
            enclosed = True
        elif name == "endblocktranslate":
            enclosed = False
        elif not enclosed:
            yield token


def untranslated(source: str, *, html: bool) -> list[str]:
    """The texts of a template that are not marked for translation."""
    tokens = Lexer(source).tokenize()
    found = [
        token.contents
        for token in tokens
        if token.token_type is TokenType.BLOCK
        and re.match(r"blocktranslate\b(?! trimmed\b)", token.contents)  # without it, line breaks are text
    ]
    rest = list(outside(tokens))
    for token in rest:
        if token.token_type in (TokenType.VAR, TokenType.BLOCK):
            found += [
                token.contents
                for match in FILTER_TEXT.finditer(token.contents)
                if "pluralize" in match[0] or (letters(NOT_FOR_PEOPLE.sub("", match["text"] or "")))
            ]
    text = "".join(token.contents for token in rest if token.token_type is TokenType.TEXT)
    if html:
        if ATTRIBUTES.match(text):  # of an element that includes them
            text = f"<i {text}>"
        page = Page()
        page.feed(text)
        page.close()
        texts = page.texts
    else:
        texts = ADDRESS.sub("", text).splitlines()
    return found + [" ".join(text.split()) for text in texts if letters(text)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT / "templates")))
def test_a_template_has_no_text_outside_of_translations(path: Path) -> None:
    assert untranslated(path.read_text(), html=path.suffix == ".html") == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        '<p>{% translate "Hello" %} there</p>',
        '<p title="Hello"></p>',
        '<a aria-label="Remove {{ name }}"></a>',
        "<p>{% if x %}and{% endif %} {{ y }}</p>",
        '{{ name|default:"Nobody" }}',
        '{{ granted|yesno:"Granted,Declined" }}',
        "{{ count }}{{ count|pluralize }}",
        "{% blocktranslate %}Hello{% endblocktranslate %}",
    ],
)
def test_the_check_of_templates_finds_what_is_not_marked(source: str) -> None:
    assert untranslated(source, html=True)


@pytest.mark.parametrize(
    "source",
    [
        '<p title="{% translate "Hello" %}">{% translate "Hello" %} <code>pat-…</code></p>',
        "{% blocktranslate trimmed with n=name|lower %}Hello {{ n }}{% endblocktranslate %}",
        "<title>{% block title %}{% endblock %} · Token Plan</title>{{ moment }} UTC",
        '{{ name|default:_("Nobody") }}{# A comment for developers. #}',
    ],
)
def test_the_check_of_templates_lets_pass_what_is_marked(source: str) -> None:
    assert untranslated(source, html=True) == []


# Python

# The names by which makemessages finds texts.
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
# Arguments, attributes and variables that hold texts for people.
TEXT_NAMES = {
    "default_detail",
    "detail",
    "done",
    "help_text",
    "label",
    "short_description",
    "title",
    "verbose_name",
    "verbose_name_plural",
}
# Positions of such arguments, by the called name: `messages.success(request, text)`.
TEXT_ARGUMENTS = {
    "act": (2,),
    "add_error": (1,),
    "attempt": (2,),
    "debug": (),
    "error": (1,),
    "info": (1,),
    "message_user": (1,),
    "success": (1,),
    "warning": (1,),
    "Problem": (2, 3),
    "Verb": (1,),
}
# Raised for developers.
DEVELOPERS_ERRORS = {
    "AssertionError",
    "CommandError",
    "ImproperlyConfigured",
    "KeyError",
    "LookupError",
    "RuntimeError",
    "TypeError",
    "ValueError",
}


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def owner_of(node: ast.expr) -> str:
    return name_of(node.value) if isinstance(node, ast.Attribute) else ""


def bare(node: ast.expr | None) -> list[str]:
    """The string literals of an expression that are texts and stand in no call of gettext."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and letters(node.value) else []
    if isinstance(node, ast.JoinedStr):
        return [text for part in node.values for text in bare(part)]
    if isinstance(node, ast.BinOp):
        return bare(node.left) + (bare(node.right) if isinstance(node.op, ast.Add) else [])
    if isinstance(node, ast.IfExp):
        return bare(node.body) + bare(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in bare(value)]
    if isinstance(node, ast.Call) and name_of(node.func) == "format_lazy":
        return bare(node.args[0])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return bare(node.func.value)  # "…".join(…), "…".format(…)
    return []


def labels(node: ast.expr | None) -> list[str]:
    """The bare labels in a list of choices: of each pair the second."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return []
    pairs = [pair for pair in node.elts if isinstance(pair, ast.Tuple) and len(pair.elts) == 2]
    return [text for pair in pairs for text in bare(pair.elts[1])]


def in_call(call: ast.Call, text_names: set[str]) -> Iterator[str]:
    name = name_of(call.func)
    if name in MARKS:
        if not (call.args and isinstance(call.args[0], ast.Constant)):
            yield f"{name}() of what is no literal"
        return
    documents_the_api = (
        owner_of(call.func) in ("serializers", "fields")
        or name.endswith("Serializer")
        or name in ("extend_schema", "OpenApiResponse")
    )
    if documents_the_api:
        return
    if not (name in ("debug", "error", "info", "warning") and owner_of(call.func) in ("log", "logger")):
        for position in TEXT_ARGUMENTS.get(name, ()):
            yield from bare(call.args[position] if len(call.args) > position else None)
    for keyword in call.keywords:
        if keyword.arg in text_names or (keyword.arg == "description" and owner_of(call.func) == "admin"):
            yield from bare(keyword.value)
        if keyword.arg == "choices":
            yield from labels(keyword.value)


def in_class(node: ast.ClassDef) -> Iterator[str]:
    if any(name_of(base) in ("TextChoices", "IntegerChoices") for base in node.bases):
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                value = statement.value
                pair = value.elts if isinstance(value, ast.Tuple) else []
                if len(pair) != 2 or bare(pair[1]):
                    yield f"{node.name}.{name_of(statement.targets[0])}"


def unmarked(source: str, *, of_api: bool = False) -> list[str]:
    """The texts for people in a module that do not go through gettext.

    In a module of the API, `help_text` is part of the OpenAPI document, which is in one language.
    """
    text_names = TEXT_NAMES - {"help_text"} if of_api else TEXT_NAMES
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found += in_call(node, text_names)
        elif isinstance(node, ast.ClassDef):
            found += in_class(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if name_of(node.exc.func) not in DEVELOPERS_ERRORS and node.exc.args:
                found += bare(node.exc.args[0])
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if {name_of(target) for target in targets} & TEXT_NAMES:
                found += bare(node.value)
            found += labels(node.value)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_no_text_for_people_outside_of_gettext(path: Path) -> None:
    assert unmarked(path.read_text(), of_api="api" in path.parts) == []


@pytest.mark.parametrize(
    "source",
    [
        'messages.success(request, f"{name} is invited.")',
        'done = f"The key of {name} no longer works."',
        'attempt(request, verb, "Done: " + what)',
        'forms.CharField(label="Name")',
        'forms.CharField(help_text=f"From 1 to {most}.")',
        'forms.ChoiceField(choices=[("0", "Not at all")])',
        'OVERLAPS = [("0", "Not at all"), ("3600", _("1 hour"))]',
        'class SeatTaken(Refusal):\n    title = "This seat is taken"',
        'class Seats(Refusal):\n    title: ClassVar[str] = "This seat is taken"',
        'raise InvalidValue("A name is needed.", pointer="/name")',
        'raise InvalidValue(" or ".join(roles))',
        'raise NotFound(_("Nothing here") if x else "Nothing there")',
        'raise NotFound(detail="Nothing here")',
        'class Role(TextChoices):\n    OWNER = "owner", "Owner"',
        'class Role(TextChoices):\n    OWNER = "owner"',
        '@admin.action(description="Revoke")\ndef revoke(self): ...',
        'class Meta:\n    verbose_name_plural = "audit entries"',
        '_(f"{name} is invited.")',
        '_("Hello " + name)',
        'forms.CharField(help_text=format_lazy("From 1 to {days}.", days=366))',
        'Problem("not_found", 404, "Nothing here", _("Check the address."))',
    ],
)
def test_the_check_of_python_finds_what_is_not_marked(source: str) -> None:
    assert unmarked(source)


@pytest.mark.parametrize(
    "source",
    [
        'messages.success(request, _("%(name)s is invited.") % {"name": name})',
        'raise InvalidValue(_("A name is needed."), pointer="/name")',
        'raise TypeError(f"{cls} names no right")',
        'logger.warning("Unavailable: %s", error)',
        'serializers.CharField(help_text="The whole text.")',
        'forms.CharField(help_text=format_lazy(_("From 1 to {days}."), days=366))',
        'class Role(TextChoices):\n    OWNER = "owner", _("Owner")',
        'audit.record(action="team.renamed", details={"before": before})',
    ],
)
def test_the_check_of_python_lets_pass_what_is_marked_or_for_developers(source: str) -> None:
    assert unmarked(source) == []


def test_the_help_text_of_an_api_field_is_not_translated() -> None:
    source = 'CreditsField(help_text="Of a calendar month.", label="Month")'
    assert unmarked(source) == ["Of a calendar month.", "Month"]
    assert unmarked(source, of_api=True) == ["Month"]


def test_javascript_takes_its_texts_from_the_page() -> None:
    for path in sorted((ROOT / "static").glob("*.js")):
        assert re.findall(r"(?:textContent|innerText|title|ariaLabel)\s*=\s*[\"'`]", path.read_text()) == []
