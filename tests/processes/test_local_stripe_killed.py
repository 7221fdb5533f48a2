"""A process of the local Stripe is killed before or after it has carried out a request; asked again, it is
done once.
"""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import stripe

from tests.helpers.local_stripe.account import Account, client

KILLED = """
    import os, sys
    from pathlib import Path
    from tokenplan.local_stripe.http.app import App
    from tokenplan.local_stripe.server import LocalStripe
    from tokenplan.local_stripe.objects.store import Store

    if sys.argv[2] == "before":
        Store.save = lambda store, row: os._exit(9)
    served = LocalStripe(Path(sys.argv[1]), ticking=False)
    answered = App.answer

    def killed(app, environ):
        answered(app, environ)
        os._exit(9)

    App.answer = killed
    with served:
        print(served.url, flush=True)
        served.wait()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_request_is_carried_out_once_though_the_process_is_killed_before_or_after(
    tmp_path: Path, moment: str
) -> None:
    path = tmp_path / "stripe.sqlite3"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        with pytest.raises(stripe.APIConnectionError):
            client(url).customers.create({"name": "Owner"}, {"idempotency_key": "one"})
        assert process.wait(10) == 9
    with Account(path) as account:
        assert len(account.api.customers.list().data) == (0 if moment == "before" else 1)
        made = account.api.customers.create({"name": "Owner"}, {"idempotency_key": "one"})
        assert [row.id for row in account.api.customers.list()] == [made.id]
