"""The API of quota: `urlpatterns` under /api/v1/, `tracker_patterns` where existing trackers look."""

from __future__ import annotations

from django.urls import path

from quota.api import model_list
from quota.api.gateway import authorize, bulk, rate_card, refusals, reservations, settle
from quota.api.key_holder import balance as key_balance
from quota.api.key_holder import receipts_csv, trackers, usage
from quota.api.people import (
    api_keys,
    balance,
    credit_requests,
    credits,
    invitations,
    members,
    own_settings,
    seat_requests,
    seats,
    team_usage,
    usage_csv,
)

people = [
    path("invitations/accept", invitations.AcceptInvitation.as_view(), name="api-invitation-accept"),
    path("me/notices", own_settings.Notices.as_view(), name="api-notices"),
    path("me/usage", team_usage.MyUsage.as_view(), name="api-my-usage"),
    path("teams/<slug:slug>/members", members.MemberList.as_view(), name="api-members"),
    path("teams/<slug:slug>/members/<int:pk>", members.MemberDetail.as_view(), name="api-member"),
    path("teams/<slug:slug>/members/<int:pk>/credits", credits.Access.as_view(), name="api-credit-access"),
    path(
        "teams/<slug:slug>/members/<int:pk>/usage", team_usage.MemberUsage.as_view(), name="api-member-usage"
    ),
    path("teams/<slug:slug>/seats", seats.SeatList.as_view(), name="api-seats"),
    path("teams/<slug:slug>/seats/<int:pk>", seats.SeatDetail.as_view(), name="api-seat"),
    path("teams/<slug:slug>/seats/<int:pk>/holders", seats.SeatHolders.as_view(), name="api-seat-holders"),
    path("teams/<slug:slug>/seats/<int:pk>/assign", seats.SeatAssign.as_view(), name="api-seat-assign"),
    path("teams/<slug:slug>/seats/<int:pk>/free", seats.SeatFree.as_view(), name="api-seat-free"),
    path("teams/<slug:slug>/seats/<int:pk>/move", seats.SeatMove.as_view(), name="api-seat-move"),
    path("teams/<slug:slug>/seat-requests", seat_requests.SeatRequests.as_view(), name="api-seat-requests"),
    path(
        "teams/<slug:slug>/seat-requests/<int:pk>/answer",
        seat_requests.SeatRequestAnswer.as_view(),
        name="api-seat-request-answer",
    ),
    path(
        "teams/<slug:slug>/credit-requests",
        credit_requests.CreditRequests.as_view(),
        name="api-credit-requests",
    ),
    path(
        "teams/<slug:slug>/credit-requests/<int:pk>/answer",
        credit_requests.CreditRequestAnswer.as_view(),
        name="api-credit-request-answer",
    ),
    path("teams/<slug:slug>/own-cap", own_settings.OwnCap.as_view(), name="api-own-cap"),
    path("teams/<slug:slug>/credits", credits.Pool.as_view(), name="api-credits"),
    path("teams/<slug:slug>/credits/policy", credits.Policy.as_view(), name="api-credit-policy"),
    path("teams/<slug:slug>/credits/lots", credits.Lots.as_view(), name="api-credit-lots"),
    path("teams/<slug:slug>/credits/ledger", credits.Ledger.as_view(), name="api-credit-ledger"),
    path("teams/<slug:slug>/api-keys", api_keys.ApiKeys.as_view(), name="api-api-keys"),
    path("teams/<slug:slug>/api-keys/policy", api_keys.ApiKeyPolicy.as_view(), name="api-api-key-policy"),
    path("teams/<slug:slug>/api-keys/<int:pk>", api_keys.ApiKeyDetail.as_view(), name="api-api-key"),
    path(
        "teams/<slug:slug>/api-keys/<int:pk>/reveal",
        api_keys.RevealApiKey.as_view(),
        name="api-api-key-reveal",
    ),
    path(
        "teams/<slug:slug>/api-keys/<int:pk>/rotate",
        api_keys.RotateApiKey.as_view(),
        name="api-api-key-rotate",
    ),
    path("teams/<slug:slug>/balance", balance.Balance.as_view(), name="api-team-balance"),
    path("teams/<slug:slug>/balance/alert", balance.Alert.as_view(), name="api-balance-alert"),
    path("teams/<slug:slug>/balance/lots", balance.BalanceLots.as_view(), name="api-balance-lots"),
    path("teams/<slug:slug>/balance/ledger", balance.BalanceLedger.as_view(), name="api-balance-ledger"),
    path("teams/<slug:slug>/usage", team_usage.TeamUsage.as_view(), name="api-team-usage"),
    path("teams/<slug:slug>/usage.csv", usage_csv.TeamUsageCSV.as_view(), name="api-team-usage-csv"),
    path("teams/<slug:slug>/receipts.csv", usage_csv.TeamReceiptsCSV.as_view(), name="api-team-receipts-csv"),
    path("teams/<slug:slug>/receipts", team_usage.TeamReceipts.as_view(), name="api-team-receipts"),
    path("teams/<slug:slug>/receipts/<uuid:pk>", team_usage.TeamReceipt.as_view(), name="api-team-receipt"),
]

urlpatterns = [
    path("gateway/authorize", authorize.Authorize.as_view(), name="api-authorize"),
    path("gateway/reservations", reservations.ReservationList.as_view(), name="api-reservations"),
    path(
        "gateway/reservations/<uuid:reservation>",
        reservations.ReservationDetail.as_view(),
        name="api-reservation",
    ),
    path("gateway/reservations/<uuid:reservation>/settle", settle.Settle.as_view(), name="api-settle"),
    path("gateway/reservations/<uuid:reservation>/draw", settle.Draw.as_view(), name="api-draw"),
    path("gateway/reservations/<uuid:reservation>/extend", reservations.Extend.as_view(), name="api-extend"),
    path("gateway/reservations/<uuid:reservation>/release", settle.Release.as_view(), name="api-release"),
    path("gateway/settlements", bulk.Settlements.as_view(), name="api-settlements"),
    path("gateway/events", bulk.Events.as_view(), name="api-events"),
    path("gateway/refusals", refusals.Refusals.as_view(), name="api-refusals"),
    path("gateway/rate-card", rate_card.GatewayRateCard.as_view(), name="api-rate-card"),
    path("models", model_list.Models.as_view(), name="api-models"),
    path("balance", key_balance.KeyBalance.as_view(), name="api-balance"),
    path("usage", usage.Usage.as_view(), name="api-usage"),
    path("usage/receipts", usage.Receipts.as_view(), name="api-receipts"),
    path("usage/receipts.csv", receipts_csv.ReceiptsCSV.as_view(), name="api-receipts-csv"),
    path("usage/receipts/<uuid:pk>", usage.Receipt.as_view(), name="api-receipt"),
    path("usage/refusals", usage.Refusals.as_view(), name="api-usage-refusals"),
    path("usage/series", usage.Series.as_view(), name="api-series"),
    *people,
]

tracker_patterns = [
    path("account/query_balance", key_balance.QueryBalance.as_view(), name="query-balance"),
    path("v1/token_plan/remains", trackers.Remains.as_view(), name="remains"),
    path("v1/api/openplatform/coding_plan/remains", trackers.Remains.as_view(), name="remains-legacy"),
]
