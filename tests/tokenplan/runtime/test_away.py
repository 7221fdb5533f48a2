"""What is unsafe away from the laptop is refused there, and stays convenient on it."""

import pytest

from tokenplan.runtime import away
from tokenplan.runtime.addresses import ConsoleAddress
from tokenplan.runtime.environment import InvalidEnvironment

HERE = ConsoleAddress("http://127.0.0.1:8000", "127.0.0.1", https=False, is_this_machine=True)
AWAY = ConsoleAddress("https://console.example.com", "console.example.com", https=True, is_this_machine=False)
PLAIN = ConsoleAddress("http://10.0.0.5", "10.0.0.5", https=False, is_this_machine=False)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_STRIPE", "DEMO", "TRUSTED_PROXY_COUNT", "UPSTREAM_URL", "UPSTREAM_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SMALL_GATEWAY", "SMALL_GATEWAY_KEY", "SMALL_GATEWAY_PORT"):
        monkeypatch.delenv(name, raising=False)


class TestLocalStripe:
    def test_it_is_there_on_the_laptop_until_a_key_is_set(self) -> None:
        assert away.local_stripe(HERE, has_key=False) is True
        assert away.local_stripe(HERE, has_key=True) is False
        assert away.local_stripe(AWAY, has_key=True) is False

    @pytest.mark.parametrize("address", [AWAY, PLAIN])
    def test_a_forgotten_key_gives_no_plans_away(self, address: ConsoleAddress) -> None:
        with pytest.raises(InvalidEnvironment, match="STRIPE_SECRET_KEY is not set"):
            away.local_stripe(address, has_key=False)

    def test_it_is_there_where_it_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCAL_STRIPE", "1")
        assert away.local_stripe(AWAY, has_key=False) is True

    def test_it_and_a_key_exclude_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCAL_STRIPE", "1")
        with pytest.raises(InvalidEnvironment, match="exclude each other"):
            away.local_stripe(HERE, has_key=True)
        monkeypatch.setenv("LOCAL_STRIPE", "0")
        with pytest.raises(InvalidEnvironment, match="needs STRIPE_SECRET_KEY"):
            away.local_stripe(HERE, has_key=False)


class TestSmallGateway:
    def test_it_is_there_with_the_demo_alone(self) -> None:
        assert away.small_gateway(HERE, has_demo=True) == away.SmallGateway(0, "", "", "")
        assert away.small_gateway(HERE, has_demo=False) is None
        assert away.small_gateway(AWAY, has_demo=False) is None

    def test_it_can_be_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SMALL_GATEWAY", "0")
        assert away.small_gateway(HERE, has_demo=True) is None

    def test_it_is_there_where_it_is_asked_for_with_a_credential_of_its_own(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SMALL_GATEWAY", "1")
        with pytest.raises(InvalidEnvironment, match="needs SMALL_GATEWAY_KEY where there is no demo"):
            away.small_gateway(HERE, has_demo=False)
        monkeypatch.setenv("SMALL_GATEWAY_KEY", "gw-x")
        monkeypatch.setenv("SMALL_GATEWAY_PORT", "9000")
        assert away.small_gateway(HERE, has_demo=False) == away.SmallGateway(9000, "gw-x", "", "")

    def test_away_from_the_laptop_nobody_is_charged_for_what_a_mock_answers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SMALL_GATEWAY", "1")
        monkeypatch.setenv("SMALL_GATEWAY_KEY", "gw-x")
        for address in (AWAY, PLAIN):
            with pytest.raises(InvalidEnvironment, match="a mock answers"):
                away.small_gateway(address, has_demo=False)
        monkeypatch.setenv("UPSTREAM_URL", "https://api.example.com/")
        monkeypatch.setenv("UPSTREAM_KEY", "sk-x")
        wanted = away.SmallGateway(0, "gw-x", "https://api.example.com", "sk-x")
        assert away.small_gateway(AWAY, has_demo=False) == wanted

    def test_what_cannot_be_called_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UPSTREAM_URL", "api.example.com")
        with pytest.raises(InvalidEnvironment, match="UPSTREAM_URL must start with http"):
            away.small_gateway(HERE, has_demo=True)

    def test_litellm_takes_its_place_where_it_is_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WITH", "litellm")
        wanted = away.small_gateway(HERE, has_demo=True)
        assert wanted == away.SmallGateway(0, "", "", "", litellm=True)
        with pytest.raises(InvalidEnvironment, match="SMALL_GATEWAY=1 wants it"):
            away.small_gateway(HERE, has_demo=False)

    def test_nothing_else_takes_its_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WITH", "kong")
        with pytest.raises(InvalidEnvironment, match="WITH must be litellm or not set, not 'kong'"):
            away.small_gateway(HERE, has_demo=True)


class TestDemo:
    def test_it_is_for_a_laptop_without_a_key_and_without_a_database_of_its_own(self) -> None:
        assert away.demo(HERE, has_key=False, has_database=False) is True
        assert away.demo(HERE, has_key=True, has_database=False) is False
        assert away.demo(HERE, has_key=False, has_database=True) is False
        assert away.demo(AWAY, has_key=False, has_database=False) is False

    def test_it_can_be_asked_for_on_the_laptop_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEMO", "1")
        assert away.demo(HERE, has_key=True, has_database=True) is True
        for address in (AWAY, PLAIN):
            with pytest.raises(InvalidEnvironment, match="whose passwords are printed"):
                away.demo(address, has_key=True, has_database=True)
        monkeypatch.setenv("DEMO", "0")
        assert away.demo(HERE, has_key=False, has_database=False) is False


class TestProxies:
    def test_none_are_needed_on_the_laptop_or_where_nothing_is_encrypted(self) -> None:
        assert away.proxies(HERE, behind_tls_proxy=False) == 0
        assert away.proxies(PLAIN, behind_tls_proxy=False) == 0

    def test_their_number_must_be_said_where_https_ends_at_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for address, behind in ((AWAY, False), (AWAY, True), (HERE, True), (PLAIN, True)):
            with pytest.raises(InvalidEnvironment, match="TRUSTED_PROXY_COUNT must say how many"):
                away.proxies(address, behind_tls_proxy=behind)
        monkeypatch.setenv("TRUSTED_PROXY_COUNT", "2")
        assert away.proxies(AWAY, behind_tls_proxy=True) == 2

    def test_zero_must_be_meant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TRUSTED_PROXY_COUNT", "0")
        assert away.proxies(AWAY, behind_tls_proxy=False) == 0
        with pytest.raises(InvalidEnvironment):
            away.proxies(AWAY, behind_tls_proxy=True)
