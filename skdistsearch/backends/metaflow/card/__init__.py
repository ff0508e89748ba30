"""The Metaflow card of a run: ranking, scores, timeline and failures.

Contents
--------
- `_components`: the card, as a list of Metaflow's components.
- `_results`: the outcomes of the fits, read from plain data, and the ranked candidates.
- `_charts`: a box plot and a timeline for Vega-Lite.

Imports only the standard library, Metaflow and modules of the root package that do not need
scikit-learn or NumPy: in the ``join`` step, where the card is made, importing scikit-learn would
take longer than making the card. Start reading at `_components`.
"""

from skdistsearch.backends.metaflow.card._components import (
    make_card_components,
    make_card_findable,
)

__all__ = ["make_card_components", "make_card_findable"]
