"""The tests that are near enough to the faults to notice them. Those of whole pages and of other floors are not."""

TESTS = (
    *("tests/quota/hot_path", "tests/quota/test_windows.py", "tests/quota/test_windows_properties.py"),
    *("tests/quota/test_pricing.py", "tests/quota/test_allocation.py", "tests/quota/test_money.py"),
    *("tests/quota/api/gateway", "tests/quota/api/key_holder"),
    *("tests/teams/test_keytext.py", "tests/teams/test_invitation_tokens.py", "tests/teams/test_permissions.py"),
    *("tests/billing/test_change_requests.py", "tests/billing/test_seat_plans.py", "tests/billing/test_money.py"),
    *("tests/races/test_hot_path.py", "tests/races/test_credits.py", "tests/races/test_same_id.py"),
)
