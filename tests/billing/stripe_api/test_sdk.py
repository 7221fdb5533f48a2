"""Stripe's SDK is loaded by whoever asks Stripe, and by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tokenplan.runtime import folders

ASKED = """
import sys, tokenplan.asgi
from django.urls import get_resolver
assert get_resolver().url_patterns
print(sorted({"stripe", "httpx"} & set(sys.modules)))
from billing.stripe_api.client import api
api()
print("stripe" in sys.modules)
"""


def test_a_web_process_begins_without_the_sdk_and_loads_it_when_stripe_is_asked(tmp_path: Path) -> None:
    product = {"DJANGO_SETTINGS_MODULE": "tokenplan.settings", "DATA": str(tmp_path)}
    product["STRIPE_SECRET_KEY"] = "sk_test_any"
    command = [sys.executable, "-c", ASKED]
    asked = subprocess.run(
        command, env={**os.environ, **product}, cwd=folders.ROOT, check=True, capture_output=True, timeout=60
    )
    assert asked.stdout.decode().split("\n") == ["[]", "True", ""]
