"""Which pages of a demo have a picture, by who opens them."""

from __future__ import annotations

TOOLS = ("claude-code", "openclaw", "cursor", "trae", "hermes-agent", "other")
ANONYMOUS = (
    "/",
    "/plans/",
    "/plans/?interval=year",
    "/models/",
    "/promotions/",
    "/faq/",
    "/docs/",
    "/docs/api/",
    "/docs/plans-and-credits/",
    "/docs/?q=refund",
    "/quickstart/",
    "/tools/",
    *(f"/tools/{tool}/" for tool in TOOLS),
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/confirm-email/",
    "/accounts/password/reset/key/done/",
    "/accounts/inactive/",
)
OF_ONES_OWN = (
    "/account/profile/",
    "/account/tokens/",
    "/account/security/",
    "/account/notices/",
    "/account/authenticator-app/add/",
    "/account/passkeys/add/",
    "/accounts/email/",
    "/promotions/",
    "/accounts/password/change/",
    "/accounts/logout/",
    "/new-team/",
    "/plans/choose/?plan=max",
)
TEAM_PAGES = (
    "",
    "members/",
    "members/?show=no-seat",
    "members/?q=nobody-of-this-name",
    "invitations/",
    "invitations/many/",
    "seats/",
    "requests/",
    "credits/",
    "credits/auto-top-up/",
    "credits/buy/",
    "credits/policy/",
    "credits/purchases/",
    "billing/",
    "billing/invoice-details/",
    "billing/change/?kind=cancel",
    "billing/change/?kind=interval&interval=year",
    "billing/change/?kind=add&plan=max&count=2",
    "usage/",
    "charges/",
    "audit/",
    "settings/",
)
# The first page of each such address that another page leads to.
LED_TO = (
    ("members/", r"/members/\d+/$", "team-member"),
    ("seats/", r"/seats/\d+/$", "team-seat"),
    ("charges/", r"/charges/[\w-]{36}/$", "team-receipt"),
    ("credits/", r"/access/\d+/$", "team-credits-access"),
)
API_ACCOUNT = (
    "api-keys/",
    "balance/",
    "balance/alert/",
    "balance/top-up/",
    "balance/auto-top-up/",
    "balance/purchases/",
)
# Of somebody who has an app and a passkey.
WITH_FACTORS = (
    "/account/security/",
    "/accounts/reauthenticate/app/",
    "/accounts/reauthenticate/passkey/",
    "/account/authenticator-app/remove/",
    "/account/passkeys/recovery-codes/",
    "/account/passkeys/recovery-codes/new/",
)
PRINTED = ("usage/", "billing/", "charges/")
OPERATORS_LISTS = ("payment", "stripeevent", "promotion", "creditpurchase", "subscription", "invoice")
OPERATORS_PAGES = (
    "billing/promotion/add/",
    "billing/refund/",
    "quota/plan/",
    "quota/ratecard/",
    "teams/user/",
    "teams/team/",
    "teams/mail/",
    "teams/jobrun/",
    "quota/jobprogress/",
    "quota/refusedcall/",
    "quota/quarantinedrow/",
    "quota/reservation/?lapsed=week",
)
# Forms of an operator about a Team; each asks for a reason.
OPERATORS_FORMS = ("grant-seat", "grant-credits", "give-voucher", "hand-over")
