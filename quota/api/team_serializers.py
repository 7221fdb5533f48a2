"""The shapes of what people send and are answered: members, seats, keys, Credits, requests for a seat."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from quota.api.serializers import WindowSerializer
from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry, SeatRequest
from quota.money import credits_text, nanousd_from_credits
from teams.api.key_serializers import KeySerializer
from teams.api.serializers import MemberSerializer, PersonSerializer
from tokenplan.kit.api import Shape

OVERFLOW = ["never", "allow"]
LARGEST_ID = 2**63 - 1


@extend_schema_field({"type": "string", "examples": ["12000.000"]})
class CreditsField(serializers.Field[int, str, str, Any]):
    """Credits as a decimal string with up to six decimals; whole nano-dollars inside."""

    default_error_messages = {"invalid": "This is Credits as a decimal string, as 1000 or 0.500."}
    PLAIN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not self.PLAIN.fullmatch(data):
            self.fail("invalid")
        return nanousd_from_credits(data)

    def to_representation(self, value: int) -> str:
        return credits_text(value)


class MemberIdSerializer(Shape):
    member = serializers.IntegerField(min_value=1, max_value=LARGEST_ID, help_text="A membership's id.")


class PlanSerializer(Shape):
    code = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()


class AccessSerializer(serializers.Serializer[CreditAccess]):
    """May this member use the Team's Credits, do they cover what a seat's quota does not, up to how much."""

    allowed = serializers.BooleanField()
    overflow = serializers.ChoiceField(OVERFLOW)
    month_cap = CreditsField(
        source="month_cap_nanousd", allow_null=True, help_text="Of a calendar month in UTC; null: none."
    )


class RosterSerializer(Shape):
    """A member with seat, key and access to Credits; `id` is the membership's."""

    id = serializers.IntegerField(source="membership.pk")
    user = PersonSerializer(source="membership.user")
    role = serializers.CharField(source="membership.role")
    joined_at = serializers.DateTimeField(source="membership.joined_at")
    seat = serializers.IntegerField(allow_null=True)
    plan = PlanSerializer(allow_null=True)
    key = KeySerializer(allow_null=True)
    credits = AccessSerializer(source="access")
    month_used = CreditsField(help_text="Credits used in this calendar month, UTC.")


class HolderSerializer(Shape):
    """Who held a seat, when, and what they used of its quota."""

    member = MemberSerializer(source="holding.membership")
    started_at = serializers.DateTimeField(source="holding.started_at")
    ended_at = serializers.DateTimeField(source="holding.ended_at", allow_null=True)
    used_nanousd = serializers.IntegerField()


class SeatSerializer(Shape):
    """A seat; a suspended one has a plan but no windows."""

    id = serializers.IntegerField(source="seat.pk")
    plan = PlanSerializer(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    renews_at = serializers.DateTimeField(
        allow_null=True, help_text="When the next paid period begins; null where none is to."
    )
    suspended = serializers.BooleanField()
    holder = MemberSerializer(allow_null=True)
    windows = WindowSerializer(many=True)
    created_at = serializers.DateTimeField(source="seat.created_at")


class PoolSerializer(Shape):
    """A Team's Credits."""

    balance = CreditsField(help_text="What is left in the lots that can be drawn from.")
    overflow = serializers.ChoiceField(OVERFLOW)
    low_balance = CreditsField(help_text="The Owner and Admins are warned below this.")


class PolicySerializer(Shape):
    overflow = serializers.ChoiceField(OVERFLOW)
    low_balance = CreditsField()


class LotSerializer(serializers.Serializer[CreditGrant]):
    id = serializers.IntegerField()
    amount = CreditsField(source="amount_nanousd")
    remaining = CreditsField(source="remaining_nanousd")
    granted_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    frozen_at = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(source="source")


class LedgerSerializer(serializers.Serializer[CreditLedgerEntry]):
    """A change of a lot. `amount` is signed: what the lot gained."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.ChoiceField(CreditLedgerEntry.Kind.choices)
    amount = CreditsField(source="amount_nanousd")
    lot = serializers.IntegerField(source="grant_id")
    cause = serializers.CharField()
    member = MemberSerializer(source="membership", allow_null=True)
    by = PersonSerializer(allow_null=True)
    receipt = serializers.UUIDField(source="event_id", allow_null=True)


class AskForSeatSerializer(Shape):
    plan = serializers.CharField(max_length=30)
    message = serializers.CharField(max_length=500, allow_blank=True, default="")


class AnswerSerializer(Shape):
    granted = serializers.BooleanField()
    seat = serializers.IntegerField(
        min_value=1,
        max_value=LARGEST_ID,
        required=False,
        allow_null=True,
        help_text="A free seat that a granted member holds from now on.",
    )


class SeatRequestSerializer(serializers.Serializer[SeatRequest]):
    """`granted` is null while the request is open."""

    id = serializers.IntegerField()
    member = MemberSerializer(source="membership")
    plan = serializers.CharField(source="plan_code")
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(source="ended_at", allow_null=True)
    closed_by = PersonSerializer(allow_null=True)
    granted = serializers.BooleanField(source="was_granted", allow_null=True)
