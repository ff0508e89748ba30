"""Tables, pictures and an HTML report of a fitted search.

Contents
--------
- `_leaderboard`: ranked table of the candidates; `_candidate_names` makes names for readers.
- `_cv_scores_display`, `_score_time_display`, `_best_score_display`: the scores.
- `_parameter_scores_display`, `_parallel_coordinates_display`, `_parameter_importances_display`:
  the parameters; `_parameter_scale` places values on a scale.
- `_training_history_display`, `_timeline_display`: the fits.
- `_display`, `_style`, `_room`: the base class, colours and sizes of all pictures, and room for
  their labels; `_metrics`, `_candidate_labels`: names of metrics, labels of candidates.
- `_html_report`, `_html_page`: all of it in one HTML file.

Reads fitted searches. No other package imports it, and it imports only modules of the root package.
Names are imported on first use, because matplotlib and pandas are optional. Start reading at
`_leaderboard`, then `_cv_scores_display`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.report._best_score_display import BestScoreDisplay
    from skdistsearch.report._cv_scores_display import CVScoresDisplay
    from skdistsearch.report._html_report import html_report
    from skdistsearch.report._leaderboard import leaderboard
    from skdistsearch.report._parallel_coordinates_display import ParallelCoordinatesDisplay
    from skdistsearch.report._parameter_importances_display import ParameterImportancesDisplay
    from skdistsearch.report._parameter_scores_display import ParameterScoresDisplay
    from skdistsearch.report._score_time_display import ScoreTimeDisplay
    from skdistsearch.report._timeline_display import TimelineDisplay
    from skdistsearch.report._training_history_display import TrainingHistoryDisplay

__all__ = [
    "BestScoreDisplay",
    "CVScoresDisplay",
    "ParallelCoordinatesDisplay",
    "ParameterImportancesDisplay",
    "ParameterScoresDisplay",
    "ScoreTimeDisplay",
    "TimelineDisplay",
    "TrainingHistoryDisplay",
    "html_report",
    "leaderboard",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BestScoreDisplay": "_best_score_display",
        "ParallelCoordinatesDisplay": "_parallel_coordinates_display",
        "ParameterImportancesDisplay": "_parameter_importances_display",
        "ScoreTimeDisplay": "_score_time_display",
        "ParameterScoresDisplay": "_parameter_scores_display",
        "TrainingHistoryDisplay": "_training_history_display",
        "CVScoresDisplay": "_cv_scores_display",
        "TimelineDisplay": "_timeline_display",
        "html_report": "_html_report",
        "leaderboard": "_leaderboard",
    },
)
