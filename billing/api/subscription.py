"""/teams/{slug}/subscription: what is bought, what a change would do, and doing it."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import (
    BuySerializer,
    ChangeSerializer,
    CheckoutSerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    OverviewSerializer,
    PreviewSerializer,
    UpcomingSerializer,
    WishSerializer,
)
from billing.api.views import BillingView
from billing.models import Change
from billing.selectors.overview import overview
from billing.selectors.wishes import wish_of
from billing.workflows import buying, changing, upcoming
from teams.tasks import deliver_mail
from tokenplan.kit.api import checked
from tokenplan.kit.enqueue import enqueue
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals

CHANGE_REFUSALS = (
    errors.NotSubscribed,
    errors.NotOnSale,
    errors.NothingToChange,
    errors.ChangeInProgress,
    errors.SubscriptionEnding,
    errors.PaymentOverdue,
    errors.StripeRefused,
    errors.PaymentsUnavailable,
    NotFound,
)


class Current(BillingView):
    @extend_schema(
        operation_id="subscription",
        responses=OverviewSerializer,
        summary="The subscription, its seats, and what is under way",
        description="As we last heard it from Stripe, which is not asked.",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(OverviewSerializer(overview(self.team)).data)


class NextInvoice(BillingView):
    @extend_schema(
        operation_id="next_invoice",
        responses={
            200: UpcomingSerializer,
            **refusals(errors.NotSubscribed, errors.PaymentsUnavailable),
        },
        summary="The next invoice, as Stripe would make it now",
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(UpcomingSerializer(upcoming.next_invoice(team=self.team)).data)


class Buy(BillingView):
    @extend_schema(
        operation_id="subscription_checkout",
        request=BuySerializer,
        responses={
            201: CheckoutSerializer,
            **refusals(
                errors.AlreadySubscribed,
                errors.NotOnSale,
                errors.ChangeInProgress,
                errors.StripeRefused,
                errors.PaymentsUnavailable,
            ),
        },
        summary="Buy the first seats",
        description="Answers with the payment page, on which a person pays. The same choice again gives the "
        "same page; another one ends the page before.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(BuySerializer, request)
        visit = buying.buy_seats(team=self.team, at=timezone.now(), by=self.person, **body)
        return Response(CheckoutSerializer(visit).data, status=201)


class Preview(BillingView):
    @extend_schema(
        operation_id="subscription_preview",
        request=WishSerializer,
        responses={200: PreviewSerializer, **refusals(*CHANGE_REFUSALS)},
        summary="What a change would cost and do",
        description="Nothing is changed. The money is Stripe's own preview; the windows are those of now, "
        "under the limits of the plan before and after.",
    )
    def post(self, request: Request, slug: str) -> Response:
        wish = wish_of(**checked(WishSerializer, request))
        shown = changing.preview(team=self.team, wish=wish, at=timezone.now())
        return Response(PreviewSerializer(shown).data)


class Confirm(BillingView):
    @extend_schema(
        operation_id="subscription_change",
        request=ConfirmSerializer,
        responses={
            200: ConfirmedSerializer,
            **refusals(*CHANGE_REFUSALS, errors.AmountChanged, errors.PaymentDeclined),
        },
        summary="Change, cancel or resume the subscription",
        description="Send the preview's wish with its `amount_nanousd` and `proration_at`. Where it costs "
        "otherwise by now, or was shown longer than 15 minutes ago, nothing is done and the refusal carries "
        "the new `amount_nanousd`. The same confirmation again gives the same change.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(ConfirmSerializer, request)
        amount, proration_at = body.pop("amount_nanousd"), body.pop("proration_at")
        made = changing.confirm(
            team=self.team,
            wish=wish_of(**body),
            amount_nanousd=amount,
            proration_at=proration_at,
            at=timezone.now(),
            by=self.person,
        )
        enqueue(deliver_mail)
        return Response(ConfirmedSerializer({"change": made, "current": overview(self.team)}).data)


class Drop(BillingView):
    @extend_schema(
        operation_id="subscription_change_drop",
        request=None,
        responses={
            200: ChangeSerializer,
            **refusals(errors.NothingToChange, errors.StripeRefused, errors.PaymentsUnavailable),
        },
        summary="Give up the change that waits for its payment",
        description="Its invoice is void then: nothing is charged, and nothing changes.",
    )
    def post(self, request: Request, slug: str) -> Response:
        waiting = Change.objects.for_team(self.team).unfinished()
        change = waiting.select_related("subscription", "team").first()
        if change is None:
            raise errors.NothingToChange("No change waits for its payment.")
        return Response(ChangeSerializer(changing.drop_change(change=change, at=timezone.now())).data)
