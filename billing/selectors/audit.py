"""The audit log as people read it: a sentence an entry; that of a Team found by person, kind and day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

import billing.audit_sentences
import quota.audit_sentences
import teams.audit_sentences
from billing.stored_texts import in_readers_words
from quota.selectors.member_requests import plan_names
from teams.audit_sentences import Said, Sentence
from teams.models import AuditEntry, Seat, Team
from teams.querysets import AuditEntryQuerySet
from teams.team_names import first_names
from tokenplan.kit.reach import between

SENTENCES: dict[str, Sentence] = {
    **teams.audit_sentences.SENTENCES,
    **quota.audit_sentences.SENTENCES,
    **billing.audit_sentences.SENTENCES,
}


class Kind(models.TextChoices):
    """What entries are about."""

    ALL = "", _("Everything")
    PEOPLE = "people", _("People and roles")
    SEATS = "seats", _("Seats")
    KEYS = "keys", _("Keys")
    CREDITS = "credits", _("Credits and API balance")
    BILLING = "billing", _("Billing")


# By what stands before the dot of an action.
SUBJECTS = {
    Kind.PEOPLE: ("team", "member", "role", "billing_right", "ownership", "invitation"),
    Kind.SEATS: ("seat",),
    Kind.KEYS: ("key", "api_key"),
    Kind.CREDITS: ("credits", "balance", "usage"),
    Kind.BILLING: ("billing", "subscription", "payment", "checkout", "promotion"),
}

# Their subject is kept in the default language, and so is what details of these say.
OF_PURCHASES = ("checkout.", "subscription.", "promotion.")

# The sources of what operators gave had the reason, before details had it.
OF_OPERATOR = re.compile(r"operator(?: [0-9a-f]{12})?: (.+)")


@dataclass(frozen=True, slots=True)
class Line:
    """An entry and what it says."""

    entry: AuditEntry
    text: str

    @property
    def kind(self) -> str:
        """The kind by which it is found, as the list's form calls it; "" for an entry of operators alone."""
        subject = self.entry.action.partition(".")[0]
        return next((str(kind.label) for kind, subjects in SUBJECTS.items() if subject in subjects), "")

    @property
    def subject(self) -> str:
        """What it is about, in the reader's language where the console has a word for it."""
        return _subject_of(self.entry)

    @property
    def reason(self) -> str:
        """Why an operator did it, where the sentence does not say that; else ""."""
        details = self.entry.details
        reason = str(details.get("reason") or "")
        if not reason and (match := OF_OPERATOR.fullmatch(str(details.get("source") or ""))):
            reason = match[1]
        return "" if reason in self.text else in_readers_words(reason)


def entries_found(
    team: Team,
    *,
    person: str = "",
    kind: str = Kind.ALL,
    since: datetime | None = None,
    until: datetime | None = None,
) -> AuditEntryQuerySet:
    """The Team's entries, with who did it: those by or about a person with this text in name or address, of
    this kind, from `since` and before `until`. What is no `Kind` is everything.
    """
    found = AuditEntry.objects.for_team(team).select_related("by", "team")
    if person:
        by = Q(by__email__contains=person.lower()) | Q(by__name__icontains=person)
        found = found.filter(by | Q(subject__icontains=person))
    subjects = SUBJECTS.get(kind, ()) if kind in Kind.values else ()  # type: ignore[call-overload]
    if subjects:
        found = found.filter(
            Q.create([("action__startswith", f"{subject}.") for subject in subjects], connector=Q.OR)
        )
    return between(found, "at", since, until)


def lines_of(entries: Iterable[AuditEntry], *, numbers: dict[int, int] | None = None) -> Iterator[Line]:
    """Each with its sentence. `numbers` of seats by id, for entries that are not read yet; else those of
    these entries are looked up, by one query. What all of them need is read before this returns, so that a
    file which cannot be begun is an error and no half of a file.
    """
    if numbers is None:
        entries = list(entries)
        numbers = Seat.objects.numbers(_seat_id(entry) for entry in entries)
    plans = plan_names()
    return (Line(entry, _text(entry, numbers, plans)) for entry in entries)


def numbers_of_all(team: Team) -> dict[int, int]:
    """Of every seat that the Team ever had."""
    return dict(Seat.objects.for_team(team).values_list("pk", "number"))


def _seat_id(entry: AuditEntry) -> int | None:
    seat = entry.details.get("seat")
    return seat if isinstance(seat, int) else None


def _text(entry: AuditEntry, numbers: dict[int, int], plans: dict[str, str]) -> str:
    number = numbers.get(_seat_id(entry) or 0)
    seat = str(Seat(number=number)) if number is not None else ""
    sentence = SENTENCES.get(entry.action)
    if sentence is None:  # written by an earlier version of the console
        return f"{entry.action.replace('.', ' ').replace('_', ' ').capitalize()}: {entry.subject}."
    details = entry.details
    if entry.action.startswith(OF_PURCHASES):
        texts = {name: in_readers_words(str(details[name])) for name in ("what", "reason") if name in details}
        details = {**details, **texts}
    elif entry.action == "team.renamed":
        details = {**details, "before": _of_team(entry, str(details.get("before", "")))}
    return sentence(Said(_subject_of(entry), details, seat, plans))


def _subject_of(entry: AuditEntry) -> str:
    if entry.action.startswith((*OF_PURCHASES, "seat.")):
        return in_readers_words(entry.subject)
    return _of_team(entry, entry.subject)


def _of_team(entry: AuditEntry, name: str) -> str:
    """A name that its Team has, or had, as its reader knows it. The Team is read for no other."""
    return entry.team.called(name) if name in first_names() and entry.team else name
