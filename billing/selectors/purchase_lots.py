"""What was bought, or given for an invite, beside the lots that quota has of it. The SQL shares nothing
with what grants them; all amounts are nano-dollars.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from quota.selectors.reconcile import names


def differences_of_lots() -> Iterator[str]:
    """A line for each paid purchase, or voucher of an invite, whose lot is not what was bought or given, and
    for each lot that says it was bought, or given for an invite, and that nobody paid for.
    """
    with connection.cursor() as cursor:
        for sql in (_PURCHASES, _VOUCHERS, _LOTS):
            cursor.execute(sql)
            for about, expected, found in cursor.fetchall():
                yield f"{about}: {expected} expected, {found} found"


_LOT = "format('%s of %s nano-dollars for %s, %s', {account}, {amount}, {team}, {source})"
_FOUND = _LOT.format(
    account="g.account",
    amount="g.amount_nanousd",
    team=names.team("g.team_id"),
    source="quote_literal(g.source)",
)
_BOUGHT = _LOT.format(
    account="p.account",
    amount="p.amount_nanousd",
    team=names.team("p.team_id"),
    source="quote_literal('purchase:' || p.id)",
)
_GIVEN = _LOT.format(
    account="'balance'",
    amount="v.amount_nanousd",
    team=names.team("t.id"),
    source="quote_literal('invite ' || i.stripe_id)",
)

# Read first, and apart from all else: on a cluster lots are on other servers.
_G = """
WITH g AS MATERIALIZED (SELECT id, team_id, account, amount_nanousd, source FROM quota_creditgrant)"""

_PURCHASES = f"""{_G}
SELECT format('lot of purchase %s', p.id), {_BOUGHT}, {_FOUND}
FROM billing_creditpurchase p JOIN g ON g.id = p.lot_id
WHERE p.state = 'paid' AND {_BOUGHT} <> {_FOUND}
ORDER BY p.id
"""  # noqa: S608  (its parts are constants of ours)

# A voucher is the inviter's own, in the Default Team.
_VOUCHERS = f"""{_G}
SELECT format('lot of the voucher for invoice %s', i.stripe_id), {_GIVEN}, {_FOUND}
FROM billing_invitevoucher v JOIN billing_invoice i ON i.id = v.invoice_id
    JOIN g ON g.id = v.lot_id
    JOIN billing_invitee e ON e.user_id = v.invitee_id JOIN teams_team t ON t.default_for_id = e.inviter_id
WHERE {_GIVEN} <> {_FOUND}
ORDER BY i.id
"""  # noqa: S608

_LOTS = f"""{_G}
SELECT format('source of %s', {names.lot("g.id", among="g")}),
    'something that was paid', quote_literal(g.source)
FROM g
WHERE (g.source LIKE 'purchase:%' AND NOT EXISTS (
        SELECT 1 FROM billing_creditpurchase p WHERE p.lot_id = g.id AND p.state = 'paid'
    ))
    OR (g.source LIKE 'invite %' AND NOT EXISTS (
        SELECT 1 FROM billing_invitevoucher v WHERE v.lot_id = g.id
    ))
ORDER BY g.id
"""  # noqa: S608
