"""A flow whose first step makes a card of the data in the file data.json."""

import json
from pathlib import Path

from metaflow import FlowSpec, card, current, step

from skdistsearch.backends.metaflow.card import make_card_components, make_card_findable


class CardFlow(FlowSpec):
    """One step with a card."""

    @card(type="blank")
    @step
    def start(self):
        """Make the card."""
        run_info, outcomes = json.loads(Path("data.json").read_text())
        current.card.extend(make_card_components(run_info, outcomes))
        make_card_findable(self.start)
        self.next(self.end)

    @step
    def end(self):
        """Do nothing."""


if __name__ == "__main__":
    CardFlow()
