"""Where faults are planted, and which tests are near enough to notice them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace

from tests.mutants.faults import Fault
from tests.mutants.planting import faults_of_database, faults_of_module, functions_in_force
from tests.mutants.tests_near import HOT_PATH, PURE
from tokenplan.runtime.folders import ROOT

# With their constants that are statements of SQL.
STATEMENTS: dict[str, tuple[str, ...]] = {
    "quota.hot_path.authorize": (),
    "quota.hot_path.holds": (),
    "quota.hot_path.gathered": (),
    "quota.hot_path.gathered_draws": (),
    "quota.hot_path.gathered_events": (),
    "quota.hot_path.batches": (),
    "quota.hot_path.bulk": (),
    "quota.hot_path.credentials": ("_RECOGNISE",),
    "quota.hot_path.refusals": (),
    "quota.hot_path.settle": (),
    "quota.hot_path.extend": (),
    "quota.hot_path.draws": (),
    "quota.hot_path.lapses": (),
    "quota.hot_path.undo": (),
    "quota.hot_path.locks": (),
    "quota.hot_path.lots": (),
    "quota.hot_path.charges": (),
    "quota.hot_path.buckets": (),
    "quota.hot_path.state": (),
    "quota.hot_path.accounts": ("USABLE_CREDITS", "USABLE_BALANCE"),
    "quota.hot_path.catalog": (),
    "quota.hot_path.sql": (),
    "quota.hot_path.events": (),
}
MIGRATIONS = (
    "quota.migrations.0003_states_of_calls",
    "quota.migrations.0006_pay_as_you_go",
    "quota.migrations.0014_gathering",
    "quota.migrations.0019_many_at_once",
    "quota.migrations.0020_usage_around_a_moment",
    "quota.migrations.0025_the_clock_after_the_locks",
    "quota.migrations.0032_rows_name_their_team",
    "quota.migrations.0033_one_team_at_a_time",
    "quota.migrations.0035_buckets_count_from",
    "quota.migrations.0036_the_clock_after_the_locks_of_reports",
    "quota.migrations.0040_bars_of_many_teams",
    "quota.migrations.0041_credits_of_many_calls",
)
# The modules of `quota/hot_path` that ask database functions, and which of their functions ask each.
CALLING = (
    "state",
    "accounts",
    "authorize",
    "charges",
    "gathered",
    "gathered_draws",
    "gathered_events",
    "batches",
    "lots",
)
CALLERS = {
    "quota_limit_transaction": ("state.locked_call_state", "state.locked_reservation_state"),
    "quota_seat_usages": (
        *("state.locked_call_state", "state.locked_reservation_state", "state.seat_usage_around"),
    ),
    "quota_counts_from": ("state.locked_call_state", "state.locked_reservation_state"),
    "quota_held_seat": ("state.locked_call_state",),
    "quota_call_states": ("state.locked_call_state",),
    "quota_call_state": ("state.locked_call_state",),
    "quota_last_moment": ("state.locked_reservation_state",),
    "quota_reservation_state": ("state.locked_reservation_state",),
    "quota_lock_free_credits": ("accounts.usable_of_many",),
    "quota_usable_of_many": ("accounts.usable_of_many",),
    "quota_locked_lots": ("lots._locked_lots",),
    "quota_write_draws": ("lots.write_draws",),
    "quota_lock_credits": ("accounts.usable_credits", "accounts.usable_in_account"),
    "quota_usable_credits": ("accounts.usable_credits",),
    "quota_memberships_of_one_person": ("accounts.usable_credits",),
    "quota_owes": ("state.locked_call_state",),
    "quota_team_of_hold": ("state.locked_reservation_state",),
    "quota_write_hold": ("authorize._write",),
    "quota_write_charge": ("charges._write",),
    "quota_limit_batch": ("gathered._authorized",),
    "quota_gather_calls": ("gathered._authorized",),
    "quota_gather_holds": ("gathered_draws._drawn",),
    "quota_lease_works": ("state.locked_reservation_state",),
    "quota_gather_events": ("gathered_events.record_gathered",),
    "quota_write_holds": ("gathered._write_holds",),
    "quota_write_charges": ("batches.write_charges",),
    "quota_api_text_works": ("state.locked_call_state", "state.locked_reservation_state"),
    "quota_api_call_state": ("state.locked_call_state",),
    "quota_usable_balance": ("accounts.usable_in_account",),
}


def all_faults() -> list[Fault]:
    pure = [replace(fault, near=near) for module, near in PURE.items() for fault in faults_of_module(module)]
    lines = _calling_lines()
    made = functions_in_force(MIGRATIONS)
    # Those that only pages or partitions ask are not of the hot path.
    of_calls = {
        migration: {name: sql for name, sql in functions.items() if name in lines}
        for migration, functions in made.items()
    }
    hot = [fault for migration in made for fault in faults_of_database(migration, of_calls[migration], lines)]
    hot += [fault for module, names in STATEMENTS.items() for fault in faults_of_module(module, names)]
    return [*(replace(fault, near=HOT_PATH) for fault in hot), *pure]


def files_of(faults: Iterable[Fault]) -> frozenset[str]:
    return frozenset(fault.file for fault in faults)


def _calling_lines() -> dict[str, tuple[str, frozenset[int]]]:
    files = {name: ROOT / "quota" / "hot_path" / f"{name}.py" for name in CALLING}
    functions = {
        f"{module}.{node.name}": frozenset(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
        for module, file in files.items()
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    # Of a database function, the callers that are named stand in one module.
    return {
        name: (
            str(files[callers[0].partition(".")[0]]),
            frozenset[int]().union(*(functions[caller] for caller in callers)),
        )
        for name, callers in CALLERS.items()
    }
