"""What a reader copies from a guide, taken out of the page as it is served."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from quota.tool_guides.parts import Kind


@dataclass
class Copied:
    """`name` as its guide calls it; `kind` is empty for a value that is typed into a tool."""

    name: str
    kind: str
    text: str = ""


class _Codes(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Copied] = []
        self.open: Copied | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("id") or ""
        if tag == "code" and name.startswith("copy-"):
            self.open = Copied(name.removeprefix("copy-"), values.get("data-kind") or "")
            self.found.append(self.open)

    def handle_endtag(self, tag: str) -> None:
        if tag == "code":
            self.open = None

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open.text += data


def copied(html: str) -> list[Copied]:
    """All that has a button to copy it, in the page's order."""
    parser = _Codes()
    parser.feed(html)
    parser.close()
    return parser.found


@dataclass(frozen=True, slots=True)
class Ran:
    """How a shell ended, and all that its person read."""

    status: int
    out: str
    said: str


def run_in_a_shell(commands: list[str], folder: Path, seconds: int = 120, **variables: str) -> str:
    """As `ran_in_a_shell`; all went well, and gives what they wrote to the standard output."""
    ran = ran_in_a_shell(commands, folder, seconds, **variables)
    assert ran.status == 0, ran.said
    return ran.out


def ran_in_a_shell(commands: list[str], folder: Path, seconds: int = 120, **variables: str) -> Ran:
    """One shell for all of them, as a reader has one terminal open; it ends at the first that fails.

    Home is `folder`, `python` is the one that runs the tests, and nothing else of the environment is there.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=folder,
        env={"HOME": str(folder), "PATH": path, "NO_PROXY": "*", **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stdout + done.stderr)


def shell_commands(snippets: list[Copied]) -> list[str]:
    """What is run; what installs a program is left out."""
    return [snippet.text for snippet in snippets if snippet.kind == Kind.SHELL]
