"""How far sweeps have come that go through what is new: so their cost follows what is new, and a run that was
cut short is taken up where it was.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from quota.ids import NO_ID
from teams.models import Seat


class JobProgress(models.Model):
    """How far a periodic job has read. `…_done`: all rows with such an id or a lower one have been read for
    good. `…_next`: as far as they will be, once every transaction that was under way then is over.
    """

    job = models.CharField(_("job"), primary_key=True, max_length=20)
    usage_done = models.UUIDField(_("charges done up to"), default=NO_ID, help_text=_("Of usage events."))
    entitlements_done = models.BigIntegerField(_("entitlements done up to"), default=0)
    usage_next = models.UUIDField(_("next charge"), default=NO_ID)
    entitlements_next = models.BigIntegerField(_("next entitlement"), default=0)
    next_after_transaction = models.BigIntegerField(
        _("next run, after transaction"),
        null=True,
        help_text=_("One that is newer than all that had written when that was noted."),
    )
    ran_at = models.DateTimeField(
        _("ran at"), null=True, help_text=_("The moment that the last whole run was of.")
    )

    class Meta:
        verbose_name = _("progress of a job")
        verbose_name_plural = _("progress of jobs")

    def __str__(self) -> str:
        return self.job


class WindowToClose(models.Model):
    """A window in which something was used, or taken back, and that is not in history as it is now."""

    pk = models.CompositePrimaryKey("seat_id", "rule", "starts_at")
    seat = models.ForeignKey(Seat, on_delete=models.PROTECT, related_name="+", db_index=False)
    rule = models.CharField(max_length=40)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="windows_to_close_by_end")]

    def __str__(self) -> str:
        return f"{self.rule} {self.starts_at:%Y-%m-%d %H:%M}"


class CrowdedSeat(models.Model):
    """A seat of which a window may have reached the share that is mailed of, under a plan that it has or will
    have. Nothing new is to be mailed before `due_at`, unless it is used, or has another holder or plan.
    """

    seat = models.OneToOneField(Seat, primary_key=True, on_delete=models.PROTECT, related_name="+")
    due_at = models.DateTimeField(help_text=_("When its windows are to be looked at."))
    used_until = models.DateTimeField(help_text=_("When the newest usage that was seen occurred, or will."))
    membership_id = models.BigIntegerField(null=True, help_text=_("Who held it when it was looked at."))
    plan_id = models.BigIntegerField(null=True, help_text=_("Its plan when it was looked at."))

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="crowded_seats_due")]

    def __str__(self) -> str:
        return str(self.seat_id)


class ReconcileRun(models.Model):
    """A run that checks what is new since the last one, or everything. At most one is open.

    `…_from` and `…_upto` are what it reads: all rows with ids above the first, up to the second. It moves the
    first, so that it is taken up there after it was cut short. The next run reads from `…_next` on.

    Of `windows` it reads charges that were checked some nights ago, once the windows that they count in have
    ended: history has them only then.

    Of members it reads those that are new, and so many of the others `again`, from where the run before it
    has left them: night by night it goes round.
    """

    is_whole = models.BooleanField(
        _("whole"), default=False, help_text=_("Everything there is, not what is new.")
    )
    began_at = models.DateTimeField(_("began at"))
    worked_at = models.DateTimeField(_("worked at"), help_text=_("When its last part was done."))
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    replaced = models.BooleanField(
        _("replaced by a whole run"),
        default=False,
        help_text=_("It did not end: a whole run took its place."),
    )
    usage_from = models.UUIDField(_("charges from"), default=NO_ID)
    usage_upto = models.UUIDField(_("charges up to"), default=NO_ID)
    usage_next = models.UUIDField(_("next charge"), default=NO_ID)
    windows_from = models.UUIDField(_("charges of ended windows from"), default=NO_ID)
    windows_upto = models.UUIDField(_("charges of ended windows up to"), default=NO_ID)
    windows_next = models.UUIDField(_("next charge of ended windows"), default=NO_ID)
    holds_from = models.UUIDField(_("holds from"), default=NO_ID)
    holds_upto = models.UUIDField(_("holds up to"), default=NO_ID)
    holds_next = models.UUIDField(_("next hold"), default=NO_ID)
    entries_from = models.BigIntegerField(_("ledger entries from"), default=0)
    entries_upto = models.BigIntegerField(_("ledger entries up to"), default=0)
    members_from = models.BigIntegerField(_("members from"), default=0)
    members_upto = models.BigIntegerField(_("members up to"), default=0)
    again_from = models.BigIntegerField(_("members again from"), default=0)
    again_upto = models.BigIntegerField(_("members again up to"), default=0)
    differences = models.PositiveIntegerField(
        _("differences"), default=0, help_text=_("How many it has found.")
    )
    after_transaction = models.BigIntegerField(
        _("reads after transaction"),
        help_text=_("It reads once all transactions that are older than this one are over."),
    )

    class Meta:
        verbose_name = _("reconcile run")
        verbose_name_plural = _("reconcile runs")
        constraints = [
            models.UniqueConstraint(Value(1), condition=Q(ended_at=None), name="one_reconcile_run_is_open")
        ]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} UTC"


class UncheckedSum(models.Model):
    """What a charge or a ledger entry that was checked counts in, and that is still to be summed up: of each
    week in which charges occurred that count in it.
    """

    class Kind(models.TextChoices):
        SEAT = "seat", _("Seat")
        LOT = "lot", _("Lot")
        MEMBER = "member", _("Member")
        REPORTS = "reports", _("What is rolled up of a member")
        API_KEY = "api_key", _("API key")

    pk = models.CompositePrimaryKey("kind", "of_id", "week")
    kind = models.CharField(max_length=7, choices=Kind)
    of_id = models.BigIntegerField(help_text=_("The id of the seat, lot, member or API key."))
    week = models.BigIntegerField(help_text=_("Weeks since 1970, each from Thursday to Wednesday in UTC."))
    since = models.DateTimeField(help_text=_("From when on the charges occurred."))
    until = models.DateTimeField(help_text=_("Until when they did."))

    def __str__(self) -> str:
        return f"{self.kind} {self.of_id}"


class ReconcileFinding(models.Model):
    """A difference that a run has found: of many, the first thousand."""

    run = models.ForeignKey(ReconcileRun, on_delete=models.CASCADE, related_name="findings")
    about = models.TextField(_("about"))
    expected = models.TextField(_("expected"))
    found = models.TextField(_("found"))

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [models.UniqueConstraint(fields=["run", "about"], name="a_run_finds_a_thing_once")]

    def __str__(self) -> str:
        return f"{self.about}: {self.expected} expected, {self.found} found"
