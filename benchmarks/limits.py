"""What limits a target that is missed, and what was tried: words beside its verdict.

They stand here, and not in the results, so that the table is of one run alone: what is met prints none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Of the figures of a target whose names begin with `of`. `short` is for a cell of the table; `profile`
    says where time or bytes go, `tried` what was done about it and what came of that.
    """

    of: str
    short: str
    profile: str
    tried: str


LIMITS: Mapping[str, Sequence[Limit]] = {
    "cpu": [
        Limit(
            "a call",
            "two requests and two commits a call",
            "Python reads, decides and answers two requests a call: two thirds of the time. The rest "
            "is PostgreSQL's: what a batch costs whatever its size, four statements and two commits. "
            "At 16 connections a batch is a handful of calls.",
            "Gathering, generic plans, fewer indexes and foreign keys, uvloop, orjson (decisions 54, "
            "55, 82, 91), and statements that stay prepared where no pooler stands between (decision "
            "61: a tenth of PostgreSQL's part of a small batch) are in use. No gain: BEGIN and COMMIT "
            "in a pipeline with their neighbours (190 to 220 µs of Python in place of 135), Granian's "
            "own interface in place of ASGI (5 µs a request), its other modes, a server apart for "
            "gateways. One web process in place of two takes a tenth less at 16 connections, but does "
            "fewer calls a second. To decide inside the database was not built: decision 99 says why.",
        )
    ],
    "rate": [
        Limit(
            "",
            "processor time: see there",
            "The console, PostgreSQL and the client share two cores and use up nearly all of them. "
            "The disk is not the limit: a flush takes as long as the description of the machine says, and "
            "many calls share it. So the rate is the cores divided by the processor time of a call.",
            "What is said there. In prototypes without a gain: authorize and settle in one "
            "transaction, another switch interval of Python's threads.",
        )
    ],
    "latency": [
        Limit(
            "authorize",
            "a call waits for the batch before its own",
            "A call that comes while a batch is worked waits for that batch, and then for its own, "
            "which commits; the bare view waits for nobody and commits nothing.",
            "Batches are worked by a thread beside the event loop in place of threads of requests, and "
            "kinds of calls take turns in it: in use (decision 54). Fewer round trips a batch by a "
            "pipeline: no gain, see processor time. Whatever makes a batch cheaper shortens both "
            "waits; what would most is to decide inside the database (decision 99).",
        )
    ],
    "bulk": [
        Limit(
            "",
            "Python works out each row's windows",
            "The windows of each row are worked out in Python, before and after it, and a row is an "
            "event, its index entries and its buckets; a transaction of pgbench writes two rows. "
            "Events of four connections about the same keys are recorded one after another.",
            "A hundred rows a transaction, by one statement that locks and reads and one that writes "
            "(decision 63): some ten times the 209 to 478 events a second of a transaction a row. One "
            "wait for the disk a request, and windows as numbers in place of JSON (decision 64): in "
            "use.",
        )
    ],
    "reads": [
        Limit(
            "the bar's fragment",
            "Django's session, user and membership",
            "Session, user and membership are two thirds of the request, texts a fifth. A page is "
            "answered so when its bar has changed, once a minute at least, since a line says where "
            "time stands in the week; in between it is answered as it was.",
            "One statement for the bars of a page, texts made in Python, an answer in batches where "
            "nothing has changed: in use (decisions 56, 72, 87). To gather the rest, the check of a "
            "session would be written a second time beside Django's; it was left.",
        ),
    ],
    "stored": [
        Limit(
            "stored",
            "an event, a hold and seven index entries",
            "A third is the event with its windows before and after, a quarter the hold, a sixth the id "
            "of the request with its index, and the rest other indexes: both primary keys, of which that of "
            "holds has two entries a call, draws, and usage of a seat, of a member and of a Team.",
            "Packed windows, the rate card in place of prices, hashes of 128 bits, no windows of settled "
            "holds, four indexes fewer: in use (decisions 91, 101); the first version stored 3.7 kB. The "
            "benchmark found a fifth less before it compacted the tables first: what earlier targets had "
            "freed was filled. Not done: to drop a hold when it is settled, 350 bytes, of which repeats, "
            "receipts and reconcile would have to do without; a hash in place of the request's id, 60 bytes.",
        )
    ],
    "memory": [
        Limit(
            "after",
            "imports, addresses, and what bulk requests need",
            "Measured after the targets before it, in the same processes; after calls alone it is 104 MB. "
            "95 are imports. The first request that Django answers loads all addresses, 18 MB, ten of "
            "them what checks passkeys. Four connections that send 1,000 rows each need some 15 more at "
            "once, which Python keeps for the next.",
            "A request of a gateway no longer stays until the garbage collector comes by: some 40 MB less "
            "after bulk requests. Two arenas of the C library in place of eight a core save 5 to 9 MB: in "
            "use. Stripe's SDK is loaded when Stripe is asked, 5 MB less (decision 96). No gain: one arena, "
            "other thresholds of the C library, no columns in tracebacks.",
        )
    ],
    "flat": [
        Limit(
            "authorize",
            "rounds differ by as much",
            "A call reads the buckets and holds of its seat by index, as many beside a long history as "
            "without one (`test_authorize_rows.py` counts them).",
            "Runs of the same week had 0.99 to 1.12 beside 300,000 events and 1.05 to 1.22 on the seat that "
            "has most of them; beside ten million it was 1.00 and 1.03 (benchmarks/README.md).",
        )
    ],
    "tasks": [
        Limit(
            "reconcile",
            "what does not follow from what is new",
            "With nothing new a run reads again what was recorded in the minute before the last run, "
            "sums up the windows, weeks and days in which that counts, and checks whether 20,000 "
            "members have a key. Beside ten million events and 100,000 seats, tried by itself on 29 November "
            "2026, a night took 1.7 to 2.4 s, beside an empty installation 0.4 to 0.5 s.",
            "Charges are checked once, and sums where something new counts in them (decision 58); of "
            "usage that is reported late the weeks that it is of, and no longer all weeks since; keys of "
            "members in turn (decision 96).",
        )
    ],
    "lists": [
        Limit(
            "overview",
            "which seats a smaller plan would do",
            "Of 5,000 paid seats the weeks of the last three are read and compared, two fifths of the time "
            "(decision 85); when the holder of each was last charged is a seventh.",
            "What buckets have is planned once a connection and not for each seat; idle seats are named "
            "and counted by one statement: a quarter less.",
        ),
    ],
}


def limit_of(limits: Sequence[Limit], what: str) -> Limit | None:
    """That of the figure with this name."""
    return next((limit for limit in limits if what.startswith(limit.of)), None)
