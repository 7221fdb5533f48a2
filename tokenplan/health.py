"""`/healthz` says that this process answers; `/readyz` says whether all it needs is there, or what is not."""

import logging

import psycopg
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import OperationalError as BrokerError

from tokenplan.celery import app
from tokenplan.middleware import Answer

log = logging.getLogger(__name__)

OK = "ok"
# Django wraps the exceptions of the driver, but not all of its connection pool.
DATABASE_ERRORS = (Error, psycopg.Error)
# Without these no request can be answered. Without the others, requests are answered and only sweeps wait.
REQUIRED = ("database", "migrations")


class HealthChecks:
    """Answers the two paths before any other middleware, for any Host header: probes use the IP address."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            return readiness()
        return self.get_response(request)


def readiness() -> JsonResponse:
    """200 when requests can be answered, else 503; each check says `ok` or what is missing."""
    database, broker = _database(), _broker()
    checks = {
        "database": database,
        "migrations": _migrations() if database == OK else f"unknown: {database}",
        "broker": broker,
        "worker": _worker() if broker == OK else f"unknown: {broker}",
    }
    ready = all(checks[name] == OK for name in REQUIRED)
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DATABASE_ERRORS as error:
        log.warning("Not ready, PostgreSQL does not answer: %s", error)
        return "PostgreSQL does not answer"
    return OK


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} not applied; run manage.py migrate" if missing else OK


def _broker() -> str:
    try:
        with app.connection_for_write(connect_timeout=1) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=1)
    except (BrokerError, OSError):
        return "the broker does not answer"
    return OK


def _worker() -> str:
    answers = app.control.broadcast("active_queues", reply=True, timeout=0.5) or []
    read = {queue["name"] for answer in answers for queues in answer.values() for queue in queues}
    unread = sorted(queue.name for queue in app.conf.task_queues if queue.name not in read)
    if not unread:
        return OK
    return f"no worker reads {', '.join(unread)}: these wait; run celery -A tokenplan worker"
