"""Simplified Chinese: the year first. Each pattern of a template is named by its English form, as a text is
by its msgid; one that is the same in both needs nothing here.
"""

PATTERNS = {
    "D j M, H:i": "n月j日 D H:i",
    "j M": "n月j日",
    "j M Y": "Y年n月j日",
    "j M Y H:i": "Y年n月j日 H:i",
    "j M Y, H:i": "Y年n月j日 H:i",
    "j M Y, H:i T": "Y年n月j日 H:i T",
    "j M Y, H:i:s": "Y年n月j日 H:i:s",
    "j M Y, H:i:s T": "Y年n月j日 H:i:s T",
    "j M, H:i T": "n月j日 H:i T",
    "j M, H:i:s": "n月j日 H:i:s",
    "j M, H:i:s T": "n月j日 H:i:s T",
    "j F": "n月j日",
    "j F Y, H:i": "Y年n月j日 H:i",
    "j F Y": "Y年n月j日",
    "j F Y, H:i T": "Y年n月j日 H:i T",
}
globals().update(PATTERNS)

# What Django itself writes, as in the operators' pages.
DATE_FORMAT = "Y年n月j日"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y年n月j日 H:i"
YEAR_MONTH_FORMAT = "Y年n月"
MONTH_DAY_FORMAT = "n月j日"
# Thousands, as in amounts: Django's own would group by four.
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
