"""Where the mails are that pages speak of."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import template
from django.conf import settings

from tokenplan.runtime.addresses import is_this_machine

register = template.Library()


@register.simple_tag
def mail_folder() -> str:
    """Into which folder mails are written, for whoever tries the console on their own machine; empty where a
    mail server sends them, or others may come: a folder of the machine is nothing to tell them.
    """
    host = urlsplit(settings.BASE_URL).hostname or ""
    return "" if settings.EMAIL_URL or not is_this_machine(host) else str(settings.EMAIL_FILE_PATH)
