"""What a Team has printed on its invoices: kept at Stripe alone, and written when somebody types it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime

from django.utils.translation import gettext

from billing import stripe_api
from billing.errors import ChangeInProgress
from billing.models import Customer
from billing.services.customers import customer_row, set_contact_email
from billing.services.invoice_details import begin_saving, end_saving, record_details
from billing.stripe_api import InvoiceDetails
from billing.tax_id_types import tax_id_type
from billing.workflows.customers import ensure_customer
from teams.models import Membership, Team, User
from tokenplan.kit.errors import InvalidValue


def invoice_details(*, team: Team) -> InvoiceDetails:
    """As they are at Stripe now; of a Team that Stripe does not know yet, as it would be made there. Nothing
    is changed by it. Raises what Stripe says.
    """
    customer = Customer.objects.filter(team=team).exclude(stripe_id=None).first()
    if customer is None or customer.stripe_id is None:
        return InvoiceDetails(name=team.name, email=_owned_email(team))
    return stripe_api.kept_details(customer.stripe_id).details


def change_invoice_details(
    *, team: Team, details: InvoiceDetails, shown: str = "", by: User, at: datetime
) -> InvoiceDetails:
    """They stand on every invoice that is made from now on. Without an e-mail address invoices go to the
    Owner's. Returns them as they are then. `shown`: the mark of what the page had shown, where there was one.

    Raises InvalidValue for a tax id without a country, or of one whose type we do not know, ChangeInProgress
    while somebody else is saving, or has saved since they were shown, and what Stripe says; nothing has
    changed then. Where Stripe goes away in the middle, saving once more does the rest.
    """
    id = ensure_customer(team=team, at=at)
    begin_saving(team=team, at=at)
    try:
        return _change(id, team=team, details=details, shown=shown, by=by, at=at)
    finally:
        end_saving(team=team, began_at=at)


def _change(
    id: str, *, team: Team, details: InvoiceDetails, shown: str, by: User, at: datetime
) -> InvoiceDetails:
    kept = stripe_api.kept_details(id)
    before, owned_email = kept.details, _owned_email(team)
    kind = tax_id_type(details.country) if details.tax_id else ""
    if details.tax_id and details.tax_id == before.tax_id:
        kind = before.tax_id_type  # it may be of a type that is typed on Stripe's page alone
    if details.tax_id and not kind:
        refused = gettext("Tax ids of this country are typed on Stripe's page: open “Cards and invoices”.")
        needs = gettext("Choose the country of the address: a tax id belongs to one.")
        raise InvalidValue(refused if details.country else needs, pointer="/tax_id")
    after = replace(details, tax_id_type=kind, email=details.email or owned_email)
    if after != before:
        if shown not in ("", before.mark):
            raise ChangeInProgress(
                gettext("Somebody has changed these details since you opened the page. Open it again first.")
            )
        stripe_api.set_invoice_details(id, after, before=kept)
        if after.email == owned_email:  # it is ours again, and follows the Owner
            set_contact_email(customer=customer_row(team=team, at=at), email=after.email)
        old, new = asdict(before), asdict(after)
        changed = [name for name in new if new[name] != old[name]]
        record_details(
            team=team,
            before={name: old[name] for name in changed},
            after={name: new[name] for name in changed},
            by=by,
            at=at,
        )
    stripe_api.drop_replaced_tax_ids(id, after, before=kept)
    return after


def _owned_email(team: Team) -> str:
    owner = Membership.objects.owner_of(team)
    return owner.user.email if owner else ""
