"""The secrets of an installation: made once, readable by their owner alone, never replaced."""

import json
import threading
from pathlib import Path

import pytest

from tokenplan.runtime.environment import InvalidEnvironment
from tokenplan.runtime.secret_store import parse_roots, read_secrets

ROOT_A = "a:" + "QUFB" * 11  # 33 bytes
ROOT_B = "b:" + "QkJC" * 11


@pytest.fixture
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.delenv("TOKENPLAN_KEY_ROOTS", raising=False)


@pytest.mark.usefixtures("no_secrets")
class TestSecrets:
    def test_secrets_are_made_once_and_only_their_owner_can_read_them(self, tmp_path: Path) -> None:
        first = read_secrets(tmp_path)
        assert read_secrets(tmp_path) == first
        assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
        assert [len(root) for root in first.key_roots.values()] == [32]
        assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]

    def test_processes_that_start_at_once_agree_on_the_secrets(self, tmp_path: Path) -> None:
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

    def test_the_environment_goes_before_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SECRET_KEY", "given")
        monkeypatch.setenv("TOKENPLAN_KEY_ROOTS", f"{ROOT_B},{ROOT_A}")
        given = read_secrets(tmp_path)
        assert given.secret_key == "given"
        assert list(given.key_roots) == ["b", "a"]
        assert not (tmp_path / "secrets.json").exists()

    def test_a_root_made_anew_has_an_id_of_its_own(self, tmp_path: Path) -> None:
        first = read_secrets(tmp_path)
        (tmp_path / "secrets.json").unlink()
        assert read_secrets(tmp_path).key_roots.keys() & first.key_roots.keys() == set()

    def test_a_file_that_an_editor_has_saved_is_read(self, tmp_path: Path) -> None:
        first = read_secrets(tmp_path)
        file = tmp_path / "secrets.json"
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b", ", b",\r\n"))
        assert read_secrets(tmp_path) == first

    def test_a_damaged_file_is_refused_and_kept(self, tmp_path: Path) -> None:
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
        ("x" * 21 + ROOT_A[1:], "id of its own"),
        ("a b" + ROOT_A[1:], "id of its own"),
        (f"{ROOT_A},{ROOT_A}", "id of its own"),
    ],
)
def test_unusable_roots_are_refused(roots: str, complaint: str) -> None:
    with pytest.raises(InvalidEnvironment, match=complaint):
        parse_roots(roots)
