"""Settings, secrets, sockets and logs."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tokenplan import environment
from tokenplan import settings as product
from tokenplan.environment import InvalidEnvironment
from tokenplan.log import LineFormatter
from tokenplan.secret_store import parse_roots, read_secrets
from tokenplan.sockets import LONGEST_SOCKET_NAME, socket_folder

ROOT_A = "a:" + "QUFB" * 11  # 33 bytes
ROOT_B = "b:" + "QkJC" * 11


@pytest.fixture
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("TOKENPLAN_KEY_ROOTS", raising=False)


@pytest.mark.usefixtures("no_secrets")
class TestSecrets:
    def test_made_once_for_the_owner_only(self, tmp_path: Path) -> None:
        first = read_secrets(tmp_path)
        assert read_secrets(tmp_path) == first
        assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
        assert [len(root) for root in first.key_roots.values()] == [32]
        assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]

    def test_starters_at_once_agree(self, tmp_path: Path) -> None:
        seen = []
        start = threading.Barrier(8)

        def read() -> None:
            start.wait()
            seen.append(read_secrets(tmp_path))

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(seen) == 8
        assert len({one.secret_key for one in seen}) == 1

    def test_the_environment_goes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", "given")
        monkeypatch.setenv("TOKENPLAN_KEY_ROOTS", f"{ROOT_B},{ROOT_A}")
        given = read_secrets(tmp_path)
        assert given.secret_key == "given"
        assert list(given.key_roots) == ["b", "a"]
        assert not (tmp_path / "secrets.json").exists()

    def test_a_damaged_file_is_not_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "secrets.json").write_text('{"secret_key": "x"}')
        with pytest.raises(InvalidEnvironment, match="damaged"):
            read_secrets(tmp_path)
        assert json.loads((tmp_path / "secrets.json").read_text()) == {"secret_key": "x"}


@pytest.mark.parametrize(
    ("roots", "complaint"),
    [
        ("a:QUFB", "under 32 bytes"),
        ("a:!", "not base64"),
        (ROOT_A[1:], "id of its own"),
        (f"{ROOT_A},{ROOT_A}", "id of its own"),
    ],
)
def test_unusable_roots_are_refused(roots: str, complaint: str) -> None:
    with pytest.raises(InvalidEnvironment, match=complaint):
        parse_roots(roots)


class TestEnvironment:
    def test_values(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A", " ")
        assert environment.text("A", "default") == "default"
        assert environment.flag("A") is False
        monkeypatch.setenv("A", "Yes")
        assert environment.flag("A") is True
        monkeypatch.setenv("A", "off")
        assert environment.flag("A", True) is False
        monkeypatch.setenv("A", "7")
        assert environment.number("A", 1) == 7
        monkeypatch.setenv("A", "x, y,")
        assert environment.words("A", []) == ["x", "y"]

    def test_what_cannot_be_used_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("A", "maybe")
        with pytest.raises(InvalidEnvironment, match="A must be 1 or 0"):
            environment.flag("A")
        with pytest.raises(InvalidEnvironment, match="A must be a whole number"):
            environment.number("A", 1)
        with pytest.raises(InvalidEnvironment, match="EMAIL_URL"):
            environment.email_settings("imap://x")

    def test_mail_servers(self) -> None:
        plain = environment.email_settings("smtp://me:p%40ss@mail.example:2525?tls=0")
        assert (plain["EMAIL_HOST"], plain["EMAIL_PORT"]) == ("mail.example", 2525)
        assert (plain["EMAIL_HOST_USER"], plain["EMAIL_HOST_PASSWORD"]) == ("me", "p@ss")
        assert (plain["EMAIL_USE_TLS"], plain["EMAIL_USE_SSL"]) == (False, False)
        secure = environment.email_settings("smtps://mail.example")
        assert (secure["EMAIL_PORT"], secure["EMAIL_USE_TLS"], secure["EMAIL_USE_SSL"]) == (465, False, True)


class TestSocketFolder:
    def test_beside_the_data_where_that_is_short(self, tmp_path: Path) -> None:
        assert socket_folder(tmp_path / "d") == tmp_path / "d" / "run"

    def test_elsewhere_where_it_is_too_deep(self, tmp_path: Path) -> None:
        deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
        folder = socket_folder(deep)
        assert socket_folder(deep) == folder
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fspath(folder / LONGEST_SOCKET_NAME))
        (folder / LONGEST_SOCKET_NAME).unlink()
        folder.rmdir()
        # A reboot cleared the temporary folder: another is made.
        replaced = socket_folder(deep)
        assert replaced != folder
        assert replaced.is_dir()
        replaced.rmdir()


class TestLog:
    @pytest.mark.parametrize(
        "key",
        [
            "sk-cp-abcdef0123456789ABCDEF",
            "gw-abcdef0123",
            "pat-abcdef0123",
            "sk-api-a1b2c3d4",
            "sk_test_a1b2c3d4",
            "sk_live_a1b2c3d4",
            "rk_live_a1b2c3d4",
            "whsec_a1b2c3d4",
        ],
    )
    def test_keys_are_hidden(self, key: str) -> None:
        record = logging.LogRecord("x", logging.INFO, "f", 1, "refused %s\nand more", (key,), None)
        line = LineFormatter().format(record)
        assert key not in line
        assert "…" in line
        assert "\n" not in line


class TestAnswers:
    def test_headers(self, client: Client) -> None:
        response = client.get("/healthz", headers={"host": "10.0.0.1"})
        assert (response.status_code, response.content) == (200, b"ok\n")
        assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")

    def test_a_huge_body_is_refused_unread(self, client: Client) -> None:
        body = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        response = client.post("/api/v1/gateway/authorize", body, content_type="application/json")
        assert response.status_code == 413
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["code"] == "body_too_large"

    @pytest.mark.django_db
    def test_ready(self, client: Client) -> None:
        response = client.get("/readyz")
        assert response.status_code == 200
        assert response.json()["checks"] | {"worker": ""} == {
            "database": "ok",
            "migrations": "ok",
            "broker": "ok",
            "worker": "",
        }


def test_says_what_is_missing(tmp_path: Path) -> None:
    """In a process of its own, whose database and broker are at addresses where nobody listens."""
    code = (
        "import django; django.setup(); from django.test import Client;"
        "response = Client().get('/readyz'); print(response.status_code); print(response.content.decode())"
    )
    nowhere = {"DATABASE_URL": "postgres://x@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = {**os.environ, **nowhere, "DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tokenplan.settings"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=process, cwd=environment.ROOT, capture_output=True, text=True
    )
    status, body = result.stdout.splitlines()
    assert status == "503"
    assert json.loads(body) == {
        "ready": False,
        "checks": {
            "database": "PostgreSQL does not answer",
            "migrations": "unknown: PostgreSQL does not answer",
            "broker": "the broker does not answer",
            "worker": "unknown: the broker does not answer",
        },
    }


def test_passwords_are_hashed_by_argon2() -> None:
    assert product.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")
