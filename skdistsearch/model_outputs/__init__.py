"""Collect more than scores from fitted models: values, predictions, and the models themselves.

Contents
--------
- `_output_options`: checks ``extract=`` and ``keep=``.
- `_collector`: collects extracted values, predictions and models as outcomes arrive.
- `_oof_predictions`: out-of-fold predictions as one array.
- `_fold_estimators`: the models of all splits, loaded when they are used.

The worker's half is `skdistsearch.execution._model_extraction`. Imports `skdistsearch.execution`
and `skdistsearch.storage`. Start reading at `_output_options`, then `_collector`.
"""

from skdistsearch.model_outputs._collector import OutputCollector
from skdistsearch.model_outputs._output_options import OutputOptions

__all__ = [
    "OutputCollector",
    "OutputOptions",
]
