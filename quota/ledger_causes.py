"""Why the ledger has an entry, as people read it: rows keep causes of ours in the default language."""

from __future__ import annotations

import re

from django.utils.translation import gettext_noop

from tokenplan.kit.stored_texts import said_again

# What services write into the ledger, for the catalogue.
USAGE_OF = gettext_noop("usage of %(model)s")
gettext_noop("usage that was owed")
gettext_noop("a charge that was corrected")
gettext_noop("expired")
gettext_noop("Given by an operator")
CAUSES = [
    (USAGE_OF, ""),
    (gettext_noop("payment %(payment)s refunded"), ""),
    (gettext_noop("payment %(payment)s lost in a dispute"), ""),
    (gettext_noop("payment %(payment)s was not refunded after all"), ""),
]
# What grants of operators had before the reason: the ledger keeps it.
SOURCE = re.compile(r"operator [0-9a-f]{12}: ")


def cause_words(text: str) -> str:
    """Our own words in the reader's language, what somebody wrote as it is."""
    return said_again(SOURCE.sub("", text, count=1), CAUSES)
