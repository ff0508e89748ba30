"""Tables, pictures and an HTML report of a fitted search.

Contents
--------
- `_leaderboard`: ranked table of the candidates.
- `displays`: a class for each kind of picture; `_rungs_display`: that of searches with rungs.
- `_html_report`, `_html_page`: all of it in one HTML file.
- `_mlflow`, `_mlflow_run`: a search as runs of MLflow.
- `_autologging`: keeps MLflow's autologging out of fits; not public.
- `_candidate_names`, `_candidate_labels`, `_metrics`: names and labels for readers.

Reads fitted searches. Only `skdistsearch.execution` imports it, for searches that log themselves,
and it imports only modules of the root package and of `skdistsearch.storage`.
Names are imported on first use, because matplotlib and pandas are optional. Start reading at
`_leaderboard`, then `displays`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.report._autologging import autologged as autologged
    from skdistsearch.report._autologging import quiet_autologging as quiet_autologging
    from skdistsearch.report._html_report import html_report
    from skdistsearch.report._leaderboard import leaderboard
    from skdistsearch.report._mlflow import to_mlflow
    from skdistsearch.report._rungs_display import RungsDisplay
    from skdistsearch.report.displays._best_score_display import BestScoreDisplay
    from skdistsearch.report.displays._cv_scores_display import CVScoresDisplay
    from skdistsearch.report.displays._parallel_coordinates_display import (
        ParallelCoordinatesDisplay,
    )
    from skdistsearch.report.displays._parameter_importances_display import (
        ParameterImportancesDisplay,
    )
    from skdistsearch.report.displays._parameter_scores_display import ParameterScoresDisplay
    from skdistsearch.report.displays._score_time_display import ScoreTimeDisplay
    from skdistsearch.report.displays._timeline_display import TimelineDisplay
    from skdistsearch.report.displays._training_history_display import TrainingHistoryDisplay

__all__ = [
    "BestScoreDisplay",
    "CVScoresDisplay",
    "ParallelCoordinatesDisplay",
    "ParameterImportancesDisplay",
    "ParameterScoresDisplay",
    "RungsDisplay",
    "ScoreTimeDisplay",
    "TimelineDisplay",
    "TrainingHistoryDisplay",
    "html_report",
    "leaderboard",
    "to_mlflow",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BestScoreDisplay": "displays._best_score_display",
        "ParallelCoordinatesDisplay": "displays._parallel_coordinates_display",
        "ParameterImportancesDisplay": "displays._parameter_importances_display",
        "RungsDisplay": "_rungs_display",
        "ScoreTimeDisplay": "displays._score_time_display",
        "ParameterScoresDisplay": "displays._parameter_scores_display",
        "TrainingHistoryDisplay": "displays._training_history_display",
        "CVScoresDisplay": "displays._cv_scores_display",
        "TimelineDisplay": "displays._timeline_display",
        "autologged": "_autologging",
        "html_report": "_html_report",
        "leaderboard": "_leaderboard",
        "quiet_autologging": "_autologging",
        "to_mlflow": "_mlflow",
    },
)
