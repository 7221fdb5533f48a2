"""Whatever way leads to what needs a recent proof, it asks for one (teams/proof.py).

`test_proof.py` asks the addresses that do; here none is forgotten, in whichever file it stands.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from billing.services.contacts import set_contacts
from billing.workflows import teams as workflows
from billing.workflows.customers import portal_url
from billing.workflows.invoice_details import change_invoice_details
from quota.services import gateways
from teams.services import access_tokens, api_keys, keys, passkeys, sessions, teams
from tests.helpers.call_graph import Part, used_without
from tests.keepers import files
from tokenplan.runtime.folders import ROOT

# Whoever comes to one of these in an interface has to ask for the proof.
GUARDED = (
    access_tokens.create,
    api_keys.create_api_key,
    api_keys.rotate_api_key,
    change_invoice_details,
    gateways.create_gateway,
    gateways.replace_credentials,
    keys.reveal_key,
    keys.rotate_key,
    passkeys.remove_all,
    portal_url,
    sessions.end_other_sessions,
    sessions.end_session,
    set_contacts,
    teams.delete_team,
    teams.hand_team_over,
    teams.transfer_ownership,
    workflows.delete_team,
)
# One of each kind of interface; the last three forget to ask.
ASKING_OR_NOT = """
from teams.services import keys as service
from teams.services.keys import reveal_key as shown
from teams.views.proof import ask_first, needs_proof

@needs_proof("GET")
def asks(request):
    return _text(request)

def _text(key):
    return shown(key)

class Answered:
    proof = frozenset({"POST"})
    def post(self, request):
        return self._key(request)
    def _key(self, request):
        return service.rotate_key(request)

def _act(row):
    return service.rotate_key(row)

class Pages:
    verbs = (dict(call=_act, proof=ask_first), dict(call=_act))

class Forgetful:
    proof = frozenset({"POST"})
    def get(self, request):
        return {"key": lambda: _text(request)}

def forgets(request):
    return _text(request)
"""


def asks(part: Part) -> bool:
    """Whether there is no way through this part without a proof."""
    methods: frozenset[str] = getattr(part.of, "proof", frozenset())
    return bool(part.names & {"needs_proof", "ask_first"}) or part.name.upper() in methods


def test_every_interface_that_comes_to_what_needs_a_proof_asks_for_one() -> None:
    """Commands are for whoever has the machine; the page of the demo's sign-ins is among them."""
    paths = [
        file
        for floor in ("teams", "quota", "billing")
        for room in ("views", "api", "admin")
        for file in files(f"{floor}/{room}", suffix=".py")
    ] + [ROOT / "teams" / "admin.py"]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    modules = [import_module(name.removesuffix(".__init__")) for name in names]

    assert used_without(GUARDED, guards=asks, modules=modules) == set()
    without_guards = used_without(GUARDED, guards=lambda part: False, modules=modules)
    assert {"billing.views.invoice_details.contacts", "teams.api.keys.RotateKey.post"} <= without_guards


def test_control_an_interface_that_asks_elsewhere_alone_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asking_or_not.py").write_text(ASKING_OR_NOT)
    monkeypatch.syspath_prepend(tmp_path)
    module = import_module("asking_or_not")
    line = ASKING_OR_NOT.splitlines().index("class Pages:") + 2

    assert used_without(GUARDED, guards=asks, modules=[module]) == {
        f"asking_or_not.Pages.line {line}",
        "asking_or_not.Forgetful.get",
        "asking_or_not.forgets",
    }
