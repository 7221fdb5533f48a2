"""Our copies of what is Stripe's alone to decide: invoices and promotion codes."""

from __future__ import annotations

from billing.facts import InvoiceFacts, PromotionFacts
from billing.models import Invoice, Promotion
from teams.models import Team
from teams.services.locks import lock_kept_team
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def apply_invoice(*, team: Team, facts: InvoiceFacts, ticket: int) -> list[str]:
    """Our copy says what Stripe said to the look with this ticket."""
    team = lock_kept_team(team)
    row = Invoice.objects.filter(stripe_id=facts.id).first() or Invoice(team=team, stripe_id=facts.id)
    if row.fetch >= ticket:
        return []
    before = (row.status, row.paid_nanousd)
    row.subscription_id, row.number, row.status = facts.subscription, facts.number, facts.status
    row.total_nanousd, row.due_nanousd = facts.total_nanousd, facts.due_nanousd
    row.paid_nanousd, row.url = facts.paid_nanousd, facts.url
    row.created_at, row.fetch = facts.created_at, ticket
    row.save()
    return [f"invoice {row}: {row.status}"] if before != (row.status, row.paid_nanousd) else []


@one_transaction()
def apply_promotion(*, facts: PromotionFacts, ticket: int) -> list[str]:
    """Likewise for a promotion code."""
    row = Promotion.objects.select_for_update().filter(stripe_id=facts.id).first()
    row = row or Promotion(stripe_id=facts.id)
    if row.fetch >= ticket:
        return []
    before = (row.active, row.times_redeemed) if row.pk else None
    row.code, row.active, row.duration = facts.code, facts.active, facts.duration
    row.percent_hundredths, row.amount_nanousd = facts.percent_hundredths, facts.amount_nanousd
    row.times_redeemed, row.max_redemptions = facts.times_redeemed, facts.max_redemptions
    row.expires_at, row.fetch = facts.expires_at, ticket
    row.save()
    return [f"promotion {row.code}"] if before != (row.active, row.times_redeemed) else []
