"""The folder that a console on a laptop writes its mails to."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

from tests.helpers.serving import wait_for


def link_mailed(folder: Path, to: str, part: str = "") -> str:
    """The first link of a mail to this address that has `part` in it, once there is one."""

    def found() -> list[str]:
        mails = (message_from_bytes(path.read_bytes(), policy=policy.default) for path in folder.glob("*"))
        texts = (str(mail.get_body(("plain",))) for mail in mails if mail["To"] == to)
        links = [word for text in texts for word in text.split() if word.startswith("http")]
        return [link for link in links if part in link]

    wait_for(lambda: bool(found()))
    return found()[0]
