"""The pages of buying, below the site's root."""

from django.urls import path

from billing.admin import support
from billing.views import (
    audit,
    balance,
    changes,
    checkouts,
    invoice_details,
    invoices,
    overview,
    plans,
    promotions,
    purchase_lists,
    purchases,
    seats,
    subscriptions,
    teams,
    top_ups,
    webhooks,
)

BILLING = "teams/<slug:slug>/billing"
CREDITS = "teams/<slug:slug>/credits"
BALANCE = "teams/<slug:slug>/balance"

urlpatterns = [
    path("plans/", plans.plans, name="plans"),
    path("promotions/", promotions.promotions, name="promotions"),
    path("promotions/link/", promotions.own_link, name="invite-link"),
    path("invite/<str:code>/", promotions.invite, name="invite"),
    path("plans/choose/", plans.choose, name="plans-choose"),
    path(f"{BILLING}/", overview.billing, name="team-billing"),
    path(f"{BILLING}/next-invoice/", overview.next_invoice, name="team-next-invoice"),
    path(f"{BILLING}/invoices/file/", invoices.invoices_csv, name="team-invoices-csv"),
    path(f"{BILLING}/seats/file/", overview.paid_seats_csv, name="team-paid-seats-csv"),
    path(f"{BILLING}/portal/", overview.portal, name="team-portal"),
    path(f"{BILLING}/invoice-details/", invoice_details.invoice_details, name="team-invoice-details"),
    path(f"{BILLING}/contacts/", invoice_details.contacts, name="team-billing-contacts"),
    path(f"{BILLING}/subscribe/", subscriptions.subscribe, name="team-subscribe"),
    path(f"{BILLING}/change/", changes.change, name="team-change"),
    path(f"{BILLING}/change/drop/", changes.drop, name="team-change-drop"),
    path(f"{BILLING}/checkouts/<uuid:pk>/", checkouts.checkout, name="team-checkout"),
    path(f"{BILLING}/checkouts/<uuid:pk>/leave/", checkouts.leave, name="team-checkout-leave"),
    path(f"{CREDITS}/buy/", purchases.buy, name="team-credits-buy"),
    path(f"{CREDITS}/auto-top-up/", top_ups.auto_top_up, name="team-credits-auto-top-up"),
    path(f"{CREDITS}/purchases/", purchase_lists.of_credits, name="team-credits-purchases"),
    path(f"{CREDITS}/purchases/file/", purchase_lists.of_credits_csv, name="team-credits-purchases-csv"),
    path(f"{BALANCE}/top-up/", balance.top_up, name="team-balance-top-up"),
    path(f"{BALANCE}/auto-top-up/", top_ups.balance_auto_top_up, name="team-balance-auto-top-up"),
    path(f"{BALANCE}/purchases/", purchase_lists.of_balance, name="team-balance-purchases"),
    path(f"{BALANCE}/purchases/file/", purchase_lists.of_balance_csv, name="team-balance-purchases-csv"),
    path("teams/<slug:slug>/seats/", seats.team_seats, name="team-seats"),
    path("teams/<slug:slug>/seats/file/", seats.seats_csv, name="team-seats-csv"),
    path("teams/<slug:slug>/audit/", audit.audit, name="team-audit"),
    path("teams/<slug:slug>/audit/file/", audit.audit_csv, name="team-audit-csv"),
    path("teams/<slug:slug>/delete/", teams.delete, name="team-delete"),
    # With and without the slash: Stripe follows no redirect.
    path("webhooks/stripe", webhooks.stripe, name="stripe-webhook"),
    path("webhooks/stripe/", webhooks.stripe, name="stripe-webhook"),
    *support.urlpatterns,
]
