"""Fills a new database with the shipped plans, one Team for each seat, and a gateway; prints the credentials.

`benchmarks.scratch` runs it in a process of its own, in the environment that it has prepared.
"""

# ruff: noqa: E402

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta

import django

django.setup()

from django.core.management import call_command
from django.utils import timezone

from quota.models import Plan
from quota.services.entitlements import grant_seat
from quota.services.gateways import create_gateway
from teams.models import User
from teams.services.keys import reveal_key
from teams.services.seats import assign_seat
from teams.services.teams import create_team

if __name__ == "__main__":
    quiet = io.StringIO()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("createcachetable", verbosity=0)
    call_command("load_plans", stdout=quiet)
    call_command("load_prices", stdout=quiet)
    call_command("load_rate_card", stdout=quiet)
    # So that usage may be recorded in the past.
    at = timezone.now() - timedelta(days=100)
    owner = User.objects.create_user(email="owner@benchmark.example")
    plan = Plan.objects.current("ultra")
    keys = []
    for number in range(int(sys.argv[1])):
        membership = create_team(name=f"Benchmark {number}", by=owner, at=at)
        seat = grant_seat(team=membership.team, plan=plan, ends_at=None, source="benchmark", at=at, by=None)
        assign_seat(seat=seat, membership=membership, by=None, at=at)
        keys.append(reveal_key(membership.keys.get()))
    _, gateway_key = create_gateway(name="benchmark", at=at, by=None)
    print(json.dumps({"gateway_key": gateway_key, "keys": keys}))
