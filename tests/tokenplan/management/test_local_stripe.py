"""`manage.py local_stripe` says why it cannot serve. That it serves is seen where `up` is tested."""

import socket
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings


def test_with_a_key_of_stripes_there_is_no_local_one(settings: Settings, tmp_path: Path) -> None:
    settings.LOCAL_STRIPE, settings.DATA = False, tmp_path
    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY is set"):
        call_command("local_stripe")
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_named(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.DATA = tmp_path
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(
            CommandError, match=f"Cannot serve at {settings.STRIPE_API_BASE}: Address already"
        ):
            call_command("local_stripe")
