"""Every page of the console, by who opens it: which addresses there are, and which of them are no pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from billing.models import InviteLink
from billing.services.campaigns import ask_campaign, attach_promotion
from quota.models import OwedUsage, UsageEvent
from teams.models import Team, User
from teams.services import access_tokens, invitations
from tests.helpers.address_table import OWN_PAGES, PAGES
from tests.helpers.admin_urls import verb_url
from tests.helpers.bought import say_promotion
from tests.helpers.browsing import last_link, path_of
from tests.helpers.factories import make_desk, make_user, owe
from tests.helpers.invites import asked_campaign
from tests.helpers.passkeys import SoftPasskey
from tests.helpers.proof import prove
from tests.helpers.tenants import Made
from tests.helpers.totp import add_app

PASSWORD = "correct horse battery"
FOR_PROGRAMS = "it answers programs"
PART = "it answers a part of a page"
VERB = "it only takes what a button sends"
FILE = "it is a file"
NOT_WALKED = {
    **dict.fromkeys(("query-balance", "remains", "remains-legacy", "schema", "stripe-webhook"), FOR_PROGRAMS),
    **dict.fromkeys(
        ("account-bars", "account-key-used", "docs-found", "moments", "search", "support-bars"), PART
    ),
    "team-next-invoice": PART,
    **dict.fromkeys((name for name, address in PAGES.items() if "GET" not in address.methods), VERB),
    **dict.fromkeys(("account-session-end", "account-sessions-end-others", "account-token-revoke"), VERB),
    **dict.fromkeys(("invite-link", "language"), VERB),
    "api-docs": "Swagger's own page, with Swagger's own weight",
    **dict.fromkeys(
        ("mfa_download_recovery_codes", *(name for name in (*PAGES, *OWN_PAGES) if name.endswith("-csv"))),
        FILE,
    ),
    "account_confirm_login_code": "nobody signs in by a code in a mail",
    "mfa_login_webauthn": "it answers the script of the sign-in page",
}
# Before anybody has signed in.
OPEN = ("home", "faq", "docs", "plans", "promotions", "models", "quickstart", "tools")
SIGN_IN = (
    *("account_login", "account_signup", "account_inactive", "account_email_verification_sent"),
    *("account_reset_password", "account_reset_password_done", "account_reset_password_from_key_done"),
)
OF_ONES_OWN = (
    *("account_logout", "account_email", "account_change_password", "account_reauthenticate"),
    *("mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
)
ROWS_OF_ONES_OWN = ("mfa_edit_webauthn", "mfa_remove_webauthn")
GUIDES = ("claude-code", "openclaw", "cursor", "trae", "hermes-agent", "other")
DOCUMENTS = ("api", "plans-and-credits")


@dataclass(frozen=True)
class Walk:
    """One person's way: pages by the names of their addresses, opened with that client's session."""

    client: Client
    pages: list[tuple[str, str]]


Walker = Callable[[Made, datetime], Walk]


def names_of_pages() -> set[str]:
    """Of all addresses but the API's and the operators' lists; the pages for support are ours."""

    def walk(resolver: URLResolver, below: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            route = below + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            else:
                yield route, pattern

    return {
        str(pattern.name)
        for route, pattern in walk(get_resolver(), "")
        if not route.startswith(("api/v1/", "__"))
        and (not route.startswith("admin/") or "/support/" in route)
    }


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return prove(client)


def of_a_team(made: Made, role: str) -> Iterator[tuple[str, str]]:
    """What the table lets this role open."""
    for name, address in PAGES.items():
        if name in NOT_WALKED or name == "team-change" or role not in address.methods["GET"]:
            continue
        kwargs = {"slug": made.team.slug, **address.fixed}
        if address.pk:
            kwargs["pk"] = made.events[role] if address.pk == "own event" else made.rows[address.pk]
        yield name, reverse(name, kwargs=kwargs)


def of_ones_own() -> Iterator[tuple[str, str]]:
    for name in sorted(OWN_PAGES - set(NOT_WALKED) - {*ROWS_OF_ONES_OWN, "mfa_activate_totp"}):
        yield name, reverse(name)
    for name in OF_ONES_OWN:
        yield name, reverse(name)


def nobody(made: Made, at: datetime) -> Walk:
    """Who has got links: to a new password, into a Team, of a friend, and to confirm an address."""
    user, owner = made.users["member"], made.users["owner"]
    client = Client()
    client.post(reverse("account_reset_password"), {"email": user.email})
    chosen = client.get(path_of(last_link())).headers["Location"]
    invitations.invite(team=made.team, email="kim@example.com", role="member", by=owner, at=at)
    invitation = path_of(last_link())
    campaign = ask_campaign(request=uuid4(), asked=asked_campaign(at), at=at, by=owner)
    attach_promotion(campaign=campaign, promotion=say_promotion(), at=at)
    link = InviteLink.objects.create(user=owner, code="a2b3c4d5e6f7", created_at=at)
    confirmation = EmailConfirmationHMAC(EmailAddress.objects.get(user=user))
    pages = [(name, reverse(name)) for name in (*OPEN, *SIGN_IN)]
    pages += [("tool", reverse("tool", args=[tool])) for tool in GUIDES]
    pages += [("docs-page", reverse("docs-page", args=[page])) for page in DOCUMENTS]
    pages += [
        ("invite", reverse("invite", args=[link.code])),
        ("join", invitation),
        ("account_confirm_email", reverse("account_confirm_email", args=[confirmation.key])),
        ("account_reset_password_from_key", chosen),
    ]
    return Walk(client, pages)


def second_factor(made: Made, at: datetime) -> Walk:
    """Who has given the password, and is asked for the code of an app, or for a passkey."""
    user = made.users["admin"]
    add_app(signed_in(user))
    client = Client()
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    return Walk(client, [("mfa_authenticate", reverse("mfa_authenticate"))])


def newcomer(made: Made, at: datetime) -> Walk:
    """Somebody with a Team of their own and nothing else; without a password, with another factor."""
    user = make_user(at=at)
    team = {"slug": user.memberships.get().team.slug}
    names = (
        "team",
        "team-seats",
        "team-credits",
        "team-usage",
        "team-charges",
        "team-billing",
        "team-api-keys",
    )
    pages = [("account", reverse("account")), ("mfa_index", reverse("mfa_index"))]
    pages += [
        (name, reverse(name, kwargs=team))
        for name in (*names, "team-audit", "team-api-keys", "account-usage")
    ]
    own = ("account_set_password", "account_reauthenticate_by_code", "mfa_activate_totp")
    return Walk(signed_in(user), [*pages, *((name, reverse(name)) for name in own)])


def member(made: Made, at: datetime) -> Walk:
    client = signed_in(made.users["member"])
    return Walk(client, [("account", reverse("account")), *of_a_team(made, "member")])


def admin(made: Made, at: datetime) -> Walk:
    return Walk(signed_in(made.users["admin"]), list(of_a_team(made, "admin")))


def owner(made: Made, at: datetime) -> Walk:
    return Walk(signed_in(made.users["owner"]), list(of_a_team(made, "owner")))


def payer(made: Made, at: datetime) -> Walk:
    """A member with the Billing right alone."""
    client = signed_in(made.users["payer"])
    return Walk(client, [("account", reverse("account")), *of_a_team(made, "payer")])


def of_a_subscription(team: Team) -> Iterator[tuple[str, str]]:
    """What shows more, or at all, once a Team pays for seats: one of them becomes Ultra, one is given up."""
    kwargs = {"slug": team.slug}
    seat = team.seats.order_by("pk")[0].pk
    for name in ("team-billing", "team-credits-buy", "team-credits-auto-top-up"):
        yield name, reverse(name, kwargs=kwargs)
    kinds = ("cancel", "interval&interval=year", "add&plan=max&count=2")
    of_a_seat = (f"move&plan=ultra&seats={seat}", f"give_up&seats={seat}")
    for asked in (f"kind={kind}" for kind in (*kinds, *of_a_seat)):
        yield "team-change", f"{reverse('team-change', kwargs=kwargs)}?{asked}"


def ones_own(made: Made, at: datetime) -> Walk:
    """Who has an app, a passkey and an access token."""
    user = made.users["owner"]
    client = signed_in(user)
    SoftPasskey().add_to(client)
    add_app(prove(client))
    access_tokens.create(user=user, name="ci", scope="read", expires_in_days=9, by=user, at=at)
    passkey = Authenticator.objects.get(user=user, type=Authenticator.Type.WEBAUTHN)
    rows = [(name, reverse(name, kwargs={"pk": passkey.pk})) for name in ROWS_OF_ONES_OWN]
    return Walk(prove(client), [*of_ones_own(), *rows])


def support(made: Made, at: datetime) -> Walk:
    user = make_user(at=at)
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    pages = [
        ("support-search", reverse("support-search") + "?q=example"),
        ("support-person", reverse("support-person", args=[made.users["owner"].pk])),
        ("support-team", reverse("support-team", args=[made.team.pk])),
    ]
    return Walk(signed_in(user), pages)


def desk(made: Made, at: datetime) -> Walk:
    """Further pages of the operators: their front, what waits for them, and forms that ask for a reason."""
    user = make_user(at=at)
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    owner = made.team.memberships.get(user=made.users["owner"])
    make_desk(owner).lease(1_000_000, at=at - timedelta(minutes=30), seconds=60)
    owe(owner)
    charge = UsageEvent.objects.get(pk=made.events["owner"])
    lists = (
        *("quota_jobprogress", "quota_reconcilerun", "teams_jobrun", "quota_refusedcall"),
        *("quota_quarantinedrow", "quota_reservation", "quota_usageevent", "quota_owedusage"),
    )
    verbs: list[tuple[Model, str]] = [
        *((made.team, verb) for verb in ("grant-seat", "grant-credits", "give-voucher", "hand-over")),
        (charge, "correct"),
        (OwedUsage.objects.get(membership=owner), "waive"),
        (made.users["member"], "close"),
    ]
    pages = [("admin:index", reverse("admin:index"))]
    pages += [(f"admin:{name}", reverse(f"admin:{name}_changelist")) for name in lists]
    pages += [("lapsed holds", reverse("admin:quota_reservation_changelist") + "?lapsed=day")]
    pages += [(f"admin:{verb}", verb_url(row, verb)) for row, verb in verbs]
    return Walk(signed_in(user), pages)


WALKERS: tuple[Walker, ...] = (
    *(nobody, second_factor, newcomer, member, payer, admin, owner, ones_own),
    *(support, desk),
)
