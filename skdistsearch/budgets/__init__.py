"""Run fewer fits than all: drop candidates in a race over the splits, or stop when time is up.

Contents
--------
- `_skipped_fits`: outcomes of fits that a search does not run, and their column in the results.
- `_race`: after each split, the worse half of the candidates is dropped.
- `_time_budget`: no fit begins after a number of seconds.

Both wrap the ``run`` of a backend and see candidates and scores, never data. Imports only the
modules outside the packages. Start reading at `_race`.
"""

from skdistsearch.budgets._race import check_race_metric, race
from skdistsearch.budgets._skipped_fits import SkippedFits
from skdistsearch.budgets._time_budget import (
    ADVICE,
    deadline_after,
    fits_at_once,
    limit_rounds,
    limit_time,
    with_deadline,
)

__all__ = [
    "ADVICE",
    "SkippedFits",
    "check_race_metric",
    "deadline_after",
    "fits_at_once",
    "limit_rounds",
    "limit_time",
    "race",
    "with_deadline",
]
