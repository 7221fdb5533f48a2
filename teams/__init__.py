"""Ground floor: users, Teams, memberships, seats, roles, audit. Who is who."""
