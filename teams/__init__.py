"""Users, Teams, memberships, seats, roles, the keys and tokens that they hold, and the audit log."""
