"""The second floor's pages, below the site's root."""

from django.urls import path

from billing.views import plans, webhooks

urlpatterns = [
    path("plans/", plans.plans, name="plans"),
    path("webhooks/stripe/", webhooks.stripe, name="stripe-webhook"),
]
