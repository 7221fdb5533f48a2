"""The text of a mail as what it is made of: subject, paragraphs, lists, links, and the one button.

Pure. A mail's template is plain text: `Subject: …` in its first line, perhaps `Button: …` in its second, a
blank line, and paragraphs. What programs show of it as HTML is read off that text, so that both say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What stands before the button, if it is so short and has no full stop, is what is written on it.
LONGEST_LABEL = 40
ITEM = "- "


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a line; a link where it has a `url`."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, or a list, of lines (nothing is an empty list); then the button, where `button` is its
    link.
    """

    lines: tuple[tuple[Part, ...], ...]
    is_list: bool = False
    button: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """`body` is the plain text, without subject."""

    subject: str
    body: str
    blocks: tuple[Block, ...]


def read_letter(text: str, *, base_url: str) -> Letter:
    """What the rendered template says. Only links that begin with `base_url` are links: whatever else looks
    like one was written by somebody, in a name or a message.
    """
    subject, _, rest = text.partition("\n")
    label = ""
    if rest.startswith("Button:"):
        label, _, rest = rest.removeprefix("Button:").partition("\n")
    body = rest.strip() + "\n"
    link = re.compile(re.escape(base_url) + r"(?![\w.:@-])(?:/[^\s<>\"']*[^\s<>\"'.,;:!?)])?/?")
    blocks = [_block(paragraph, link) for paragraph in re.split(r"\n[ \t]*\n", body)]
    return Letter(subject.removeprefix("Subject:").strip(), body, tuple(_with_button(blocks, label.strip())))


def _block(paragraph: str, link: re.Pattern[str]) -> Block:
    lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
    is_list = all(line.startswith(ITEM) for line in lines)
    texts = (line.removeprefix(ITEM) if is_list else line for line in lines)
    return Block(tuple(tuple(_parts(text, link)) for text in texts), is_list)


def _parts(line: str, link: re.Pattern[str]) -> Iterator[Part]:
    end = 0
    for found in link.finditer(line):
        if found.start() > end:
            yield Part(line[end : found.start()])
        yield Part(found.group(), found.group())
        end = found.end()
    if end < len(line):
        yield Part(line[end:])


def _with_button(blocks: list[Block], label: str) -> list[Block]:
    """The last paragraph that ends in a link has a button in the place of that link."""
    for place in reversed(range(len(blocks))):
        block = blocks[place]
        if not block.is_list and block.lines[-1][-1].url:
            blocks[place] = _button(block, label)
            break
    return blocks


def _button(block: Block, label: str) -> Block:
    last = block.lines[-1]
    lines = tuple(line for line in (*block.lines[:-1], last[:-1]) if line)
    before = " ".join("".join(part.text for part in line) for line in lines).strip()
    if not label and len(before) <= LONGEST_LABEL and before.endswith((":", "：")):
        return Block((), button=last[-1].url, label=before[:-1])
    return Block(lines, button=last[-1].url, label=label)
