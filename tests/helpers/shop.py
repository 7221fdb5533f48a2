"""A Team that buys by the API."""

from __future__ import annotations

from tests.helpers.api_client import Answer, Caller
from tests.helpers.buyer import Buyer


class Shop(Buyer):
    """A Buyer whose Owner scripts."""

    script: Caller

    def get(self, path: str) -> Answer:
        return self.script.get(f"teams/{self.team.slug}/{path}")

    def post(self, path: str, body: object = None) -> Answer:
        return self.script.post(f"teams/{self.team.slug}/{path}", body)

    def change(self, body: dict[str, object]) -> Answer:
        """Previewed, then confirmed as it was shown."""
        shown = self.post("subscription/preview", body)
        assert shown.status == 200, shown
        sent = {name: shown.body[name] for name in ("amount_nanousd", "proration_at")}
        return self.post("subscription/change", body | sent)
