"""Rows that are written where their Team is."""

from __future__ import annotations

from typing import Any

from django.db import models


class OfTeam(models.Model):
    """A row whose `save` names its Team, which never changes, in the statement: so it is one for the server
    of that Team (`quota.services.distribution`).
    """

    team_id: int

    class Meta:
        abstract = True

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *more: Any) -> bool:
        others = [value for value in values if value[0].attname != "team_id"]
        updated: bool = super()._do_update(base_qs.filter(team_id=self.team_id), using, pk_val, others, *more)
        return updated
