"""Where the mails are that pages speak of."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import template
from django.conf import settings

register = template.Library()

HERE = ("127.0.0.1", "localhost", "::1")


@register.simple_tag
def mail_folder() -> str:
    """Into which folder mails are written, for whoever tries the console on their own machine; empty where a
    mail server sends them, or others may come: a folder of the machine is nothing to tell them.
    """
    is_tried = not settings.EMAIL_URL and urlsplit(settings.BASE_URL).hostname in HERE
    return str(settings.EMAIL_FILE_PATH) if is_tried else ""
