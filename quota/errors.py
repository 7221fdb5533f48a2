"""Refusals of quota. Their codes and statuses are part of the API (docs/errors.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from quota.windows import QuotaWindow
from tokenplan.kit.errors import InvalidValue, Refusal


class NoUsableResources(Refusal):
    code = "no_usable_resources"
    status = 402
    title = _("There is nothing, or not enough, that this key may pay with")


class UsageOwed(Refusal):
    code = "usage_owed"
    status = 402
    title = _(
        "Earlier calls used more than was paid for. The Team's next Credits pay that first; for API keys the "
        "next top-up, or voucher, does"
    )


class ModelUnknown(Refusal):
    code = "model_unknown"
    status = 422
    title = _("The model is not on the rate card")


class InvalidUsage(InvalidValue):
    code = "usage_invalid"
    title = _("The usage cannot be priced")


class QuotaExhausted(Refusal):
    """`window` will be the last of `windows` to have room; `fits_at` is when the call fits."""

    code = "quota_exhausted"
    status = 429
    title = _("A quota window is full and Credits do not cover the rest")

    def __init__(
        self,
        detail: str,
        *,
        retry_after: int,
        window: QuotaWindow,
        windows: Sequence[QuotaWindow],
        plan_name: str,
        fits_at: datetime,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.window = window
        self.windows = windows
        self.plan_name = plan_name
        self.fits_at = fits_at


class LargerThanTheWindow(Refusal):
    """The call does not fit into `window`, one of `windows`, even when nothing is used of it."""

    code = "larger_than_the_window"
    status = 422
    title = _("The call is larger than a whole quota window")

    def __init__(self, detail: str, *, window: QuotaWindow, windows: Sequence[QuotaWindow]) -> None:
        super().__init__(detail)
        self.window = window
        self.windows = windows


class TooManyAgents(Refusal):
    """`windows` are the seat's, as they are."""

    code = "too_many_agents"
    status = 429
    title = _("More agents at once than the plan allows")

    def __init__(self, detail: str = "", *, retry_after: int, windows: Sequence[QuotaWindow]) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.windows = windows


class LeaseNotAllowed(InvalidValue):
    code = "lease_not_allowed"
    title = _("A plan that enforces its number of agents allows no leases")


class RequestIdReused(Refusal):
    code = "request_id_reused"
    title = _("This request_id was used for another request")


class ReservationClosed(Refusal):
    """The request is a repeat, and its reservation is `state` by now: settled, released or lapsed."""

    code = "reservation_closed"
    title = _("This request was answered, and its call is over")

    def __init__(self, detail: str, *, reservation_id: UUID, state: str) -> None:
        super().__init__(detail, pointer="/request_id")
        self.reservation_id = reservation_id
        self.state = state


class ReservationUnknown(Refusal):
    code = "reservation_unknown"
    status = 404
    title = _("There is no such reservation")


class ReservationLapsed(Refusal):
    code = "reservation_lapsed"
    title = _("The lifetime of the reservation is over, and it cannot be extended")


class AlreadySettled(Refusal):
    code = "reservation_settled"
    title = _("The reservation is settled with other usage, or settled and cannot be released")


class AlreadyReleased(Refusal):
    code = "reservation_released"
    title = _("The gateway released this reservation; report the usage as an event")


class ChargeCorrected(Refusal):
    code = "charge_corrected"
    title = _("This charge is undone already; correct the one that replaced it")


class EntriesNotKept(Refusal):
    code = "entries_not_kept"
    title = _("Entries of this charge are no longer kept, so it cannot be corrected; adjust a lot instead")


class NotInQuarantine(Refusal):
    code = "not_in_quarantine"
    title = _("This row was replayed or written off already")


class ReportedTooLate(InvalidValue):
    code = "reported_too_late"
    title = _("Usage of a hold is taken for 60 days after its end")


class EventIdReused(Refusal):
    code = "event_id_reused"
    title = _("This event id was used for another event")


class MomentOutOfRange(InvalidValue):
    code = "occurred_at_out_of_range"
    title = _(
        "Usage may be reported up to 7 days late and 5 minutes ahead; a draw is of the lifetime of its lease"
    )


class PlanNotSellable(Refusal):
    code = "plan_not_sellable"
    title = _("This plan version is no longer offered")


class PlanDraftExists(Refusal):
    code = "plan_draft_exists"
    title = _("The plan has a draft already; change it, publish it or discard it")


class PlanPublished(Refusal):
    code = "plan_published"
    title = _("This version of the plan is published already; make a new version instead")


class SeatNotEntitled(Refusal):
    code = "seat_not_entitled"
    title = _("This seat has no plan")


class NoFreeSeat(Refusal):
    code = "no_free_seat"
    title = _("No seat of this plan is free")


class CreditsNotEnough(Refusal):
    code = "credits_not_enough"
    title = _("The lot holds less than that")


class SeatRequestOpen(Refusal):
    code = "seat_request_open"
    title = _("Your earlier request still waits for an answer")


class SeatRequestClosed(Refusal):
    code = "seat_request_closed"
    title = _("This request was answered already")


class SeatRequestNeedsSeat(Refusal):
    code = "seat_request_needs_seat"
    title = _("A request for a seat is granted by giving a free seat; choose one, or buy one first")


class CreditRequestOpen(Refusal):
    code = "credit_request_open"
    title = _("Your earlier request for Credits still waits for an answer")


class CreditRequestClosed(Refusal):
    code = "credit_request_closed"
    title = _("This request was answered already")


class RateCardInvalid(InvalidValue):
    code = "rate_card_invalid"
    title = _("The rate card cannot be loaded")


class RateCardInForce(Refusal):
    code = "rate_card_in_force"
    title = _("This rate card is in force already; load another one instead")


class RateCardWithdrawn(Refusal):
    code = "rate_card_withdrawn"
    title = _("This rate card is withdrawn already")


class PlanListInvalid(InvalidValue):
    code = "plan_list_invalid"
    title = _("The list of plans cannot be loaded")


class BulkActionOpen(Refusal):
    code = "bulk_action_open"
    title = _("Another bulk action of this Team is still under way; wait for its end, or stop it")


class BulkActionEnded(Refusal):
    code = "bulk_action_ended"
    title = _("This bulk action has ended already")
