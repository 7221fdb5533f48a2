"""The programs that run beside the servers, each with the command that starts it from the checkout."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenplan.runtime.folders import ROOT
from tokenplan.runtime.probes import WebProbe
from tokenplan.runtime.queues import WORKERS
from tokenplan.runtime.supervisor import Program

WORKER_THREADS = 2
# Threads that ask for memory at once get a part of it each, which is seldom given back. Those of a web server
# take turns, so two parts are enough (the C library of Linux reads this).
FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}


def all_programs(
    *, host: str, port: int, data: Path, local_stripe: bool, http2: bool = False
) -> list[Program]:
    """Everything `make run` starts beside the servers; a local Stripe only where asked for."""
    first = [local_stripe_server()] if local_stripe else []
    return [*first, web_server(host=host, port=port, data=data, http2=http2), *workers(), clock()]


def web_server(*, host: str, port: int, data: Path, http2: bool = False) -> Program:
    """One process for each core, but at least two and at most eight; one that hangs is replaced.

    HTTP/2 is spoken only where a proxy is known to want it: over one connection come any number of requests.
    """
    processes = max(2, min(os.cpu_count() or 1, 8))
    command = _granian("application", host=host, port=port, processes=processes)
    command += ["--http", "auto" if http2 else "1"]
    return Program("web server", command, ROOT, probe=WebProbe(data), variables=FEW_ARENAS)


def gateway_api_server(*, host: str, port: int, data: Path) -> Program:
    """Answers gateways alone, in processes of its own with their own connections to the database. Few: the
    more calls meet in one process, the more share its round trips and commits.
    """
    processes = max(1, min((os.cpu_count() or 1) // 4, 4))
    command = _granian("gateway_api", host=host, port=port, processes=processes)
    command += ["--http", "1"]
    return Program("gateway API server", command, ROOT, probe=WebProbe(data), variables=FEW_ARENAS)


def _granian(application: str, *, host: str, port: int, processes: int) -> list[str]:
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", host, "--port", str(port)]
    command += ["--workers", str(processes), "--respawn-failed-workers", "--workers-kill-timeout", "5"]
    return [*command, "--no-ws", "--log-level", "error", f"tokenplan.asgi:{application}"]


def workers() -> list[Program]:
    """One for each kind of task, in threads: they wait for the database, and processes would need pools.

    So a Stripe that is slow or away holds up what asks Stripe, and neither mails nor sweeps.
    """
    return [worker(name, tasks) for name, tasks in WORKERS.items()]


def worker(name: str, tasks: Sequence[str]) -> Program:
    """Runs these tasks alone."""
    command = [*_celery("worker"), "--pool", "threads", "--concurrency", str(WORKER_THREADS)]
    command += [
        "--queues",
        ",".join(tasks),
        "--hostname",
        f"{name}@%h",
        "--without-gossip",
        "--without-mingle",
    ]
    return Program(f"{name} worker", command, ROOT)


def clock() -> Program:
    """Enqueues each sweep when it is due. No pid file: one that a kill -9 left would stop the next start."""
    return Program("beat", [*_celery("beat"), "--pidfile="], ROOT)


def local_stripe_server() -> Program:
    """Stripe's API on this machine, one port above the web server's."""
    return Program("local Stripe", [sys.executable, "manage.py", "local_stripe"], ROOT)


def small_gateway(*, port: int) -> Program:
    """Answers calls of models as the platform's gateway would. It listens where the web server does."""
    command = [sys.executable, "manage.py", "small_gateway", "--port", str(port)]
    return Program("small gateway", command, ROOT)


def litellm(*, port: int, mock_port: int | None) -> list[Program]:
    """LiteLLM in the place of the small gateway, and the mock model behind it, if it has a port."""
    command = [sys.executable, "manage.py", "litellm", "--port", str(port)]
    if mock_port is None:
        return [Program("LiteLLM", command, ROOT)]
    command += ["--upstream", f"http://127.0.0.1:{mock_port}"]
    mock = [sys.executable, "-m", "granian", "--interface", "asgi", "--no-ws", "--port", str(mock_port)]
    mock += ["--host", "127.0.0.1", "--http", "1", "--workers", "1", "--respawn-failed-workers"]
    mock += ["--workers-kill-timeout", "5", "--log-level", "error", "integrations.mock_server:app"]
    return [Program("mock model", mock, ROOT), Program("LiteLLM", command, ROOT)]


def small_gateway_command(*, host: str, port: int) -> list[str]:
    """What `manage.py small_gateway` becomes. It is configured by variables: integrations/small_gateway."""
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--no-ws"]
    command += ["--host", host, "--port", str(port), "--http", "1", "--workers", "1"]
    command += ["--respawn-failed-workers", "--workers-kill-timeout", "8", "--log-level", "error"]
    return [*command, "integrations.small_gateway.app:create"]


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "-A", "tokenplan", command, "--loglevel", "WARNING"]
