"""An ensemble of the candidates of a fitted search.

Contents
--------
- `_ensemble`: `Ensemble`, the estimator.
- `_selection`: ways to weight candidates by their out-of-fold predictions.
- `_predictions`: adapters that let scikit-learn's scorers read predictions made before.

Imports the modules beside the packages only. Start reading at `_ensemble`.
"""

from skdistsearch.ensemble._ensemble import Ensemble

__all__ = [
    "Ensemble",
]
