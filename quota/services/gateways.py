"""Gateways: the model servers that ask and settle, each with one or more credentials `gw-…`."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from quota.hot_path.credentials import PREFIX, SECRET_LENGTH, hash_of_credential
from quota.models import Gateway, GatewayCredential
from quota.models.gateways import (
    LONGEST_FLUSH_SECONDS,
    LONGEST_LIFETIME_SECONDS,
    SHORTEST_LIFETIME_SECONDS,
)
from teams.keytext import ALPHABET
from teams.models import User
from teams.services.audit import because, record
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.text import clean_name
from tokenplan.kit.transactions import one_transaction

MAX_OVERLAP = timedelta(days=30)


@one_transaction()
def create_gateway(*, name: str, reason: str = "", at: datetime, by: User | None) -> tuple[Gateway, str]:
    """The gateway and the text of its credential. The text is not kept: only now can it be shown.

    Raises InvalidValue for a name that is malformed, or that another gateway has, revoked or not.
    """
    name = clean_name(name, pointer="/name")
    gateway, is_new = Gateway.objects.get_or_create(name=name, defaults={"created_at": at})
    if not is_new:
        raise InvalidValue(_("There is a gateway “%(name)s” already.") % {"name": name}, pointer="/name")
    credential, text = _add_credential(gateway, at)
    details = {"prefix": credential.prefix, **because(reason)}
    record(team=None, by=by, action="gateway.created", subject=name, details=details, at=at)
    return gateway, text


@one_transaction()
def replace_credentials(
    *,
    gateway: Gateway,
    overlap: timedelta,
    request: UUID | None = None,
    reason: str = "",
    at: datetime,
    by: User | None,
) -> tuple[GatewayCredential, str]:
    """A new credential and its text, which can be shown only now. Those before it work for `overlap` more, or
    until they were to end anyway.

    A `request` makes one credential, however often it comes: its text cannot be shown again.

    Raises NotFound for a revoked gateway, InvalidValue for an overlap that is negative or above 30 days, and
    for a request that has made a credential.
    """
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        refused = _("The credentials before it may work on for up to %(days)s days.")
        refused = refused % {"days": MAX_OVERLAP.days}
        raise InvalidValue(refused, pointer="/overlap")
    locked = _locked(gateway)
    if request is not None and GatewayCredential.objects.filter(request=request).exists():
        raise InvalidValue(
            _(
                "This form was sent already, and the credential that it made was shown then. To make another "
                "one, open this page anew."
            )
        )
    ends_at = at + overlap
    before = locked.credentials.filter(ended_at=None)
    if overlap:
        before.filter(Q(expires_at=None) | Q(expires_at__gt=ends_at)).update(expires_at=ends_at)
    else:
        before.update(ended_at=at)
    credential, text = _add_credential(locked, at, request)
    until = {"others_work_until": ends_at.isoformat()}
    details = {"prefix": credential.prefix, **until, **because(reason)}
    record(team=None, by=by, action="gateway.credential_added", subject=locked.name, details=details, at=at)
    return credential, text


@one_transaction()
def end_credential(*, credential: GatewayCredential, reason: str = "", at: datetime, by: User | None) -> None:
    """The credential stops working at once; the gateway's others go on. Raises NotFound when it has ended."""
    gateway = _locked(credential.gateway)
    if not gateway.credentials.working(at).filter(pk=credential.pk).update(ended_at=at):
        raise NotFound(_("The credential %(credential)s has ended already.") % {"credential": credential})
    details = {"prefix": credential.prefix, **because(reason)}
    record(team=None, by=by, action="gateway.credential_ended", subject=gateway.name, details=details, at=at)


@one_transaction()
def set_hold_limits(
    *,
    gateway: Gateway,
    max_lifetime_seconds: int,
    flush_seconds: int,
    charge_hold: bool,
    reason: str = "",
    at: datetime,
    by: User | None,
) -> Gateway:
    """How long a hold of the gateway may live, how long a lease keeps its room for draws after its end, and
    whether what is left of a hold is then charged as estimated. Holds that are open keep theirs.

    Raises InvalidValue for a lifetime outside of 10 seconds to 7 days, or more than an hour to flush;
    NotFound for a revoked gateway.
    """
    if not SHORTEST_LIFETIME_SECONDS <= max_lifetime_seconds <= LONGEST_LIFETIME_SECONDS:
        values = {"least": SHORTEST_LIFETIME_SECONDS, "most": LONGEST_LIFETIME_SECONDS}
        detail = _("A hold lives from %(least)s to %(most)s seconds.") % values
        raise InvalidValue(detail, pointer="/max_lifetime_seconds")
    if not 0 <= flush_seconds <= LONGEST_FLUSH_SECONDS:
        detail = _("A lease is flushed within %(most)s seconds.") % {"most": LONGEST_FLUSH_SECONDS}
        raise InvalidValue(detail, pointer="/flush_seconds")
    locked = _locked(gateway)
    limits = {
        "max_lifetime_seconds": max_lifetime_seconds,
        "flush_seconds": flush_seconds,
        "charge_hold": charge_hold,
    }
    if limits != {name: getattr(locked, name) for name in limits}:
        for name, value in limits.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(limits))
        details = {**limits, **because(reason)}
        record(team=None, by=by, action="gateway.limits", subject=locked.name, details=details, at=at)
    return locked


@one_transaction()
def revoke_gateway(*, gateway: Gateway, reason: str = "", at: datetime, by: User | None) -> Gateway:
    """All its credentials stop working at once. What the gateway holds lapses by itself. Raises NotFound."""
    locked = _locked(gateway)
    locked.revoked_at = at
    locked.save(update_fields=["revoked_at"])
    details = because(reason)
    record(team=None, by=by, action="gateway.revoked", subject=locked.name, details=details, at=at)
    return locked


def _locked(gateway: Gateway) -> Gateway:
    """The gateway, locked. Raises NotFound for one that is revoked."""
    locked = Gateway.objects.live().select_for_update(no_key=True).filter(pk=gateway.pk).first()
    if locked is None:
        raise NotFound(_("The gateway “%(name)s” is revoked already.") % {"name": gateway.name})
    return locked


def _add_credential(
    gateway: Gateway, at: datetime, request: UUID | None = None
) -> tuple[GatewayCredential, str]:
    text = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    credential = GatewayCredential.objects.create(
        gateway=gateway, token_hash=hash_of_credential(text), prefix=text[:8], created_at=at, request=request
    )
    return credential, text
