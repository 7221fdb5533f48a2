"""The tests that are near enough to a fault to notice it: those of the module, and of the room around it.
Those of whole pages, and of other floors, are not: what they notice by chance, they may cease to notice.
"""

# Of each pure module its own.
PURE = {
    "quota.windows": (
        *("tests/quota/test_windows.py", "tests/quota/test_windows_of_leases.py"),
        "tests/quota/test_windows_properties.py",
    ),
    "quota.pricing": ("tests/quota/test_pricing.py",),
    "quota.allocation": ("tests/quota/test_allocation.py",),
    "quota.money": ("tests/quota/test_money.py",),
    "quota.typical_calls": ("tests/quota/test_typical_calls.py",),
    "quota.runway": ("tests/quota/test_runway.py",),
    "quota.outlook": ("tests/quota/test_outlook.py",),
    "quota.invitation_lines": ("tests/quota/test_invitation_lines.py",),
    "teams.mail_text": ("tests/teams/test_mail_text.py",),
    "teams.time_zones": ("tests/teams/test_time_zones.py",),
    "teams.keytext": ("tests/teams/test_keytext.py",),
    "teams.invitation_tokens": ("tests/teams/test_invitation_tokens.py",),
    "teams.permissions": ("tests/teams/test_permissions.py",),
    "billing.change_requests": ("tests/billing/test_change_requests.py",),
    "billing.seat_plans": ("tests/billing/test_seat_plans.py",),
    "billing.money": ("tests/billing/test_money.py",),
    "integrations.small_gateway.usage": ("tests/integrations/small_gateway/test_usage.py",),
    "integrations.counting": ("tests/integrations/test_counting.py",),
}
# Of all of the hot path: its room, and the races for what it locks.
HOT_PATH = (
    *("tests/quota/hot_path", "tests/quota/api/gateway"),
    *("tests/races/test_hot_path.py", "tests/races/test_credits.py", "tests/races/test_same_id.py"),
    *("tests/races/test_locks_of_calls.py", "tests/races/test_balance.py"),
    *("tests/races/test_locks_of_api_calls.py", "tests/races/test_locks_of_lapses.py"),
    *("tests/quota/services/test_owed.py", "tests/quota/services/test_rate_cards.py"),
    *("tests/quota/services/test_quarantine.py", "tests/quota/services/test_corrections.py"),
    *("tests/quota/services/test_reservations.py", "tests/races/test_gathered.py"),
    *("tests/races/test_bulk.py", "tests/quota/services/test_gateways.py"),
    "tests/quota/services/test_partitions.py",
)
TESTS = (*dict.fromkeys(test for tests in PURE.values() for test in tests), *HOT_PATH)
