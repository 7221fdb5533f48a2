"""Where the supervisor asks this very process whether it still answers.

The processes of the web server share one port, so a probe of the port reaches any of them. Each therefore
also has a Unix socket named after its number, on which its event loop says for how long its threads have
been stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path


@contextlib.asynccontextmanager
async def door(path: Path, stuck_seconds: Callable[[], float]) -> AsyncIterator[None]:
    """The socket is open inside."""

    async def opened(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(f"{stuck_seconds():.0f}\n".encode())
            await writer.drain()
            writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(opened, path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
