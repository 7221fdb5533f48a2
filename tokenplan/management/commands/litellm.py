"""`manage.py litellm`: LiteLLM with our package before this console, until Ctrl-C. `make run WITH=litellm`
starts it in the place of the small gateway.
"""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from quota.selectors.rate_cards import models_in_force
from tokenplan.management.commands.small_gateway import console_url
from tokenplan.runtime import environment, litellm_proxy
from tokenplan.runtime.demo import gateway_key


class Command(BaseCommand):
    help = "Serves LiteLLM with the models of the rate card: it asks this console, and passes calls on."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT + 2)
        parser.add_argument("--upstream", default="", help="where models answer, unless UPSTREAM_URL says so")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = settings.SMALL_GATEWAY
        credential = wanted and (wanted.credential or gateway_key(file=settings.DATA / "demo.json"))
        upstream_url = (wanted and wanted.upstream_url) or options["upstream"]
        if wanted is None or not credential or not upstream_url:
            raise CommandError(
                "LiteLLM lacks a credential or a model. Set SMALL_GATEWAY=1, SMALL_GATEWAY_KEY=gw-…, which"
                " manage.py create_gateway prints, and UPSTREAM_URL; or start it by make run WITH=litellm."
            )
        if not litellm_proxy.installed():
            raise CommandError("LiteLLM is not installed here. make run WITH=litellm installs it.")
        folder, host = settings.DATA / "litellm", environment.text("HOST", "127.0.0.1")
        config = litellm_proxy.write_config(folder, models=served_models(), upstream_url=upstream_url)
        connections.close_all()
        command = litellm_proxy.command(host=host, port=options["port"], config=config)
        variables = litellm_proxy.variables(
            folder,
            console_url=console_url(host),
            credential=credential,
            upstream_key=wanted.upstream_key,
        )
        os.execve(command[0], command, variables)  # noqa: S606  # no shell is wanted


def served_models() -> list[tuple[str, str]]:
    """The names and aliases of the rate card, each with the name of its model."""
    listed = models_in_force(timezone.now()).models
    return [(name, model.model) for model, aliases in listed for name in (model.model, *aliases)]
