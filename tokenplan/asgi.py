"""What the web server calls: Django, behind an application that reads bodies and answers for health."""

# First: it sets Django up, which the others need.
from tokenplan.wsgi import application as django

# isort: split
from django.conf import settings
from django.db import close_old_connections

from tokenplan.health import Health
from tokenplan.web.application import Application
from tokenplan.web.bodies import Bodies
from tokenplan.web.threads import Threads

application = Application(
    bodies=Bodies(limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE, seconds=settings.REQUEST_BODY_SECONDS),
    threads=Threads(
        django,
        threads=settings.WEB_THREADS,
        streams=settings.WEB_STREAMS,
        after_call=close_old_connections,
    ),
    readiness=Health().readiness,
    data=settings.DATA,
)
