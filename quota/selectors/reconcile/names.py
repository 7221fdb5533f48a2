"""What people call a row that a check is about: SQL, so that a check says it of what it has found alone.

A Team is called by the last part of its address, a member by address, a key by its public beginning: each
finds the row, or its Team or person, in the search of the support desk. A row that is not there has its id.
"""

from __future__ import annotations


def _named(said: str, rows: str, of: str, unknown: str) -> str:
    return f"coalesce((SELECT {said} FROM {rows} = {of}), '{unknown} ' || {of})"  # noqa: S608


_OF_TEAM = "' of Team ' || named_team.slug"
_WITH_TEAM = "named JOIN teams_team named_team ON named_team.id = named.team_id"


def _of_team(said: str, table: str, of: str, unknown: str) -> str:
    return _named(f"{said} || {_OF_TEAM}", f"{table} {_WITH_TEAM} WHERE named.id", of, unknown)


def team(of: str) -> str:
    return _named("'Team ' || named_team.slug", "teams_team named_team WHERE named_team.id", of, "Team")


def seat(of: str) -> str:
    return _of_team("'seat ' || named.number", "teams_seat", of, "seat with the id")


def member(of: str) -> str:
    """With the id: who left and came back has two memberships of one Team."""
    rows = (
        f"teams_membership {_WITH_TEAM} JOIN teams_user named_user ON named_user.id = named.user_id"
        " WHERE named.id"
    )
    said = "named_user.email || ' in Team ' || named_team.slug || ', membership ' || named.id"
    return _named(said, rows, of, "membership")


def lot(of: str, *, among: str = "quota_creditgrant") -> str:
    return _of_team("'lot ' || named.id", among, of, "lot")


def ledger_entry(of: str) -> str:
    return _of_team("'ledger entry ' || named.id", "quota_creditledgerentry", of, "ledger entry")


def key(of: str) -> str:
    said = "'key sk-cp-' || named.key_id"
    return _named(said, "teams_subscriptionkey named WHERE named.id", of, "key with the id")


def text_of_api_key(of: str) -> str:
    said = "'text sk-api-' || named.key_id"
    return _named(said, "teams_apikeytext named WHERE named.id", of, "text with the id")


def api_key(of: str) -> str:
    """By the text of it that was made last."""
    newest = (
        "(SELECT one.key_id FROM teams_apikeytext one WHERE one.api_key_id = named.id"
        " ORDER BY one.id DESC LIMIT 1)"
    )
    return _of_team(f"'API key sk-api-' || {newest}", "teams_apikey", of, "API key with the id")


def plan(of: str) -> str:
    said = "named.name || ' v' || named.version"
    return _named(said, "quota_plan named WHERE named.id", of, "plan with the id")


def thing(what: str, of: str) -> str:
    """What a column names, or else what it says, where `what` is the column that says of which kind that is;
    `none` where it names nothing.
    """
    kinds = {
        "Team": team,
        "member": member,
        "seat": seat,
        "key": key,
        "API key": api_key,
        "text of the API key": text_of_api_key,
        "plan": plan,
    }
    cases = " ".join(f"WHEN '{kind}' THEN {named(f'{of}::text::bigint')}" for kind, named in kinds.items())
    return f"coalesce(CASE {what} {cases} ELSE {of}::text END, 'none')"
