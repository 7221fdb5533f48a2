"""`manage.py up`: everything an installation needs, until Ctrl-C. `make run` calls it."""

import errno
import ipaddress
import os
import socket
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection, connections
from django.utils import timezone

from teams.services.key_roots import missing_roots, note_roots, what_to_do
from tokenplan.management.commands.demo import load_catalog
from tokenplan.runtime import environment, litellm_proxy
from tokenplan.runtime.demo import (
    DemoRemoved,
    demo_people,
    gateway_key,
    load_demo,
    sign_ins,
    write_gateway_url,
)
from tokenplan.runtime.embedded import embedded_servers
from tokenplan.runtime.failures import ServerFailed
from tokenplan.runtime.older_data import OlderData, refuse_data_of_another_version
from tokenplan.runtime.programs import all_programs, gateway_api_server, litellm, small_gateway
from tokenplan.runtime.supervisor import AlreadyRunning, Program, Stopped, Supervisor
from tokenplan.static_files import gather

OLDEST_POSTGRES = 15


class Command(BaseCommand):
    help = "Starts the servers, the web server, the worker and the clock; stops them all on Ctrl-C."
    requires_system_checks = ()
    gateway_url: str | None = None

    def handle(self, *args: Any, **options: Any) -> None:
        host = environment.text("HOST", "127.0.0.1")
        port = settings.PORT
        programs = all_programs(
            host=host,
            port=port,
            data=settings.DATA,
            local_stripe=settings.LOCAL_STRIPE,
            http2=environment.flag("HTTP2"),
        )
        gateway_api_port = environment.number("GATEWAY_API_PORT", 0, most=65_535)
        if gateway_api_port:
            programs.append(gateway_api_server(host=host, port=gateway_api_port, data=settings.DATA))
        supervisor = Supervisor(
            data=settings.DATA, servers=embedded_servers(settings.DATA), programs=programs
        )
        try:
            refuse_busy_port(host, port)
            if gateway_api_port:
                refuse_busy_port(host, gateway_api_port, "the gateway API", port)
            if settings.LOCAL_STRIPE:
                refuse_busy_port("127.0.0.1", port + 1, "the local Stripe", port)
            self.say("Starting …")
            with supervisor.started(description=settings.BASE_URL):
                self.prepare_database()
                gather_static_files()
                supervisor.programs = [*programs, *self.small_gateway(host, port)]
                supervisor.run(host=reachable(host), port=port, serving=self.announce)
        except Stopped:
            self.say("Stopped. The data is kept in " + str(settings.DATA))
        except (AlreadyRunning, ServerFailed) as error:
            raise CommandError(str(error)) from error

    def prepare_database(self) -> None:
        """Migrates the database, and fills what is empty. Leaves no connection open.

        Raises CommandError where this installation must not start with this database.
        """
        try:
            refuse_older_postgres()
            refuse_data_of_another_version()
            call_command("migrate", verbosity=0, interactive=False)
            call_command("createcachetable", verbosity=0)
            refuse_missing_key_roots()
            load_catalog(StringIO())
            if settings.DEMO:
                made = load_demo(file=settings.DATA / "demo.json", url=settings.BASE_URL, at=timezone.now())
                if made:  # a month that was never checked is an alarm to the operators
                    call_command("reconcile", stdout=StringIO())
            elif not settings.ADDRESS.is_this_machine:
                refuse_demo_people()
        except DemoRemoved:
            pass  # somebody took it away
        except OlderData as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}") from error
        finally:
            connections.close_all()
            # The pool's threads must be gone before children are forked.
            connections["default"].close_pool()  # type: ignore[attr-defined]  # not in the stubs

    def small_gateway(self, host: str, port: int) -> list[Program]:
        """The small gateway or LiteLLM, where one is wanted and has a credential. Notes its address for the
        demo's file, and for the pages that lead people's tools to it. Raises CommandError where its port is
        busy, and where LiteLLM is not installed.
        """
        wanted, file, programs = settings.SMALL_GATEWAY, settings.DATA / "demo.json", []
        if wanted and (wanted.credential or gateway_key(file=file)):
            at = wanted.port or free_port_from(host, port + 2)
            refuse_busy_port(host, at, "the small gateway", port)
            self.gateway_url = f"http://{settings.ADDRESS.host}:{at}"
            os.environ.setdefault("GATEWAY_ANTHROPIC_URL", self.gateway_url + anthropic_root())
            os.environ.setdefault("GATEWAY_OPENAI_URL", f"{self.gateway_url}/v1")
            programs = with_litellm(host, at) if wanted.litellm else [small_gateway(port=at)]
        write_gateway_url(file=file, gateway_url=self.gateway_url)
        return programs

    def announce(self) -> None:
        """Says where it serves and how to sign in."""
        self.say(f"\n  Token Plan serves {self.style.SUCCESS(settings.BASE_URL)}\n")
        demo_file = settings.DATA / "demo.json"
        if settings.DEMO and demo_file.exists():
            for line in sign_ins(file=demo_file):
                self.say(f"  {line}")
            self.say(f"\n  Keys and the gateway's credential: {demo_file}")
        if self.gateway_url:
            self.say(f"  Keys answer at {self.gateway_url}{anthropic_root() or '/'} and /v1: {model()}")
            if settings.SMALL_GATEWAY and settings.SMALL_GATEWAY.litellm:
                self.say("  There LiteLLM answers, which takes half a minute to start.")
        self.say(f"  API: {settings.BASE_URL}/api/docs/   Mail it sends: {settings.EMAIL_FILE_PATH}")
        self.say(f"  {payments()}")
        self.say("  Ctrl-C stops everything.\n")

    def say(self, text: str) -> None:
        """Prints at once, also into a pipe."""
        self.stdout.write(text)
        self.stdout.flush()


def gather_static_files() -> None:
    """Has the web server serve them compressed and for good, unless somebody has chosen a folder for that, or
    works on them.
    """
    if not settings.STATIC_ROOT and not settings.DEBUG:
        os.environ["STATIC_ROOT"] = str(gather(settings.DATA / "static"))


def refuse_older_postgres() -> None:
    """Raises CommandError for a server older than OLDEST_POSTGRES."""
    connection.ensure_connection()
    version = connection.pg_version // 10000  # type: ignore[attr-defined]  # not in the stubs
    if version < OLDEST_POSTGRES:
        raise CommandError(f"The database is PostgreSQL {version}; {OLDEST_POSTGRES} or newer is needed.")


def refuse_demo_people() -> None:
    """Raises CommandError where anyone could sign in as one of the demo's people."""
    if demo_people().filter(is_active=True).exists():
        raise CommandError(
            "This data has the demo's people, whose passwords were printed, an operator among them, and"
            f" {settings.BASE_URL} is not this machine. Take them away: manage.py demo --remove. Or start"
            " with other data: make run DATA=var/live"
        )


def refuse_missing_key_roots() -> None:
    """Raises CommandError where this installation's keys were made with secrets that it has not."""
    now = timezone.now()
    note_roots(at=now)
    missing = missing_roots(at=now)
    if missing:
        raise CommandError(what_to_do(missing))


def refuse_busy_port(host: str, port: int, what: str = "", asked: int | None = None) -> None:
    """Raises CommandError when something else listens there, before anything is started.

    `what` says who wants the port. `asked` is the port that was chosen, where this one follows from it.
    """
    error = refusal_to_listen(host, port)
    if error is None:
        return
    # The two ports above the chosen one are the local Stripe's and the small gateway's.
    advice = f"Choose another port: make run PORT={(asked or port) + 3}"
    if error.errno not in (errno.EADDRINUSE, errno.EACCES):
        advice = "HOST must be an address of this machine"
    raise CommandError(
        f"Cannot serve {what + ' ' if what else ''}on {host}:{port}: {error.strerror}. {advice}"
    ) from error


def free_port_from(host: str, first: int) -> int:
    """This port, or the next above it that nobody listens on. Of a hundred; where none is free, the first."""
    ports = range(first, min(first + 100, 65_536))
    return next((port for port in ports if refusal_to_listen(host, port) is None), min(first, 65_535))


def refusal_to_listen(host: str, port: int) -> OSError | None:
    """Why nobody can listen there; None: somebody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def payments() -> str:
    """The line that says which Stripe payments go to."""
    if settings.LOCAL_STRIPE:
        return (
            f"Payments: a local Stripe, {settings.STRIPE_API_BASE}; no money moves. Card 4242 4242 4242 4242"
        )
    mode = "live" if "_live_" in settings.STRIPE_SECRET_KEY else "test mode"
    if settings.STRIPE_WEBHOOK_SECRET:
        return f"Payments: Stripe, {mode}"
    return (
        f"Payments: Stripe, {mode}. STRIPE_WEBHOOK_SECRET is not set, so its events are refused (README.md)"
    )


def model() -> str:
    """What says which model answers at the small gateway."""
    upstream = settings.SMALL_GATEWAY and settings.SMALL_GATEWAY.upstream_url
    return f"calls are passed on to {upstream}" if upstream else "a mock. UPSTREAM_URL= names a real model"


def anthropic_root() -> str:
    """Where the gateway has Anthropic's protocol. LiteLLM has it, as OpenAI's, at its root."""
    return "" if settings.SMALL_GATEWAY and settings.SMALL_GATEWAY.litellm else "/anthropic"


def with_litellm(host: str, port: int) -> list[Program]:
    """LiteLLM on this port, before the model of UPSTREAM_URL, or the mock on the next port that is free."""
    if not litellm_proxy.installed():
        raise CommandError("LiteLLM is not installed here. make run WITH=litellm installs it.")
    has_upstream = settings.SMALL_GATEWAY and settings.SMALL_GATEWAY.upstream_url
    return litellm(port=port, mock_port=None if has_upstream else free_port_from("127.0.0.1", port + 1))


def reachable(host: str) -> str:
    """The address this server can be called at from here: for a wildcard, the loopback address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"
