"""Calls: what is held. How such tables are kept: `quota.models.usage`."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.ids import new_id
from quota.models.gateways import Gateway
from quota.models.of_team import OfTeam
from quota.models.plans import Plan, RateCard
from teams.models import ApiKey, ApiKeyText, Membership, Seat, SubscriptionKey, Team

LAPSED = "lapsed"
# As long as a hold may be lengthened, the days in which its usage may be reported, and the time to flush.
KEPT_FOR_AT_MOST = timedelta(days=91)


class Reservation(OfTeam):
    """A hold: money set aside for a key, from which usage is drawn until it is closed. For one call of
    `model`, or a lease: for calls of any model.

    What is left of it is held only while `state` is held and `holds_until` lies ahead; nobody needs to act
    for it to lapse. A call's hold keeps its room until `expires_at`, a lease for a while longer, for draws
    that are flushed late. That of a gateway that charges what lapses (`charges_at`) keeps it until a sweep
    has charged it, or for the 60 days in which its usage may be reported.
    """

    class State(models.TextChoices):
        HELD = "held", _("held")
        SETTLED = "settled", _("settled")
        RELEASED = "released", _("released")
        # A draw came of a lease whose key or seat was gone: what comes later is overrun.
        ENDED = "ended", _("ended")

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    gateway = models.ForeignKey(
        Gateway,
        verbose_name=_("gateway"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    request_id = models.CharField(_("request_id"), max_length=128)
    request_hash = models.UUIDField(
        _("hash of the request"), help_text=_("Of what was asked; a repeat must ask the same.")
    )
    team = models.ForeignKey(
        Team,
        verbose_name=_("Team"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    membership = models.ForeignKey(
        Membership,
        verbose_name=_("membership"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    key = models.ForeignKey(
        SubscriptionKey,
        verbose_name=_("Subscription Key"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    # In place of `key`: an API key, and the text of it that was sent. The membership is who made the text.
    api_key = models.ForeignKey(
        ApiKey,
        verbose_name=_("API key"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    api_text = models.ForeignKey(
        ApiKeyText,
        verbose_name=_("text of the API key"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    seat = models.ForeignKey(
        Seat,
        verbose_name=_("seat"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    plan = models.ForeignKey(
        Plan,
        verbose_name=_("plan"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    rate_card = models.ForeignKey(
        RateCard,
        verbose_name=_("rate card"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
        help_text=_("What the call was estimated by, and will be charged by."),
    )
    model = models.CharField(
        _("model"), max_length=100, blank=True, help_text=_("Empty: a lease, for any model.")
    )
    agent = models.CharField(_("agent"), max_length=64, blank=True)
    tags = models.JSONField(_("tags"), default=list)
    estimate_nanousd = models.BigIntegerField(_("estimate in nano-dollars"))
    from_quota_nanousd = models.BigIntegerField(_("from quota, in nano-dollars"))
    from_credits_nanousd = models.BigIntegerField(_("from Credits, in nano-dollars"))
    from_balance_nanousd = models.BigIntegerField(
        _("from the API balance, in nano-dollars"), default=0, db_default=0
    )
    left_quota_nanousd = models.BigIntegerField(
        _("left of quota, in nano-dollars"), help_text=_("What draws have left of the quota part.")
    )
    left_credits_nanousd = models.BigIntegerField(
        _("left of Credits, in nano-dollars"), help_text=_("What draws have left of the Credits part.")
    )
    left_balance_nanousd = models.BigIntegerField(
        _("left of the API balance, in nano-dollars"),
        default=0,
        db_default=0,
        help_text=_("What draws have left of the API balance part."),
    )
    # As the authorize answered them (quota/stored_windows.py); none once it is settled, and never repeated.
    windows = models.BinaryField(_("windows"), default=b"")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.HELD)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"))
    # Within KEPT_FOR_AT_MOST: among older ids nobody looks for open holds.
    holds_until = models.DateTimeField(
        _("keeps its room until"), help_text=_("Its room is kept so long, for draws that come late.")
    )
    charges_at = models.DateTimeField(
        _("is charged at"),
        null=True,
        blank=True,
        help_text=_("What is left of it then is charged as estimated, and not let go before."),
    )
    raised_at = models.DateTimeField(
        _("raised at"),
        null=True,
        blank=True,
        help_text=_("Draws of before then find no more room than there is."),
    )
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    expired = models.BooleanField(
        _("lapsed"), default=False, help_text=_("Released, or charged, by a sweep and not by the gateway.")
    )

    objects = querysets.ReservationQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    estimate_nanousd=F("from_quota_nanousd")
                    + F("from_credits_nanousd")
                    + F("from_balance_nanousd")
                )
                & Q(from_quota_nanousd__gte=0, from_credits_nanousd__gte=0, from_balance_nanousd__gte=0),
                name="a_reservation_holds_what_was_estimated",
            ),
            models.CheckConstraint(
                condition=Q(seat__isnull=False, plan__isnull=False)
                | Q(seat__isnull=True, plan__isnull=True, from_quota_nanousd=0),
                name="quota_is_held_on_a_seat_with_a_plan",
            ),
            models.CheckConstraint(
                condition=Q(
                    left_quota_nanousd__gte=0, left_credits_nanousd__gte=0, left_balance_nanousd__gte=0
                )
                & Q(left_quota_nanousd__lte=F("from_quota_nanousd"))
                & Q(left_credits_nanousd__lte=F("from_credits_nanousd"))
                & Q(left_balance_nanousd__lte=F("from_balance_nanousd")),
                name="no_more_is_left_of_a_hold_than_was_held",
            ),
            models.CheckConstraint(
                condition=Q(key__isnull=False, api_key=None, api_text=None, from_balance_nanousd=0)
                | Q(
                    key=None,
                    api_key__isnull=False,
                    api_text__isnull=False,
                    seat=None,
                    from_credits_nanousd=0,
                ),
                name="an_api_key_holds_api_balance_and_nothing_else",
            ),
            models.CheckConstraint(
                condition=Q(holds_until__gte=F("expires_at"), expires_at__gt=F("created_at")),
                name="a_hold_keeps_its_room_for_its_lifetime",
            ),
            models.CheckConstraint(
                condition=Q(holds_until__lte=F("created_at") + KEPT_FOR_AT_MOST),
                name="a_hold_is_kept_for_91_days_at_most",
            ),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(expired=False), name="an_open_hold_has_not_expired"
            ),
            models.CheckConstraint(
                condition=Q(charges_at=None)
                | Q(charges_at__gte=F("expires_at"), holds_until__gt=F("charges_at")),
                name="a_hold_keeps_its_room_until_it_is_charged",
            ),
        ]
        indexes = [
            models.Index(fields=["seat", "holds_until"], condition=Q(state="held"), name="holds_of_a_seat"),
            models.Index(
                fields=["team", "holds_until"],
                condition=Q(state="held", from_credits_nanousd__gt=0),
                name="credit_holds_of_a_team",
            ),
            models.Index(
                fields=["team", "holds_until"],
                condition=Q(state="held", from_balance_nanousd__gt=0),
                name="balance_holds_of_a_team",
            ),
            # `expired` is false while a hold is open. It keeps the planner from reading all open holds by
            # this index where those of a seat are asked for: of a month that has just begun it knows little.
            models.Index(
                fields=["holds_until"], condition=Q(state="held", expired=False), name="holds_by_end"
            ),
            models.Index(
                fields=["charges_at"],
                condition=Q(state="held", charges_at__isnull=False),
                name="holds_to_charge",
            ),
            models.Index(
                fields=["gateway", "created_at"], condition=Q(expired=True), name="lapsed_holds_of_a_gateway"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_lease(self) -> bool:
        return not self.model

    @property
    def left_nanousd(self) -> int:
        return self.left_quota_nanousd + self.left_credits_nanousd + self.left_balance_nanousd

    def state_at(self, moment: datetime) -> str:
        """`state`, and "lapsed" once its lifetime is over, whether or not a sweep has marked it."""
        over = self.state == self.State.HELD and moment >= self.expires_at
        return LAPSED if over or self.expired else self.state
