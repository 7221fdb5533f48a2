"""A place for the demo's local Stripe, and what the demo needs before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tests.helpers.serving import free_port


@pytest.fixture
def data(db: None, tmp_path: Path, settings: Settings) -> Path:
    """Where the demo is made, with a local Stripe of its own."""
    settings.DATA = tmp_path
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"
    settings.STRIPE_WEBHOOK_SECRET = "whsec_test"
    return tmp_path
