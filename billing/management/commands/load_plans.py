"""`manage.py load_plans [FILE] [--draft] [--dry-run]`: drafts plans that are new, and shows what differs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.management.lists import DATA, ListCommand
from billing.selectors.plan_lists import ListedPlan, listed_plans
from billing.services.plan_lists import load_plans
from quota.plan_terms import Line


class Command(ListCommand[ListedPlan]):
    help = "Drafts the plans of a file that are new, and shows how the others differ. Nothing goes on sale."
    shipped = DATA / "plans.json"
    all_the_same = "All plans are as the list says."

    def compared(self, text: str) -> list[ListedPlan]:
        return listed_plans(text)

    def loaded(self, text: str, draft: bool, at: datetime) -> list[ListedPlan]:
        return load_plans(text=text, draft=draft, at=at, by=None)

    def differences(self, row: ListedPlan) -> list[Line]:
        return row.differences

    def filled(self, row: ListedPlan) -> list[str]:
        return [f"{row.terms.name} is new: it becomes a draft."] if row.plan is None else []

    def title(self, row: ListedPlan) -> Any:
        return row.plan
