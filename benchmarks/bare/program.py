"""The server of the bare view: the console's own command, but for what it serves.

It is served as Django is commonly served, by WSGI, so that nothing of the console's is before it but the
middleware.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.scratch import HOST, Scratch, free_port, serving
from tokenplan.runtime import environment
from tokenplan.runtime.programs import web_server
from tokenplan.runtime.supervisor import Program

INSTEAD = {"asgi": "wsgi", "tokenplan.asgi:application": "tokenplan.wsgi:application"}


@contextlib.contextmanager
def bare_view(target: Scratch) -> Iterator[int]:
    """The port on which it answers, beside this installation and from its database."""
    port = free_port()
    console = web_server(host=HOST, port=port, data=Path(target.variables["DATA"]))
    command = [INSTEAD.get(part, part) for part in console.command]
    threads = environment.text("WEB_THREADS", "8")
    program = Program("bare view", [*command, "--blocking-threads", threads], console.folder)
    variables = {**target.variables, "DJANGO_SETTINGS_MODULE": "benchmarks.bare.settings"}
    with serving(program, variables, port):
        yield port
