"""What the first load of a page weighs: its static files as the web server sends them."""

from __future__ import annotations

import json
from pathlib import Path

MOST_BYTES = 150_000


def sizes_of_files(folder: Path) -> dict[str, int]:
    """Of each gathered file, by the address that a page of the tests has for it, how many bytes are sent."""
    paths = json.loads((folder / "staticfiles.json").read_text())["paths"]
    return {f"/static/{name}": size_of(folder / gathered) for name, gathered in paths.items()}


def size_of(file: Path) -> int:
    """How many bytes of it are sent: compressed, where it is, since every browser takes that."""
    compressed = file.with_name(f"{file.name}.gz")
    return (compressed if compressed.exists() else file).stat().st_size
