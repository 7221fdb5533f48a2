"""/teams/{slug}/subscription/preview and /change: what a change would do, and doing it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing import errors
from billing.api.serializers import (
    ChangeSerializer,
    ConfirmedSerializer,
    ConfirmSerializer,
    PreviewSerializer,
    SubscriptionChangeSerializer,
)
from billing.api.views import BillingView
from billing.models import Change
from billing.selectors.change_requests import CANCEL, RESUME, change_request
from billing.selectors.overview import overview
from billing.workflows import cancellations, change_previews
from billing.workflows.changes import confirm_change, drop_change
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
    errors.CardNeeded,
    errors.AddressNeeded,
    errors.StripeRefused,
    errors.PaymentsUnavailable,
    NotFound,
)


class Preview(BillingView):
    @extend_schema(
        operation_id="subscription_preview",
        request=SubscriptionChangeSerializer,
        responses={200: PreviewSerializer, **refusals(*CHANGE_REFUSALS)},
        summary="What a change would cost and do",
        description="Nothing is changed. The money is Stripe's own preview; the windows are those of now, "
        "under the limits of the plan before and after.",
    )
    def post(self, request: Request, slug: str) -> Response:
        body = checked(SubscriptionChangeSerializer, request)
        return Response(PreviewSerializer(self._preview(body, timezone.now())).data)

    def _preview(self, body: dict[str, Any], at: datetime) -> change_previews.Preview:
        if body["kind"] == CANCEL:
            return cancellations.preview_cancel(team=self.team, at=at)
        if body["kind"] == RESUME:
            return cancellations.preview_resume(team=self.team, at=at)
        return change_previews.preview_change(team=self.team, request=change_request(**body), at=at)


class Confirm(BillingView):
    @extend_schema(
        operation_id="subscription_change",
        request=ConfirmSerializer,
        responses={
            200: ConfirmedSerializer,
            **refusals(*CHANGE_REFUSALS, errors.AmountChanged, errors.PaymentDeclined),
        },
        summary="Change, cancel or resume the subscription",
        description="Send what was previewed again, with its `amount_nanousd` and `proration_at`. Where it "
        "costs otherwise by now, or was shown longer than 15 minutes ago, nothing is done and the refusal "
        "carries the new `amount_nanousd`. The same confirmation again gives the same change.",
    )
    def post(self, request: Request, slug: str) -> Response:
        change = self._confirm(checked(ConfirmSerializer, request), timezone.now())
        enqueue(deliver_mail)
        return Response(ConfirmedSerializer({"change": change, "current": overview(self.team)}).data)

    def _confirm(self, body: dict[str, Any], at: datetime) -> Change | None:
        team, by = self.team, self.person
        amount_nanousd, proration_at = body.pop("amount_nanousd"), body.pop("proration_at")
        if body["kind"] == CANCEL:
            cancellations.cancel(team=team, amount_nanousd=amount_nanousd, at=at, by=by)
            return None
        if body["kind"] == RESUME:
            cancellations.resume(team=team, amount_nanousd=amount_nanousd, at=at, by=by)
            return None
        return confirm_change(
            team=team,
            request=change_request(**body),
            amount_nanousd=amount_nanousd,
            proration_at=proration_at,
            at=at,
            by=by,
        )


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
            raise errors.NothingToChange(_("No change waits for its payment."))
        return Response(ChangeSerializer(drop_change(change=change, at=timezone.now())).data)
