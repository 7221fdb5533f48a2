"""The Celery application. Tasks are found in the `tasks` module of each installed app."""

import os
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tokenplan.settings")

# Celery warns of running as root because pickled messages could run code. Ours are JSON, and only JSON is
# accepted.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("tokenplan", task_cls="tokenplan.kit.enqueue:OnePending")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
