"""`DATA/demo.json`: who can sign in to the demo, its keys, and the gateway's credential. Only the account
that runs the installation can read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenplan.runtime.folders import private_folder


def write_gateway_url(*, file: Path, gateway_url: str | None) -> None:
    """Notes in `file`, if it is there, where the keys of the demo are answered; None: nowhere."""
    present = read(file)
    if present and present.get("gateway_url") != gateway_url:
        write(file, {**present, "gateway_url": gateway_url})


def gateway_key(*, file: Path) -> str | None:
    """The demo's gateway credential; None where there is no demo."""
    present = read(file)
    return str(present["gateway_key"]) if present else None


def sign_ins(*, file: Path) -> list[str]:
    """Who can sign in, where they are, and what they show, a line each; none where there is no demo."""
    present = read(file)
    people = present["people"] if present else []
    passwords = {person["password"] for person in people}
    lines = [f"The password of all of them is {password}" for password in passwords if len(passwords) == 1]
    for person in people:
        where = f"{person['team']}, {person['role']}" if person["team"] else person["role"]
        shown = "" if len(passwords) == 1 else f"{person['password']}  "
        lines.append(f"{person['email']:<27} {shown}{where:<17} {person.get('shows', '')}".rstrip())
    return lines


def read(file: Path) -> dict[str, Any] | None:
    """What it says; None where it is not there, or is something else."""
    try:
        content: dict[str, Any] = json.loads(file.read_text("utf-8-sig"))
        return content if {"url", "gateway_key"} <= content.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Replaces the file at once, so that it is never half written nor readable by another account."""
    private_folder(file.parent)
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        json.dump(content, output, indent=2)
    draft.replace(file)
