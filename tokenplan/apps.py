"""The roof as an app of Django's, for its commands."""

from django.apps import AppConfig

# Here, because every process loads it: a task that is enqueued before our application exists would be sent by
# Celery's own, to a broker that nobody has.
from tokenplan.celery import app as celery_app

__all__ = ["TokenPlanConfig", "celery_app"]


class TokenPlanConfig(AppConfig):
    name = "tokenplan"
