"""Addresses of buying, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from billing.api import (
    balance,
    changes,
    checkouts,
    invites,
    invoices,
    plans,
    promotions,
    purchases,
    subscriptions,
    teams,
    top_ups,
)

TEAM = "teams/<slug:slug>"

urlpatterns = [
    path("plans", plans.Plans.as_view(), name="api-plans"),
    path("promotions", promotions.Promotions.as_view(), name="api-promotions"),
    path("me/invite", invites.OwnInvite.as_view(), name="api-own-invite"),
    path("invites/accept", invites.AcceptInvite.as_view(), name="api-invite-accept"),
    path(TEAM, teams.TeamDetail.as_view(), name="api-team"),
    path(f"{TEAM}/subscription", subscriptions.Current.as_view(), name="api-subscription"),
    path(f"{TEAM}/subscription/next-invoice", subscriptions.NextInvoice.as_view(), name="api-next-invoice"),
    path(f"{TEAM}/subscription/checkout", subscriptions.Buy.as_view(), name="api-subscription-checkout"),
    path(f"{TEAM}/subscription/preview", changes.Preview.as_view(), name="api-subscription-preview"),
    path(f"{TEAM}/subscription/change", changes.Confirm.as_view(), name="api-subscription-change"),
    path(f"{TEAM}/subscription/change/drop", changes.Drop.as_view(), name="api-subscription-change-drop"),
    path(f"{TEAM}/credits/purchases", purchases.Purchases.as_view(), name="api-credit-purchases"),
    path(f"{TEAM}/credits/auto-top-up", top_ups.AutoTopUp.as_view(), name="api-auto-top-up"),
    path(f"{TEAM}/balance/purchases", balance.BalancePurchases.as_view(), name="api-balance-purchases"),
    path(f"{TEAM}/balance/auto-top-up", balance.BalanceAutoTopUp.as_view(), name="api-balance-auto-top-up"),
    path(f"{TEAM}/checkouts/<uuid:pk>", checkouts.Checkout.as_view(), name="api-checkout"),
    path(f"{TEAM}/invoices", invoices.Invoices.as_view(), name="api-invoices"),
    path(f"{TEAM}/portal", invoices.Portal.as_view(), name="api-portal"),
]
