#!/usr/bin/env python3
"""Runs a management command, by the project's own Python and with a database to talk to."""

import importlib.util
import os
import sys
from importlib import import_module
from pathlib import Path

VENV_PYTHON = Path(__file__).resolve().parent / ".venv" / "bin" / "python"


def main() -> None:
    """Re-executes itself by .venv's Python where this one has no Django, then hands over to it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")
    if importlib.util.find_spec("django") is None:
        # The variable stops a loop, should .venv be there but without Django.
        if not VENV_PYTHON.exists() or os.environ.get("TOKENPLAN_REEXECUTED"):
            sys.exit("Django is not installed. Run `make setup` first.")
        os.environ["TOKENPLAN_REEXECUTED"] = "1"
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])
    run_command()


def run_command() -> None:
    """Starts the embedded servers for a command that needs them, when none are given and none are running.

    Variables that cannot be used are refused before anything is started.
    """
    from django.core.management import execute_from_command_line

    from tokenplan.runtime.embedded import servers_for_command
    from tokenplan.runtime.environment import InvalidEnvironment
    from tokenplan.runtime.failures import ServerFailed

    try:
        if len(sys.argv) > 1:
            import_module(os.environ["DJANGO_SETTINGS_MODULE"])
        with servers_for_command(sys.argv):
            execute_from_command_line(sys.argv)
    except (InvalidEnvironment, ServerFailed) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
