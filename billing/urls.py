"""The second floor's pages, below the site's root."""

from django.urls import path

from billing.views import changing, checkouts, credits, deleting, overview, plans, subscribing, webhooks

BILLING = "teams/<slug:slug>/billing"
CREDITS = "teams/<slug:slug>/credits"

urlpatterns = [
    path("plans/", plans.plans, name="plans"),
    path("plans/choose/", plans.choose, name="plans-choose"),
    path(f"{BILLING}/", overview.billing, name="team-billing"),
    path(f"{BILLING}/next-invoice/", overview.next_invoice, name="team-next-invoice"),
    path(f"{BILLING}/portal/", overview.portal, name="team-portal"),
    path(f"{BILLING}/subscribe/", subscribing.subscribe, name="team-subscribe"),
    path(f"{BILLING}/change/", changing.change, name="team-change"),
    path(f"{BILLING}/change/drop/", changing.drop, name="team-change-drop"),
    path(f"{BILLING}/checkouts/<uuid:pk>/", checkouts.checkout, name="team-checkout"),
    path(f"{BILLING}/checkouts/<uuid:pk>/leave/", checkouts.leave, name="team-checkout-leave"),
    path(f"{CREDITS}/buy/", credits.buy, name="team-credits-buy"),
    path(f"{CREDITS}/auto-top-up/", credits.auto_top_up, name="team-credits-auto-top-up"),
    path(f"{CREDITS}/purchases/", credits.purchases, name="team-credits-purchases"),
    path("teams/<slug:slug>/delete/", deleting.delete, name="team-delete"),
    path("webhooks/stripe/", webhooks.stripe, name="stripe-webhook"),
]
