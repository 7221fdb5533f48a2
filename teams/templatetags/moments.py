"""Moments: how long ago or in how long, with the exact one at hand."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def ago(at: datetime) -> SafeString:
    """`3 hours ago`, or `3 hours from now`, as an element that programs can read; its title is the exact
    moment, in the reader's time zone.
    """
    exact = date_format(timezone.localtime(at), "j M Y, H:i:s T")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, naturaltime(at))
