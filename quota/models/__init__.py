"""The rows of quota, one module a subject."""

from quota.models.credits import (
    Account,
    ApiKeyMonth,
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
    PastCreditAccess,
    PastTeamOverflow,
    TeamCredits,
)
from quota.models.gateways import Gateway, GatewayCredential
from quota.models.member_requests import CreditRequest, SeatRequest
from quota.models.plans import Entitlement, Plan, PlanLimit, RateCard, RateCardAlias, RateCardPrice
from quota.models.quarantine import QuarantinedRow
from quota.models.refusals import RefusalCount, RefusedCall
from quota.models.rollups import TagRollup, UsageRollup, UsageStraggler, UsageWatermark
from quota.models.usage import ClosedWindow, Reservation, UsageBucket, UsageEvent

__all__ = [
    "Account",
    "ApiKeyMonth",
    "ClosedWindow",
    "CreditAccess",
    "CreditGrant",
    "CreditLedgerEntry",
    "CreditMonth",
    "CreditRequest",
    "Entitlement",
    "Gateway",
    "GatewayCredential",
    "OwedUsage",
    "PastCreditAccess",
    "PastTeamOverflow",
    "Plan",
    "PlanLimit",
    "QuarantinedRow",
    "RateCard",
    "RateCardAlias",
    "RateCardPrice",
    "RefusalCount",
    "RefusedCall",
    "Reservation",
    "SeatRequest",
    "TagRollup",
    "TeamCredits",
    "UsageBucket",
    "UsageEvent",
    "UsageRollup",
    "UsageStraggler",
    "UsageWatermark",
]
