"""Who may open which address: the tables that no address of the URLconf escapes."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.helpers.passkeys import PAGES as PASSKEY_PAGES

# A payer is a Member with the Billing right.
ALL = frozenset({"owner", "admin", "member", "payer"})
MANAGERS = frozenset({"owner", "admin"})
OWNER = frozenset({"owner"})
PAYERS = frozenset({"owner", "payer"})
# Of Credits and of the API balance.
READERS = MANAGERS | PAYERS


@dataclass(frozen=True)
class Address:
    """Which roles may do what there; `pk` names the kind of row it ends in, `fixed` its other parts."""

    methods: dict[str, frozenset[str]]
    pk: str = ""
    fixed: dict[str, str] = field(default_factory=dict)


def page(get: frozenset[str] | None = None, post: frozenset[str] | None = None, pk: str = "") -> Address:
    return Address({m: roles for m, roles in (("GET", get), ("POST", post)) if roles}, pk)


PAGES = {
    "team-balance-top-up": page(PAYERS, PAYERS),
    "team-balance-purchases": page(PAYERS),
    "team-balance-auto-top-up": page(PAYERS, PAYERS),
    "team-balance-purchases-csv": page(PAYERS),
    "team-balance-ledger-csv": page(READERS),
    "team-balance-lots-csv": page(READERS),
    "account-own-cap": page(ALL, ALL),
    "account-key": page(ALL),
    "account-key-rotate": page(ALL, ALL),
    "account-key-revoke": page(None, ALL),
    "account-key-used": page(ALL),
    "account-refused": page(ALL),
    "account-refused-csv": page(ALL),
    "account-receipt": page(ALL, pk="own event"),
    "account-credit-request": page(ALL, ALL),
    "account-seat-request": page(ALL, ALL),
    "account-tool": Address({"GET": ALL}, fixed={"tool": "quickstart"}),
    "account-usage": page(ALL),
    "team": page(ALL),
    "team-api-key": page(MANAGERS, MANAGERS, pk="api key"),
    "team-api-key-revoke": page(None, MANAGERS, pk="api key"),
    "team-api-key-rotate": page(MANAGERS, MANAGERS, pk="api key"),
    "team-api-key-show": page(MANAGERS, pk="api key"),
    "team-api-keys": page(MANAGERS, MANAGERS),
    "team-api-keys-csv": page(MANAGERS),
    "team-api-keys-policy": page(None, MANAGERS),
    "team-audit": page(MANAGERS),
    "team-audit-csv": page(MANAGERS),
    "team-balance": page(READERS),
    "team-balance-alert": page(PAYERS, PAYERS),
    "team-billing": page(PAYERS),
    "team-billing-contacts": page(None, PAYERS),
    "team-bulk-action": page(MANAGERS, pk="bulk action"),
    "team-bulk-action-csv": page(MANAGERS, pk="bulk action"),
    "team-bulk-action-stop": page(None, MANAGERS, pk="bulk action"),
    "team-change": page(PAYERS, PAYERS),
    "team-change-drop": page(None, PAYERS),
    "team-charges": page(MANAGERS),
    "team-checkout": page(PAYERS, pk="checkout"),
    "team-checkout-leave": page(None, PAYERS, pk="checkout"),
    "team-credits": page(READERS),
    "team-credits-access": page(MANAGERS, MANAGERS, pk="member"),
    "team-credits-access-csv": page(MANAGERS),
    "team-credits-auto-top-up": page(PAYERS, PAYERS),
    "team-credits-buy": page(PAYERS, PAYERS),
    "team-credits-policy": page(OWNER, OWNER),
    "team-credits-ledger-csv": page(READERS),
    "team-credits-lots-csv": page(READERS),
    "team-credits-purchases": page(PAYERS),
    "team-credits-purchases-csv": page(PAYERS),
    "team-delete": page(None, OWNER),
    "team-invitation-resend": page(None, MANAGERS, pk="invitation"),
    "team-invitation-revoke": page(None, MANAGERS, pk="invitation"),
    "team-invitations": page(MANAGERS, MANAGERS),
    "team-invitations-csv": page(MANAGERS),
    "team-invite-many": page(MANAGERS, MANAGERS),
    "team-invoice-details": page(PAYERS, PAYERS),
    "team-invoices-csv": page(PAYERS),
    "team-leave": page(None, ALL),
    "team-member-billing": page(None, OWNER, pk="member"),
    "team-member-remove": page(None, MANAGERS, pk="member"),
    "team-member-revoke-key": page(None, MANAGERS, pk="member"),
    "team-member-role": page(None, OWNER, pk="member"),
    "team-member": page(MANAGERS, pk="member"),
    "team-member-seat": page(None, MANAGERS, pk="member"),
    "team-members": page(MANAGERS),
    "team-members-csv": page(MANAGERS),
    "team-members-act": page(None, MANAGERS),
    "team-next-invoice": page(PAYERS),
    "team-paid-seats-csv": page(PAYERS),
    "team-portal": page(None, PAYERS),
    "team-receipt": page(MANAGERS, pk="event"),
    "team-credit-request-answer": page(None, MANAGERS, pk="credit request"),
    "team-request-answer": page(None, MANAGERS, pk="request"),
    "team-requests": page(MANAGERS),
    "team-requests-csv": page(MANAGERS),
    "team-seat": page(MANAGERS, pk="seat"),
    "team-seat-assign": page(None, MANAGERS, pk="seat"),
    "team-seat-free": page(None, MANAGERS, pk="seat"),
    "team-seat-undo": page(None, MANAGERS, pk="seat"),
    "team-seats": page(MANAGERS),
    "team-seats-csv": page(MANAGERS),
    "team-settings": page(OWNER, OWNER),
    "team-subscribe": page(PAYERS, PAYERS),
    "team-transfer": page(None, OWNER, pk="member"),
    "team-usage": page(MANAGERS),
}

API = {
    "api-balance-purchases": Address({"GET": PAYERS, "POST": PAYERS}),
    "api-balance-auto-top-up": Address({"GET": PAYERS, "PUT": PAYERS}),
    "api-api-key": Address({"GET": MANAGERS, "PUT": MANAGERS, "DELETE": MANAGERS}, "api key"),
    "api-api-key-policy": Address({"GET": MANAGERS, "PUT": MANAGERS}),
    "api-api-key-reveal": Address({"POST": MANAGERS}, "api key"),
    "api-api-key-rotate": Address({"POST": MANAGERS}, "api key"),
    "api-api-keys": Address({"GET": MANAGERS, "POST": MANAGERS}),
    "api-audit": Address({"GET": MANAGERS}),
    "api-balance-alert": Address({"PUT": PAYERS}),
    "api-balance-ledger": Address({"GET": READERS}),
    "api-balance-lots": Address({"GET": READERS}),
    "api-checkout": Address({"GET": PAYERS, "DELETE": PAYERS}, "checkout"),
    "api-auto-top-up": Address({"GET": PAYERS, "PUT": PAYERS}),
    "api-credit-purchases": Address({"GET": PAYERS, "POST": PAYERS}),
    "api-credit-access": Address({"GET": MANAGERS, "PUT": MANAGERS}, "member"),
    "api-credit-ledger": Address({"GET": READERS}),
    "api-credit-lots": Address({"GET": READERS}),
    "api-credit-policy": Address({"PUT": OWNER}),
    "api-credits": Address({"GET": READERS}),
    "api-invitation": Address({"DELETE": MANAGERS}, "invitation"),
    "api-invitation-resend": Address({"POST": MANAGERS}, "invitation"),
    "api-invitations": Address({"GET": MANAGERS, "POST": MANAGERS}),
    "api-invoices": Address({"GET": PAYERS}),
    "api-key": Address({"GET": ALL, "DELETE": ALL}),
    "api-key-reveal": Address({"POST": ALL}),
    "api-key-rotate": Address({"POST": ALL}),
    "api-leave": Address({"POST": ALL}),
    "api-member": Address({"GET": MANAGERS, "PATCH": OWNER, "DELETE": MANAGERS}, "member"),
    "api-member-key": Address({"GET": MANAGERS, "DELETE": MANAGERS}, "member"),
    "api-member-usage": Address({"GET": MANAGERS}, "member"),
    "api-members": Address({"GET": MANAGERS}),
    "api-next-invoice": Address({"GET": PAYERS}),
    "api-own-cap": Address({"GET": ALL, "PUT": ALL}),
    "api-portal": Address({"POST": PAYERS}),
    "api-seat": Address({"GET": MANAGERS}, "seat"),
    "api-seat-assign": Address({"POST": MANAGERS}, "seat"),
    "api-seat-free": Address({"POST": MANAGERS}, "seat"),
    "api-seat-holders": Address({"GET": MANAGERS}, "seat"),
    "api-seat-move": Address({"POST": MANAGERS}, "seat"),
    "api-credit-request-answer": Address({"POST": MANAGERS}, "credit request"),
    "api-credit-requests": Address({"GET": ALL, "POST": ALL}),
    "api-seat-request-answer": Address({"POST": MANAGERS}, "request"),
    "api-seat-requests": Address({"GET": ALL, "POST": ALL}),
    "api-seats": Address({"GET": MANAGERS}),
    "api-subscription": Address({"GET": PAYERS}),
    "api-subscription-change": Address({"POST": PAYERS}),
    "api-subscription-change-drop": Address({"POST": PAYERS}),
    "api-subscription-checkout": Address({"POST": PAYERS}),
    "api-subscription-preview": Address({"POST": PAYERS}),
    "api-team": Address({"GET": ALL, "PATCH": OWNER, "DELETE": OWNER}),
    "api-team-balance": Address({"GET": READERS}),
    "api-team-receipt": Address({"GET": MANAGERS}, "event"),
    "api-team-receipts": Address({"GET": MANAGERS}),
    "api-team-usage": Address({"GET": MANAGERS}),
    "api-team-usage-csv": Address({"GET": MANAGERS}),
    "api-team-receipts-csv": Address({"GET": MANAGERS}),
    "api-transfer": Address({"POST": OWNER}),
}

TEAMS = {**PAGES, **API}
CREDIT_ACCESS = {"allowed": True, "overflow": "allow", "month_cap": None}

# One's own, whatever the Team: a page asks to sign in, the API answers 401.
OWN_PAGES = {
    "account",
    "account-notices",
    "account-bars",
    "account-profile",
    "account-session-end",
    "account-sessions-end-others",
    "account-token-revoke",
    "account-tokens",
    "account-tokens-csv",
    "invite-link",
    "plans-choose",
    "search",
    "team-new",
} | PASSKEY_PAGES
# A row of somebody else does not exist there (tests/teams/views).
OWN_ROWS = {"account-session-end", "account-token-revoke", "mfa_edit_webauthn", "mfa_remove_webauthn"}
OWN_API = {
    *("api-me", "api-tokens", "api-token", "api-teams", "api-my-usage", "api-invitation-accept"),
    "api-notices",
    *("api-own-invite", "api-invite-accept"),
}

# A gateway's credential or a Subscription Key, tested where they are made.
NOBODYS = "0b8f6a2e-7c4a-4a54-9f1e-0d3b9d0d3b9d"
OTHER_CREDENTIALS: dict[str, dict[str, str]] = {
    "api-authorize": {},
    "api-rate-card": {},
    **{f"api-{verb}": {"reservation": NOBODYS} for verb in ("settle", "release", "draw", "extend")},
    "api-reservation": {"reservation": NOBODYS},
    "api-reservations": {},
    "api-refusals": {},
    "api-usage-refusals": {},
    "api-settlements": {},
    "api-events": {},
    "api-balance": {},
    "api-usage": {},
    "api-receipts": {},
    "api-receipts-csv": {},
    "api-receipt": {"pk": NOBODYS},
    "api-series": {},
}

# For everyone, with nobody else's data. An invitation's token is a credential; trackers' bodies say who.
OPEN = {"home", "plans", "promotions", "models", "quickstart", "tools", "tool", "faq", "join", "schema"}
OPEN |= {"docs", "docs-found", "docs-page"}
OPEN |= {
    "invite",
    "language",
    "moments",
    "api-promotions",
    "api-plans",
    "api-models",
    "api-docs",
    "remains",
    "remains-legacy",
    "query-balance",
}
SIGNED = {"stripe-webhook"}  # Stripe's signature is the credential (tests/billing/views/test_webhooks.py)
