"""The plans and prices that are shipped, as the commands load them."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def said(command: str, *arguments: str) -> list[str]:
    """The lines that a command writes."""
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().splitlines()


def refused(command: str, *arguments: str) -> str:
    """Why a command ends with an error."""
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments)
    return str(error.value)


def load_shipped() -> None:
    """The shipped plans are on sale at the shipped prices."""
    for command in ("load_plans", "load_prices"):
        said(command)


def written(folder: Path, content: object) -> str:
    """The name of a file with this content."""
    file = folder / "list"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)
