"""Staff who may do little."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_user
from tests.helpers.proof import prove


def staff(*rights: str, superuser: bool = False) -> Client:
    """Somebody of the staff with these permissions alone, by their codenames, who has signed in and has just
    given the proof that some of their pages ask for.
    """
    user = make_user()
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return prove(client)
