"""`manage.py replay TRACE.csv`: sends a trace through the HTTP API, and checks what was charged for it."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from quota.management.commands.load_rate_card import SHIPPED
from quota.money import credits_text, usd_text
from quota.replay.gateway import Unusable
from quota.replay.prices import PriceList, PricesInvalid
from quota.replay.run import Replay, Target
from quota.replay.tally import Tally, percentile
from quota.replay.trace import TraceInvalid, read_trace
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import read_operator_file

INTERRUPTED = 130  # what a shell gives a command that Ctrl-C ended


class Command(BaseCommand):
    help = "Sends a trace of calls through the HTTP API: authorize, then settle, over several keys at once."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trace", type=Path, help="CSV: TIMESTAMP, ContextTokens, GeneratedTokens")
        parser.add_argument("--url", help="of the console; left out, the demo's")
        parser.add_argument("--keys", default="demo", help="sk-cp-…,sk-cp-… or a file of them, or demo")
        parser.add_argument("--gateway-key", help="gw-…; left out, the demo's")
        parser.add_argument(
            "--demo", type=Path, default=settings.DATA / "demo.json", help="where the demo's credentials are"
        )
        parser.add_argument("--model", default="MiniMax-M2.7")
        parser.add_argument(
            "--speed",
            type=positive_or_zero,
            default=0,
            help="divides the recorded gaps; 0: as fast as it goes",
        )
        parser.add_argument("--workers", type=count, default=8, help="calls at once")
        parser.add_argument("--limit", type=count, help="only the first so many calls")
        parser.add_argument(
            "--batch-id", help="the same again repeats the same requests, which charges nothing"
        )
        parser.add_argument(
            "--output-estimate", type=count, default=512, help="output tokens a gateway sets aside for a call"
        )
        parser.add_argument("--rate-card", type=Path, default=SHIPPED, help="the prices to check charges by")
        parser.add_argument(
            "--patience",
            type=positive_or_zero,
            default=60,
            help="seconds to ask again when there is no answer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            calls = read_trace(options["trace"], options["limit"])
            tally = Tally(PriceList(options["rate_card"], options["model"]))
        except (TraceInvalid, PricesInvalid) as error:
            raise CommandError(str(error)) from error
        target = target_of(options)
        replay = Replay(calls, target, tally, workers=options["workers"], speed=options["speed"])
        interrupted = False
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        ) as bar:
            task = bar.add_task("Replaying", total=len(calls))
            try:
                replay.run(lambda: bar.update(task, completed=tally.answered + tally.failures))
            except KeyboardInterrupt:
                interrupted = True
            except Unusable as error:
                raise CommandError(str(error)) from error
        self.stdout.write(summary(tally, replay.seconds, len(calls), target.batch_id))
        if interrupted:
            raise CommandError("Interrupted; this is what was replayed until then.", returncode=INTERRUPTED)
        if not tally.is_right:
            raise CommandError(fault(tally))


def count(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def positive_or_zero(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1e9:
        raise ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def target_of(options: dict[str, Any]) -> Target:
    """Where to replay to: what the command line says, and the demo's for what it leaves out."""
    demo: dict[str, Any] = {}
    if options["keys"] == "demo" or not options["url"] or not options["gateway_key"]:
        try:
            demo = json.loads(read_operator_file(options["demo"]))
        except (OSError, ValueError, InvalidValue) as error:
            raise CommandError(
                f"The demo's credentials cannot be read: {error}. "
                "Start `make run` first, or give --url, --keys and --gateway-key."
            ) from error
    try:
        return Target(
            url=(options["url"] or demo["url"]).rstrip("/"),
            gateway_key=options["gateway_key"] or demo["gateway_key"],
            keys=keys_of(options["keys"], demo),
            model=options["model"],
            batch_id=options["batch_id"] or f"replay-{uuid4().hex[:12]}",
            output_estimate=options["output_estimate"],
            patience=options["patience"],
        )
    except (KeyError, TypeError) as error:
        raise CommandError(f"{options['demo']} lacks {error}") from error


def keys_of(text: str, demo: dict[str, Any]) -> list[str]:
    """The keys that --keys names: themselves, a file of one a line, a file like the demo's, or the demo's."""
    if text == "demo":
        return [str(entry["key"]) for entry in demo["keys"]]
    if text.startswith("sk-"):
        return text.split(",")
    try:
        content = read_operator_file(Path(text))
    except (OSError, InvalidValue) as error:
        raise CommandError(f"--keys {text} is neither keys nor a file of them: {error}") from error
    if content.lstrip().startswith("{"):
        try:
            return [str(entry["key"]) for entry in json.loads(content)["keys"]]
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError(f"{text} is not a file like demo.json: {error!r}") from error
    return content.split()


def summary(tally: Tally, seconds: float, calls: int, batch_id: str) -> str:
    """What happened, as a table for people."""
    table = Table(show_header=False, box=None, pad_edge=False)
    done = tally.answered + tally.failures
    rate = done / seconds if seconds else 0
    table.add_row(
        "calls", f"{done:,} of {calls:,} in {seconds:.1f} s: {rate:.1f} calls/s   (batch {batch_id})"
    )
    table.add_row("allowed", f"{tally.allowed:,}")
    reasons = ", ".join(f"{code} {number:,}" for code, number in tally.refused.most_common())
    table.add_row("refused", f"{tally.refused.total():,}" + (f"   {reasons}" if reasons else ""))
    table.add_row("no answer", f"{tally.failures:,}")
    table.add_row("asked again", f"{tally.retries:,}")
    table.add_row("charged", f"{usd_text(tally.charged)}   ({tally.charged:,} nano-dollars)")
    table.add_row("  to quota", usd_text(tally.from_quota))
    table.add_row(
        "  to Credits", f"{usd_text(tally.from_credits)}   ({credits_text(tally.from_credits)} Credits)"
    )
    table.add_row("  overrun", usd_text(tally.overrun))
    equal = "equal" if tally.charged == tally.priced else "NOT equal"
    table.add_row("rate card", f"{usd_text(tally.priced)} for the allowed calls: {equal}")
    for name, times in (("authorize", tally.authorize_seconds), ("settle", tally.settle_seconds)):
        p50, p99 = percentile(times, 50) * 1000, percentile(times, 99) * 1000
        table.add_row(name, f"p50 {p50:.1f} ms   p99 {p99:.1f} ms")
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def fault(tally: Tally) -> str:
    """Why the replay counts as failed."""
    lines = [f"{number:,} calls: {reason}" for reason, number in tally.failure_reasons.most_common(5)]
    lines += tally.wrong_receipts[:5]
    if tally.charged != tally.priced:
        lines.append(f"{tally.charged:,} nano-dollars were charged and the rate card says {tally.priced:,}")
    return "\n".join(lines)
