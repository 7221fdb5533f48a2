"""The rows of quota, one module a subject."""

from quota.models.buckets import ClosedWindow, UsageBucket
from quota.models.bulk_actions import BulkAction, BulkLine
from quota.models.credits import (
    Account,
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    OwedUsage,
    PastCreditAccess,
    PastTeamOverflow,
    TeamCredits,
)
from quota.models.gateways import Gateway, GatewayCredential
from quota.models.kept import ClosingBalance, EventId, KeptCalls, RequestId
from quota.models.member_requests import CreditRequest, SeatRequest
from quota.models.months import ApiKeyMonth, CreditMonth
from quota.models.notice_settings import NoticeSettings
from quota.models.plans import Entitlement, Plan, PlanLimit, RateCard, RateCardAlias, RateCardPrice
from quota.models.progress import (
    CrowdedSeat,
    JobProgress,
    ReconcileFinding,
    ReconcileRun,
    UncheckedSum,
    WindowToClose,
)
from quota.models.quarantine import QuarantinedRow
from quota.models.refusals import RefusalCount, RefusedCall
from quota.models.reservations import Reservation
from quota.models.rollups import TagRollup, UsageRollup, UsageStraggler, UsageWatermark
from quota.models.usage import UsageEvent

__all__ = [
    "Account",
    "ApiKeyMonth",
    "BulkAction",
    "BulkLine",
    "ClosedWindow",
    "ClosingBalance",
    "CreditAccess",
    "CreditGrant",
    "CreditLedgerEntry",
    "CreditMonth",
    "CreditRequest",
    "CrowdedSeat",
    "Entitlement",
    "EventId",
    "Gateway",
    "GatewayCredential",
    "JobProgress",
    "KeptCalls",
    "NoticeSettings",
    "OwedUsage",
    "PastCreditAccess",
    "PastTeamOverflow",
    "Plan",
    "PlanLimit",
    "QuarantinedRow",
    "RateCard",
    "RateCardAlias",
    "RateCardPrice",
    "ReconcileFinding",
    "ReconcileRun",
    "RefusalCount",
    "RefusedCall",
    "RequestId",
    "Reservation",
    "SeatRequest",
    "TagRollup",
    "TeamCredits",
    "UncheckedSum",
    "UsageBucket",
    "UsageEvent",
    "UsageRollup",
    "UsageStraggler",
    "UsageWatermark",
    "WindowToClose",
]
