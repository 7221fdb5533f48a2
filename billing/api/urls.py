"""Addresses of the second floor, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from billing.api import credits, payments, plans, subscription, teams

TEAM = "teams/<slug:slug>"

urlpatterns = [
    path("plans", plans.Plans.as_view(), name="api-plans"),
    path(TEAM, teams.TeamDetail.as_view(), name="api-team"),
    path(f"{TEAM}/subscription", subscription.Current.as_view(), name="api-subscription"),
    path(f"{TEAM}/subscription/next-invoice", subscription.NextInvoice.as_view(), name="api-next-invoice"),
    path(f"{TEAM}/subscription/checkout", subscription.Buy.as_view(), name="api-subscription-checkout"),
    path(f"{TEAM}/subscription/preview", subscription.Preview.as_view(), name="api-subscription-preview"),
    path(f"{TEAM}/subscription/change", subscription.Confirm.as_view(), name="api-subscription-change"),
    path(
        f"{TEAM}/subscription/change/drop", subscription.Drop.as_view(), name="api-subscription-change-drop"
    ),
    path(f"{TEAM}/credits/purchases", credits.Purchases.as_view(), name="api-credit-purchases"),
    path(f"{TEAM}/credits/auto-top-up", credits.AutoTopUp.as_view(), name="api-auto-top-up"),
    path(f"{TEAM}/checkouts/<uuid:pk>", payments.Visit.as_view(), name="api-checkout"),
    path(f"{TEAM}/invoices", payments.Invoices.as_view(), name="api-invoices"),
    path(f"{TEAM}/portal", payments.Portal.as_view(), name="api-portal"),
]
