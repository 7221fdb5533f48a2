"""`/teams/{slug}/usage.csv`, `receipts.csv`: a Team's usage, added up or call by call, for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from quota.api.people.team_usage import ASKED, GROUP, MEMBER, TeamUsage, UsageView
from quota.api.receipts_csv import DESCRIPTION, receipts_csv
from quota.api.usage_filter import OF_A_RANGE, check_names
from quota.api.usage_series import RANGE_PARAMETERS, SPAN_PARAMETERS, Span, amounts_json, range_of
from quota.errors import ModelUnknown
from quota.selectors.usage_filter import charges_of
from quota.selectors.usage_series import Amounts, UsageRow, stream_usage
from quota.stored_json import moment_json
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.csv_answers import csv_answer_of_one_read
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


class TeamUsageCSV(TeamUsage):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="team_usage_csv",
        parameters=[*SPAN_PARAMETERS, GROUP, *ASKED],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(NotFound, ModelUnknown)},
        summary="Usage, added up, as CSV",
        description="Money is whole nano-dollars. Text that a spreadsheet would run is quoted. "
        "By tag, a call with several tags is in the row of each of them.",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:  # type: ignore[override]
        owner, span, wanted = self.sums()
        sums = stream_usage(owner, span.start, span.end, *span.groups, only=wanted.only())
        rows = (row for row in sums if wanted.asks_for(row.amounts))
        name = f"usage-{self.team.slug}-{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}.csv"
        return csv_answer_of_one_read(name, _heading(span), _cells(span, rows))


class TeamReceiptsCSV(UsageView):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="team_receipts_csv",
        parameters=[*RANGE_PARAMETERS, *ASKED],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(NotFound, ModelUnknown)},
        summary="Receipts as CSV",
        description=DESCRIPTION,
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        check_names(request, *OF_A_RANGE, MEMBER.name)
        now = timezone.now()
        owner, wanted = self.asked(range_of(request, now), now)
        return receipts_csv(f"receipts-{self.team.slug}", charges_of(owner), wanted)


def _heading(span: Span) -> list[str]:
    names = (["starts_at"] if span.by else []) + ([str(span.group)] if span.group else [])
    return [*names, *amounts_json(Amounts())]


def _cells(span: Span, rows: Iterable[UsageRow]) -> Iterator[list[object]]:
    for row in rows:
        cells: list[object] = [moment_json(row.starts_at)] if row.starts_at else []
        if row.member:
            cells.append(row.member.email)
        elif span.group:
            cells.append(getattr(row, span.group))
        yield [*cells, *amounts_json(row.amounts).values()]
