"""What every process has once Django is set up."""

import subprocess
import sys

ASKED = """
import django
django.setup()
from celery import current_app
from billing.tasks import work_inbox
from tokenplan.kit.enqueue import OnePending
assert isinstance(work_inbox._get_current_object(), OnePending), type(work_inbox)
print(current_app.main)
"""


def test_a_command_sends_its_tasks_through_our_application() -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASKED], check=True, capture_output=True, text=True, timeout=60
    )
    assert asked.stdout == "tokenplan\n"
