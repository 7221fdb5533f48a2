"""The operators' pages of a row."""

from __future__ import annotations

from django.urls import reverse


def change_url(row: object) -> str:
    meta = row._meta  # type: ignore[attr-defined]
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])  # type: ignore[attr-defined]


def verb_url(row: object, verb: str) -> str:
    return change_url(row).replace("/change/", f"/{verb}/")
