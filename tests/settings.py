"""The product's settings, changed for tests: data of their own, and speed instead of safety."""

import os

import stripe
from kombu import Queue

from tokenplan.runtime import environment, folders
from tokenplan.runtime.queues import QUEUES

# Before the product's settings are read. Never the data of `make run`, whatever DATA says.
os.environ["DATA"] = environment.text("TEST_DATA", str(folders.ROOT / "var" / "test"))

# The coordinator of a Citus cluster: then the test database is there, and shared out over its servers.
if CITUS_URL := environment.text("CITUS_URL"):
    os.environ["DATABASE_URL"] = CITUS_URL

# Tests talk to a local Stripe; to an account only where TEST_STRIPE_SECRET_KEY asks for it.
os.environ.pop("STRIPE_SECRET_KEY", None)

# Each run has its own database, so that two can run at once. xdist's processes inherit the name.
os.environ.setdefault("TEST_DATABASE_NAME", f"test_tokenplan_{os.getpid()}")

from tokenplan.settings import *  # noqa: F403
from tokenplan.settings import DATABASES, DIRECT_DATABASE

# Argon2 is slow on purpose, and the suite signs in a thousand times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files are found when asked for, not listed at the start of every test client.
WHITENOISE_AUTOREFRESH = True
# Tests of races need many connections, and may have to wait for one on a busy machine.
DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 0, "max_size": 24, "timeout": 30}
# Behind PgBouncer, what migrations change directly is the test database too (not under xdist).
if DIRECT_DATABASE:
    DIRECT_DATABASE["NAME"] = os.environ["TEST_DATABASE_NAME"]
# Each of several test processes has queues of its own on the broker they share.
_worker = f"{os.environ['TEST_DATABASE_NAME']}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
_queues = {name: f"{_worker}-{name}" for name in QUEUES}
CELERY_TASK_QUEUES = [Queue(queue, routing_key=queue) for queue in _queues.values()]
CELERY_TASK_ROUTES = {name: {"queue": queue} for name, queue in _queues.items()}
# Nothing listens there: a test that needs Stripe starts a local one.
STRIPE_API_BASE = "http://127.0.0.1:9"
STRIPE_PAGES = [STRIPE_API_BASE]

# The SDK retries where nobody answers; half a second between two tries is too long for a local Stripe.
stripe.HTTPClient.INITIAL_DELAY = 0.02
