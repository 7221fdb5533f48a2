"""What a guide is made of. Pure: a guide is a function of a `Setup`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# In place of a key that is not shown. Whoever runs a command with it is told "invalid api key".
NO_KEY = "sk-cp-YOUR-KEY"
# What documents of the models say; a model that is not here leaves its tool's own default.
CONTEXT_LENGTHS = {"MiniMax-M3": 1_000_000, "MiniMax-M2.7": 204_800}


class Protocol(StrEnum):
    """The two ways in which tools talk to a model; each has a base URL of its own."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Setup:
    """What is filled in. Base URLs have no slash at the end; an empty one is not set. `costs` are dollars a
    million tokens of the model, by meter, as decimal texts; empty where it is not priced by tokens.
    """

    anthropic_url: str
    openai_url: str
    console_url: str
    model: str
    key: str = NO_KEY
    costs: tuple[tuple[str, str], ...] = ()

    def url(self, protocol: Protocol) -> str:
        return self.anthropic_url if protocol == Protocol.ANTHROPIC else self.openai_url

    @property
    def protocols(self) -> list[Protocol]:
        """Those that can be used, the better one for tools that speak both first: it caches prompts."""
        return [protocol for protocol in Protocol if self.url(protocol)]


class Kind(StrEnum):
    """INSTALL and SHELL are run in a shell; what FILE and PYTHON say stands in `file`; VALUE is typed."""

    INSTALL = "install"
    SHELL = "shell"
    FILE = "file"
    PYTHON = "python"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Snippet:
    """What is copied. `name` is unique in its guide. `file`: where it is written, `~` being one's home.
    `field`: what the tool calls the field that a value is typed into.
    """

    name: str
    kind: Kind
    text: str
    file: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """`text` has one paragraph each; `code` and *names of a tool's buttons* are marked so. `instead`: another
    way to do what steps before do. `note`: nothing to do, but to know. `shows_use`: here the reader sees
    whether the call has arrived.
    """

    title: str
    text: tuple[str, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    instead: bool = False
    note: bool = False
    shows_use: bool = False


@dataclass(frozen=True, slots=True)
class Guide:
    """A tool, or the first call. `protocols`: those it can be set up for; one of them is enough."""

    slug: str
    name: StrOrPromise
    protocols: tuple[Protocol, ...]
    steps: Callable[[Setup], tuple[Step, ...]]

    def is_available(self, setup: Setup) -> bool:
        return any(setup.url(protocol) for protocol in self.protocols)

    def not_set(self, setup: Setup) -> list[Protocol]:
        """The protocols of the guide whose base URL is not set."""
        return [protocol for protocol in self.protocols if not setup.url(protocol)]

    def snippets(self, setup: Setup) -> list[Snippet]:
        """All of it that is copied, in order."""
        return [snippet for step in self.steps(setup) for snippet in step.snippets]
