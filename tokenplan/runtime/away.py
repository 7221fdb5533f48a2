"""What is convenient on a laptop and dangerous elsewhere is refused elsewhere.

A console is away from the laptop when BASE_URL is not this machine.
"""

from dataclasses import dataclass

from tokenplan.runtime import environment
from tokenplan.runtime.addresses import ConsoleAddress
from tokenplan.runtime.environment import InvalidEnvironment


def local_stripe(address: ConsoleAddress, *, has_key: bool) -> bool:
    """Whether payments go to the local Stripe, at which every card pays and no money moves.

    Raises InvalidEnvironment where a forgotten key would give the plans away.
    """
    refused = environment.text("LOCAL_STRIPE") and not environment.flag("LOCAL_STRIPE")
    wanted = environment.flag("LOCAL_STRIPE", not has_key and address.is_this_machine)
    if refused and not has_key:
        raise InvalidEnvironment("LOCAL_STRIPE=0 needs STRIPE_SECRET_KEY: payments must go somewhere.")
    if wanted and has_key:
        raise InvalidEnvironment("LOCAL_STRIPE=1 and STRIPE_SECRET_KEY exclude each other; set one of them.")
    if not wanted and not has_key:
        raise InvalidEnvironment(
            "STRIPE_SECRET_KEY is not set. Without it payments would go to the local Stripe, which takes no"
            f" money, so everybody at {address.url} could have every plan for nothing. Set it, or set"
            " LOCAL_STRIPE=1 if that is wanted."
        )
    return wanted


def demo(address: ConsoleAddress, *, has_key: bool, has_database: bool) -> bool:
    """Whether `up` makes the demo's people. Raises InvalidEnvironment away from the laptop."""
    wanted = environment.flag("DEMO", address.is_this_machine and not has_key and not has_database)
    if wanted and not address.is_this_machine:
        raise InvalidEnvironment(
            f"DEMO=1 makes an operator and members whose passwords are printed; {address.url} is not this"
            " machine. Leave DEMO out."
        )
    return wanted


@dataclass(frozen=True)
class SmallGateway:
    """How `up` serves the small gateway. Port 0: two above the console's, or the next that is free.

    An empty `credential` is the demo's; an empty `upstream_url` is the mock model. With `litellm`, LiteLLM
    takes its place.
    """

    port: int
    credential: str
    upstream_url: str
    upstream_key: str
    litellm: bool = False


def small_gateway(address: ConsoleAddress, *, has_demo: bool) -> SmallGateway | None:
    """The small gateway, where there is a demo or SMALL_GATEWAY=1 asks for it.

    Raises InvalidEnvironment where it has no credential, or would charge real people for a mock's answers.
    """
    asked = SmallGateway(
        port=environment.number("SMALL_GATEWAY_PORT", 0, most=65_535),
        credential=environment.secret("SMALL_GATEWAY_KEY", "gw-"),
        upstream_url=environment.text("UPSTREAM_URL").rstrip("/"),
        upstream_key=environment.text("UPSTREAM_KEY"),
        litellm=_with_litellm(),
    )
    if asked.upstream_url and not asked.upstream_url.startswith(("http://", "https://")):
        raise InvalidEnvironment(
            "UPSTREAM_URL must start with http:// or https://, as in https://api.example.com."
        )
    if not environment.flag("SMALL_GATEWAY", has_demo):
        if asked.litellm:
            raise InvalidEnvironment(
                "WITH=litellm takes the place of the small gateway, which is not wanted here:"
                " SMALL_GATEWAY=1 wants it."
            )
        return None
    if not has_demo and not asked.credential:
        raise InvalidEnvironment(
            "SMALL_GATEWAY=1 needs SMALL_GATEWAY_KEY where there is no demo: a credential gw-… that"
            " manage.py create_gateway prints."
        )
    if not address.is_this_machine and not asked.upstream_url:
        raise InvalidEnvironment(
            "SMALL_GATEWAY=1 needs UPSTREAM_URL: without it a mock answers, and people at"
            f" {address.url} would be charged for it."
        )
    return asked


def _with_litellm() -> bool:
    chosen = environment.text("WITH")
    if chosen not in ("", "litellm"):
        raise InvalidEnvironment(f"WITH must be litellm or not set, not {chosen!r}.")
    return bool(chosen)


def proxies(address: ConsoleAddress, *, behind_tls_proxy: bool) -> int:
    """How many proxies add to X-Forwarded-For. Raises InvalidEnvironment where there must be some."""
    count = environment.number("TRUSTED_PROXY_COUNT", 0, most=16)
    said = bool(environment.text("TRUSTED_PROXY_COUNT"))
    if (behind_tls_proxy and not count) or (address.https and not address.is_this_machine and not said):
        raise InvalidEnvironment(
            "TRUSTED_PROXY_COUNT must say how many proxies stand in front (mostly 1), where https:// ends at"
            " one: without it all people seem to be one address, and one's wrong passwords lock all out."
        )
    return count
