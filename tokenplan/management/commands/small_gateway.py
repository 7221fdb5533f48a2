"""`manage.py small_gateway`: the small gateway before this console, until Ctrl-C. `make run` starts it."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tokenplan.management.commands.up import reachable
from tokenplan.runtime import environment
from tokenplan.runtime.demo import gateway_key
from tokenplan.runtime.programs import small_gateway_command


def console_url(host: str) -> str:
    """Where the gateway reaches this console: on a laptop directly, elsewhere as everybody does."""
    if not settings.ADDRESS.is_this_machine:
        return str(settings.BASE_URL)
    address = reachable(host)
    return f"http://[{address}]:{settings.PORT}" if ":" in address else f"http://{address}:{settings.PORT}"


class Command(BaseCommand):
    help = "Serves the small gateway: it asks this console, and answers as a mock or by UPSTREAM_URL."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT + 2)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = settings.SMALL_GATEWAY
        credential = wanted and (wanted.credential or gateway_key(file=settings.DATA / "demo.json"))
        if wanted is None or not credential:
            raise CommandError(
                "The small gateway has no credential: there is no demo. Set SMALL_GATEWAY=1 and"
                " SMALL_GATEWAY_KEY=gw-…, which manage.py create_gateway prints."
            )
        host = environment.text("HOST", "127.0.0.1")
        command = small_gateway_command(host=host, port=options["port"])
        # It gets what it needs by variables, as it would anywhere else: it knows nothing of this project.
        variables = {
            "CONSOLE_URL": console_url(host),
            "GATEWAY_KEY": credential,
            "UPSTREAM_URL": wanted.upstream_url,
            "UPSTREAM_KEY": wanted.upstream_key,
        }
        os.execve(command[0], command, {**os.environ, **variables})  # noqa: S606  # no shell is wanted
