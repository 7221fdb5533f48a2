"""What the API's bodies and answers look like."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from teams.models import AuditEntry, Invitation, Membership, PersonalAccessToken, Role, User
from teams.services.invitations import NOTHING, Promise, promise_of
from tokenplan.kit.api import Shape

MANAGES_BILLING = "Has the Billing right, beside the role. The Owner manages billing without it."
INVITED_ROLES = [(Role.ADMIN.value, Role.ADMIN.label), (Role.MEMBER.value, Role.MEMBER.label)]


class MeSerializer(serializers.Serializer[User]):
    """The person who asks."""

    email = serializers.EmailField(read_only=True)
    name = serializers.CharField(required=False, allow_blank=True, max_length=100)
    time_zone = serializers.CharField(
        required=False,
        max_length=64,
        help_text="In which pages and mails show times, by its name in the IANA database: `Europe/Berlin`.",
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=10,
        help_text="Of pages and mails, such as `en`; empty: as the browser asks.",
    )
    joined_at = serializers.DateTimeField(source="date_joined", read_only=True)


class TokenSerializer(serializers.Serializer[PersonalAccessToken]):
    """A personal access token, without its text."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    scope = serializers.ChoiceField(PersonalAccessToken.Scope.choices)
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class NewTokenSerializer(serializers.Serializer[PersonalAccessToken]):
    name = serializers.CharField(max_length=100)
    scope = serializers.ChoiceField(PersonalAccessToken.Scope.choices)
    expires_in_days = serializers.IntegerField(min_value=1, max_value=366, default=90)


class ShownTokenSerializer(TokenSerializer):
    """A token just made. `token` is its text, shown this once."""

    token = serializers.CharField()


class TeamSerializer(serializers.Serializer[Membership]):
    """A Team as one member sees it; made from the membership."""

    slug = serializers.CharField(source="team.slug")
    name = serializers.CharField(source="team.name")
    is_default = serializers.BooleanField(source="team.is_default")
    role = serializers.ChoiceField(Role.choices)
    manages_billing = serializers.BooleanField(help_text=MANAGES_BILLING)
    joined_at = serializers.DateTimeField()


class TeamNameSerializer(serializers.Serializer[Membership]):
    name = serializers.CharField(max_length=100)


class PersonSerializer(serializers.Serializer[User]):
    email = serializers.EmailField()
    name = serializers.CharField()


class MemberSerializer(serializers.Serializer[Membership]):
    """A member; `id` is the membership's, which a rejoining person gets anew."""

    id = serializers.IntegerField()
    user = PersonSerializer()
    role = serializers.ChoiceField(Role.choices)
    manages_billing = serializers.BooleanField(help_text=MANAGES_BILLING)
    joined_at = serializers.DateTimeField()


class MemberChangeSerializer(serializers.Serializer[Membership]):
    """What is left out stays as it is."""

    role = serializers.ChoiceField(INVITED_ROLES, required=False)
    manages_billing = serializers.BooleanField(required=False, help_text=MANAGES_BILLING)


class TransferSerializer(serializers.Serializer[Membership]):
    member = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, help_text="The id of the next Owner's membership."
    )


class NewInvitationSerializer(serializers.Serializer[Invitation]):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(INVITED_ROLES, default=Role.MEMBER.value)


class PromiseSerializer(Shape):
    """What joining brings: a seat of the plan with this code (null: none), and access to Credits, up to the
    cap a calendar month (null: no cap).
    """

    plan = serializers.CharField(allow_null=True)
    credits = serializers.BooleanField()
    month_cap_nanousd = serializers.IntegerField(allow_null=True)


def promised(promise: Promise) -> dict[str, Any] | None:
    """None for one of nothing."""
    if promise == NOTHING:
        return None
    return {
        "plan": promise.seat_plan_code or None,
        "credits": promise.gives_credits,
        "month_cap_nanousd": promise.month_cap_nanousd,
    }


class InvitationSerializer(serializers.Serializer[Invitation]):
    """An invitation. Its link is in the mail and nowhere else."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(INVITED_ROLES)
    status = serializers.SerializerMethodField()
    promise = serializers.SerializerMethodField()
    invited_by = PersonSerializer()
    times_sent = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)

    def get_status(self, invitation: Invitation) -> str:
        """open, void (who sent it may no longer invite), expired, accepted or revoked. Open, void and expired
        ones can be sent again.
        """
        now: datetime = self.context["now"]
        if invitation.accepted_at:
            return "accepted"
        if invitation.revoked_at:
            return "revoked"
        if invitation.expires_at <= now:
            return "expired"
        # Just sent, it has no mark: who sent it may.
        return "open" if getattr(invitation, "inviter_may", True) else "void"

    @extend_schema_field(PromiseSerializer(allow_null=True))
    def get_promise(self, invitation: Invitation) -> dict[str, Any] | None:
        return promised(promise_of(invitation))


class AuditEntrySerializer(serializers.Serializer[AuditEntry]):
    """A change of access or money. `by` is null for the system itself."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = PersonSerializer(allow_null=True)
    action = serializers.CharField()
    subject = serializers.CharField()
    details = serializers.DictField()


class InvitationTokenSerializer(Shape):
    token = serializers.CharField(max_length=200, help_text="What the link in the mail ends with.")
