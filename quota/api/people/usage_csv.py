"""`/teams/{slug}/usage.csv`: a Team's usage, added up, for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from quota.api.people.team_usage import GROUP, MEMBER, TeamUsage
from quota.api.usage_series import SPAN_PARAMETERS, Span, amounts_json
from quota.selectors.usage_series import Amounts, UsageRow, usage_by
from quota.stored_json import moment_json
from tokenplan.kit.api import JSONAlone
from tokenplan.kit.errors import NotFound
from tokenplan.kit.openapi import refusals


class TeamUsageCSV(TeamUsage):
    content_negotiation_class = JSONAlone

    @extend_schema(
        operation_id="team_usage_csv",
        parameters=[*SPAN_PARAMETERS, GROUP, MEMBER],
        responses={(200, "text/csv"): OpenApiTypes.STR, **refusals(NotFound)},
        summary="Usage, added up, as CSV",
        description="Money is whole nano-dollars. Text that a spreadsheet would run is quoted. "
        "By tag, a call with several tags is in the row of each of them.",
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:  # type: ignore[override]
        span = self.span()
        rows = usage_by(self.whose(), span.start, span.end, *span.groups)
        name = f"usage-{self.team.slug}-{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}.csv"
        return StreamingHttpResponse(
            csv_lines(span, rows),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def csv_lines(span: Span, rows: Iterable[UsageRow]) -> Iterator[str]:
    """The rows as CSV with a heading, a line at a time. Money is whole nano-dollars, as everywhere."""
    writer = csv.writer(_Line())
    head = (["starts_at"] if span.by else []) + ([str(span.group)] if span.group else [])
    yield writer.writerow([*head, *amounts_json(Amounts())])
    for row in rows:
        cells: list[object] = [moment_json(row.starts_at)] if row.starts_at else []
        if row.member:
            cells.append(safe_cell(row.member.email))
        elif span.group:
            cells.append(safe_cell(getattr(row, span.group)))
        yield writer.writerow([*cells, *amounts_json(row.amounts).values()])


def safe_cell(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote before it, and is text again."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Line:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line
