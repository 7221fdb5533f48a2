"""`tokenplan-litellm outbox`: what waits to be recorded, and what the console refused."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from tokenplan_litellm.outbox import Outbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 where the console has refused rows, which somebody should look at."""
    parser = argparse.ArgumentParser(prog="tokenplan-litellm", description=__doc__)
    parser.add_argument("what", choices=["outbox"])
    parser.add_argument(
        "--file",
        type=Path,
        default=Path(os.environ.get("TOKENPLAN_OUTBOX") or "tokenplan-outbox.sqlite3"),
        help="the outbox; left out: TOKENPLAN_OUTBOX",
    )
    parser.add_argument("--retry", action="store_true", help="send refused rows again")
    asked = parser.parse_args(arguments)
    if not asked.file.exists():
        print(f"There is no outbox {asked.file}.")
        return 1
    outbox = Outbox(asked.file, worker="command")
    try:
        if asked.retry:
            print(f"{outbox.retry_refused()} rows are sent again.")
        counts = outbox.counts()
        for state in ("open", "due", "refused"):
            print(f"{state}\t{counts.get(state, 0)}")
        for row, code in outbox.refused():
            print(json.dumps({"code": code, "act": row.act, "reservation": row.reservation, **row.body}))
        return 1 if counts.get("refused") else 0
    finally:
        outbox.close()
