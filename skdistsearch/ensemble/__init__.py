"""An ensemble of the candidates of a fitted search.

Contents
--------
- `_ensemble`: `Ensemble`, the estimator.
- `_named_estimators`: its base class, with nested parameters and tags.
- `_search_outputs`: reads what it needs from a fitted search.
- `_out_of_fold`: makes out-of-fold predictions, and brings them into one array.
- `_nested`: makes predictions by models that have seen neither of two folds.
- `_selection`: ways to combine candidates by their out-of-fold predictions.
- `_predictions`: adapters that let scikit-learn's scorers read existing predictions.

Imports only the modules outside the packages. Start reading at `_ensemble`.
"""

from skdistsearch.ensemble._ensemble import Ensemble

__all__ = [
    "Ensemble",
]
