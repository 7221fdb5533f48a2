"""Django's settings of the database: the embedded one, or the one that the environment names.

No session state is kept between transactions, so PgBouncer in transaction mode may stand between
(docs/decisions/0061): nothing is prepared then, no cursor is left open on the server, and nothing is set for
a session. How long a statement may take is a setting of the role (tokenplan/kit/transactions.py).
"""

from pathlib import Path
from typing import Any

from tokenplan.runtime import addresses, environment, folders

ENGINE = "tokenplan.kit.postgresql"
# Seconds to wait for a free connection, or for the database to come back, before a request is refused.
CONNECTION_SECONDS = 3
REPLICA_CONNECTION_SECONDS = 1
# Where the machine of the database is gone without a word, libpq waits for its answer for ever, and the
# database's own limits end nothing here. So the operating system asks whether it is there, and gives up
# after 20 s: 10 of silence, and two questions that nobody answers.
NOTICES_SILENCE = {
    "connect_timeout": CONNECTION_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}


def databases(*, data: Path, threads: int) -> dict[str, dict[str, Any]]:
    """DATABASES; with a `replica` where DATABASE_REPLICA_URL names one. `threads`: how many of a process may
    use a connection at once. Raises InvalidEnvironment.
    """
    url = environment.text("DATABASE_URL")
    size = environment.number("DATABASE_POOL_SIZE", threads + 4, least=1)
    found = {"default": _database(addresses.database_settings(url) if url else embedded(data), pool(size))}
    found["default"]["TEST"] = {"NAME": environment.text("TEST_DATABASE_NAME") or None}
    if replica := environment.text("DATABASE_REPLICA_URL"):
        at = addresses.database_settings(replica, name="DATABASE_REPLICA_URL")
        # A page waits no longer for it than it would take to be read on the primary.
        found["replica"] = _database(at, {**pool(size), "timeout": REPLICA_CONNECTION_SECONDS})
        found["replica"]["TEST"] = {"MIRROR": "default"}
    return found


def _database(at: dict[str, Any], pool: dict[str, Any]) -> dict[str, Any]:
    return {
        **at,
        "ENGINE": ENGINE,
        "OPTIONS": {
            **at.get("OPTIONS", {}),
            **NOTICES_SILENCE,
            "pool": pool,
            "application_name": "tokenplan",
            "server_side_binding": False,
        },
        "CONN_MAX_AGE": 0,  # the pool keeps connections open
        # A check is a round trip on every request, a tenth of the hot path; the engine looks at the socket.
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def embedded(data: Path) -> dict[str, Any]:
    """Where the embedded PostgreSQL of this DATA is reached."""
    return {
        "NAME": "tokenplan",
        "USER": "postgres",
        "HOST": str(folders.socket_folder(data)),
        "PORT": "5432",
    }


def pool(size: int) -> dict[str, Any]:
    """The options of a process's pool of at most so many connections."""
    return {
        "min_size": 1,
        "max_size": size,
        "timeout": CONNECTION_SECONDS,
        # After so many seconds the pool gives up, and the next request starts it afresh. By default it would
        # try less and less often, and need another minute to notice a database that was away for one.
        "reconnect_timeout": 2,
    }


def direct_database() -> dict[str, Any] | None:
    """Where DATABASE_URL leads to PgBouncer: Django's settings of the PostgreSQL behind it, which
    `manage.py migrate` needs. None where DATABASE_DIRECT_URL is not set. Raises InvalidEnvironment.
    """
    url = environment.text("DATABASE_DIRECT_URL")
    return addresses.database_settings(url, name="DATABASE_DIRECT_URL") if url else None
