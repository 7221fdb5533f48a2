"""The ground floor's verbs, one module a subject. Each is one transaction, or part of the caller's.

Rows are locked in this order, each kind by primary key: Team, invitation, (the floor above: reservation,
key,) membership, seat. Locks are FOR NO KEY UPDATE, so a row that only refers to a locked one never waits.
"""
