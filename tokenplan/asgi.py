"""What the web server calls: Django, behind an application that reads bodies and answers for health."""

# First: it sets Django up, which the others need.
from tokenplan.wsgi import application as django

# isort: split
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.db import close_old_connections, connection
from django.http.request import split_domain_port, validate_host

from quota.api.gateway import crowds, gathered
from quota.api.key_holder import gathered as key_holders
from quota.hot_path.batches import LOCKED
from quota.hot_path.gathered import authorize_gathered
from quota.hot_path.gathered_draws import settle_gathered
from quota.views import unchanged_bars
from tokenplan.health import Health
from tokenplan.kit.postgresql.base import has_ended
from tokenplan.kit.problems import UNAVAILABLE
from tokenplan.kit.replica import REPLICA
from tokenplan.web.application import Application
from tokenplan.web.bodies import Bodies
from tokenplan.web.crowds import Crowds
from tokenplan.web.gathering import Gathering, Road
from tokenplan.web.threads import Threads

batches = ThreadPoolExecutor(1, thread_name_prefix="batches")
# What is only shown has a thread and a connection of its own, so that it delays no charge.
reads = ThreadPoolExecutor(1, thread_name_prefix="reads")


@lru_cache(maxsize=64)
def is_our_host(host: bytes) -> bool:
    """As Django decides for every other request."""
    return validate_host(split_domain_port(host.decode("latin-1"))[0], settings.ALLOWED_HOSTS)


def in_batches(
    work: Callable[[Sequence[Any]], Sequence[Any]],
    *,
    thread: ThreadPoolExecutor = batches,
    **more: Any,
) -> Gathering:
    """`more` is for the gathering. The thread keeps its connection from batch to batch; one that has ended,
    or that failed, is left.
    """

    def with_connection(asks: Sequence[Any]) -> Sequence[Any]:
        if connection.connection is not None and has_ended(connection.connection):
            connection.close()
        try:
            return work(asks)
        except BaseException:
            connection.close()
            raise

    return Gathering(with_connection, thread=thread, locked=LOCKED, **more)


# One for all addresses that show the bar: the more meet in a batch, the less each of them costs.
bars = in_batches(key_holders.bars_of_keys, thread=reads)
roads = [
    Road(
        gathered.AUTHORIZE,
        gathered.read_authorize,
        in_batches(authorize_gathered, about=attrgetter("request.key_text")),
        gathered.answer_authorize,
        gathered.refuse_authorize,
    ),
    Road(
        gathered.SETTLE,
        gathered.read_settle,
        # Each report is of a hold of its own: which key they have in common says the database.
        in_batches(settle_gathered, about=attrgetter("reservation_id"), locks_of=crowds.seats_of),
        gathered.answer_settle,
        gathered.refuse_settle,
    ),
    Road(
        key_holders.USAGE,
        key_holders.read_usage,
        bars,
        key_holders.answer_usage,
        key_holders.refuse_usage,
        method="GET",
    ),
    Road(
        key_holders.REMAINS,
        key_holders.read_remains,
        bars,
        key_holders.answer_remains,
        key_holders.refuse_remains,
        method="GET",
        ignores_query=True,
    ),
]
if REPLICA not in settings.DATABASES:  # what browsers ask for is read there, where there is one
    roads.append(
        Road(
            unchanged_bars.BARS,
            unchanged_bars.read_bars,
            in_batches(unchanged_bars.unchanged_bars, thread=reads),
            unchanged_bars.answer_bars,
            unchanged_bars.refuse_bars,
            method="GET",
            reads_query=True,
        )
    )


# Among the variables of a request whose gateway was recognised when it was asked what it names. It says only
# whether it is asked what is locked: the view asks for itself who calls.
RECOGNISED = "tokenplan.gateway_recognised"


def shares_of(environ: dict[str, Any]) -> list[tuple[Hashable, int]]:
    """What a gateway's request names. Who has no credential of ours takes the turn of nobody who has."""
    try:
        if not crowds.is_of_a_gateway(environ.get("HTTP_AUTHORIZATION", "")):
            return [("no gateway", crowds.OF_ANYTHING_ELSE)]
        environ[RECOGNISED] = True
        return [*crowds.shares_of(environ["PATH_INFO"], environ["wsgi.input"].getvalue())]
    except UNAVAILABLE:
        return [("unknown", crowds.OF_ANYTHING_ELSE)]  # the view says that the database is away
    finally:
        close_old_connections()


def locked_by(environ: dict[str, Any]) -> Hashable:
    """Which of these names is locked; None: neither, or whoever asks is refused before any lock."""
    if RECOGNISED not in environ:
        return None
    try:
        return crowds.locked_by(environ["PATH_INFO"], environ["wsgi.input"].getvalue())
    except UNAVAILABLE:
        return None
    finally:
        close_old_connections()


def serving(below: bytes) -> Application:
    """All paths that begin with this, and health."""
    return Application(
        bodies=Bodies(limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, seconds=settings.REQUEST_BODY_SECONDS),
        threads=Threads(
            django,
            threads=settings.WEB_THREADS,
            streams=settings.WEB_STREAMS,
            crowds=Crowds(
                crowds.GATEWAY, threads=settings.GATEWAY_THREADS, shares_of=shares_of, locked_by=locked_by
            ),
            after_call=close_old_connections,
        ),
        readiness=Health().readiness,
        data=settings.DATA,
        roads=roads,
        is_our_host=is_our_host,
        below=below,
    )


# The first is for a port of the console's own, the second for one that answers gateways alone.
application = serving(b"/")
gateway_api = serving(crowds.GATEWAY.encode())
