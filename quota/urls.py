"""The pages of quota, below the site's root."""

from django.urls import path

from quota.views import (
    account,
    api_keys,
    balance,
    credits,
    members,
    models,
    overview,
    receipts,
    seat_requests,
    seats,
    team_usage,
    tools,
)

TEAM = "teams/<slug:slug>"

urlpatterns = [
    path("models/", models.models, name="models"),
    path("quickstart/", tools.quickstart, name="quickstart"),
    path("tools/", tools.tools, name="tools"),
    path("tools/<str:tool>/", tools.tool, name="tool"),
    path("account/tools/<slug:slug>/<str:tool>/", tools.tool_with_key, name="account-tool"),
    path("account/key-used/<slug:slug>/", tools.key_used, name="account-key-used"),
    path("account/", account.account, name="account"),
    path("account/bars/<slug:slug>/", account.bar, name="account-bar"),
    path("account/seat-requests/<slug:slug>/", account.seat_request, name="account-seat-request"),
    path("account/usage/<slug:slug>/", receipts.own_charges, name="account-usage"),
    path("account/usage/<slug:slug>/<uuid:pk>/", receipts.own_receipt, name="account-receipt"),
    path(f"{TEAM}/", overview.overview, name="team"),
    path(f"{TEAM}/members/", members.team_members, name="team-members"),
    path(f"{TEAM}/seats/", seats.team_seats, name="team-seats"),
    path(f"{TEAM}/seats/<int:pk>/", seats.seat, name="team-seat"),
    path(f"{TEAM}/seats/<int:pk>/assign/", seats.assign, name="team-seat-assign"),
    path(f"{TEAM}/seats/<int:pk>/free/", seats.free, name="team-seat-free"),
    path(f"{TEAM}/requests/", seat_requests.seat_requests, name="team-requests"),
    path(f"{TEAM}/requests/<int:pk>/", seat_requests.answer, name="team-request-answer"),
    path(f"{TEAM}/credits/", credits.overview, name="team-credits"),
    path(f"{TEAM}/credits/policy/", credits.policy, name="team-credits-policy"),
    path(f"{TEAM}/credits/access/<int:pk>/", credits.access, name="team-credits-access"),
    path(f"{TEAM}/api-keys/", api_keys.api_keys, name="team-api-keys"),
    path(f"{TEAM}/api-keys/policy/", api_keys.policy, name="team-api-keys-policy"),
    path(f"{TEAM}/api-keys/<int:pk>/", api_keys.api_key, name="team-api-key"),
    path(f"{TEAM}/api-keys/<int:pk>/show/", api_keys.reveal, name="team-api-key-show"),
    path(f"{TEAM}/api-keys/<int:pk>/rotate/", api_keys.rotate, name="team-api-key-rotate"),
    path(f"{TEAM}/api-keys/<int:pk>/revoke/", api_keys.revoke, name="team-api-key-revoke"),
    path(f"{TEAM}/balance/", balance.overview, name="team-balance"),
    path(f"{TEAM}/balance/alert/", balance.alert, name="team-balance-alert"),
    path(f"{TEAM}/usage/", team_usage.team_usage, name="team-usage"),
    path(f"{TEAM}/charges/", receipts.team_charges, name="team-charges"),
    path(f"{TEAM}/charges/<uuid:pk>/", receipts.team_receipt, name="team-receipt"),
]
