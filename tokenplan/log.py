"""The format of the log: one line an event, with time in UTC, level, logger, message; credentials hidden."""

import logging
import re
import time

# Every credential of the product carries one of these prefixes; those with `_` are Stripe's.
_CREDENTIAL = re.compile(
    r"\b(sk-cp-|sk-api-|gw-|pat-|sk_live_|sk_test_|rk_live_|rk_test_|whsec_)[A-Za-z0-9_-]{6,}"
)


def without_credentials(text: str) -> str:
    """The text with the body of every key and token replaced by an ellipsis."""
    return _CREDENTIAL.sub(r"\1…", text)


class LineFormatter(logging.Formatter):
    """Formats a record, traceback included, as one line with credentials hidden."""

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        """Log times are UTC."""
        return time.gmtime(seconds)

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record)).replace("\n", "\\n")
