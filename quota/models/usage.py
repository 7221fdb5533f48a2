"""Calls: what was used. What is held for them: `quota.models.reservations`.

The database does not check the foreign keys of the busy tables: the rows they lead to are never deleted, and
the checks cost more than all else that a call writes. `reconcile` looks for rows that lead nowhere, or to
another Team's. Nor has any an index of its own: every question is answered by a composite one.

Holds and events are partitioned by month, by the time in their ids, and old months may be dropped
(`quota.services.partitions`). A key can be unique in a partition alone. So what has to be unique for longer
has a lean table of its own (`quota.models.kept`). That a draw is charged once, by hold and `draw_id`, and
that a charge is corrected once, by `corrects` and `is_undo`, is unique in each partition; beyond that, the
lock of the hold, or of the Team's Credits, sees to it.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from quota import querysets
from quota.ids import new_id
from quota.models.gateways import Gateway
from quota.models.of_team import OfTeam
from quota.models.plans import Plan, RateCard
from quota.models.reservations import Reservation
from teams.models import ApiKey, ApiKeyText, Membership, Seat, SubscriptionKey, Team

# Begins the id of a draw that no gateway made. A gateway may take its ids from whoever calls, and none of
# them has this sign: bodies with it are refused.
OWN_DRAW = "\x1f"


class UsageEvent(OfTeam):
    """One charge, for good: append-only, by trigger. What a receipt shows."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    gateway = models.ForeignKey(
        Gateway,
        verbose_name=_("gateway"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )
    external_id = models.CharField(  # noqa: DJ001  (what settle charges has none, and none equals no other)
        _("id at the gateway"),
        max_length=128,
        null=True,
        help_text=_("The gateway's own id of a bulk event."),
    )
    usage_hash = models.UUIDField(help_text=_("Of what was reported; a repeat must say the same."))
    reservation = models.ForeignKey(
        Reservation,
        verbose_name=_("hold"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="draws",
    )
    draw_id = models.CharField(
        max_length=128, blank=True, help_text=_("The gateway's own id of this draw from its hold.")
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
        ApiKeyText, null=True, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
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
    model = models.CharField(_("model"), max_length=100)
    modality = models.CharField(max_length=20)
    agent = models.CharField(_("agent"), max_length=64, blank=True)
    tags = models.JSONField(_("tags"), default=list)
    usage = models.JSONField(_("usage"), help_text=_("Meter to quantity."))
    estimated = models.BooleanField(
        _("estimated"),
        default=False,
        help_text=_("The gateway did not see all of the usage, and estimated it."),
    )
    rate_card = models.ForeignKey(
        RateCard,
        verbose_name=_("rate card"),
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="+",
        help_text=_("What it was charged by: its prices, as a receipt shows them, follow from that."),
    )
    unpriced = models.BooleanField(
        _("unpriced"),
        default=False,
        help_text=_("Something was used of a meter without a price, and is not in the amount."),
    )
    amount_nanousd = models.BigIntegerField()
    from_quota_nanousd = models.BigIntegerField()
    from_credits_nanousd = models.BigIntegerField()
    from_balance_nanousd = models.BigIntegerField(default=0, db_default=0)
    overrun_nanousd = models.BigIntegerField()
    first_use_starts = models.JSONField(
        default=dict, help_text=_("When the first_use windows that it counts in began, by window rule.")
    )
    # Before it and after it (quota/stored_windows.py).
    windows = models.BinaryField(_("windows"), default=b"")
    occurred_at = models.DateTimeField(_("occurred at"))
    recorded_at = models.DateTimeField(_("recorded at"))
    corrects = models.ForeignKey(
        "self",
        verbose_name=_("charge that it corrects"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="corrections",
        help_text=_("A charge that was wrong: this one undoes it, or charges what is right."),
    )
    is_undo = models.BooleanField(_("undoes a charge"), default=False)

    objects = querysets.UsageEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    amount_nanousd=F("from_quota_nanousd")
                    + F("from_credits_nanousd")
                    + F("from_balance_nanousd")
                    + F("overrun_nanousd")
                ),
                name="a_charge_is_the_sum_of_its_parts",
            ),
            models.CheckConstraint(
                condition=Q(from_quota_nanousd__gte=0, from_credits_nanousd__gte=0, overrun_nanousd__gte=0)
                & Q(from_balance_nanousd__gte=0, is_undo=False)
                | Q(from_quota_nanousd__lte=0, from_credits_nanousd__lte=0, overrun_nanousd__lte=0)
                & Q(from_balance_nanousd__lte=0, is_undo=True, corrects__isnull=False),
                name="no_part_of_a_charge_is_negative",
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
                name="an_api_key_is_charged_to_the_api_balance",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "occurred_at"], name="usage_of_a_team"),
            models.Index(fields=["membership", "occurred_at"], name="usage_of_a_member"),
            models.Index(fields=["seat", "occurred_at"], name="usage_of_a_seat"),
            models.Index(
                fields=["api_key", "occurred_at"],
                condition=Q(api_key__isnull=False),
                name="usage_of_an_api_key",
            ),
            models.Index(fields=["recorded_at"], condition=Q(unpriced=True), name="unpriced_usage"),
        ]

    def __str__(self) -> str:
        return str(self.pk)
