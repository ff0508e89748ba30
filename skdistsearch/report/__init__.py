"""Tables, pictures and an HTML report of a fitted search.

Contents
--------
- `_leaderboard`: the ranked table of candidates.
- `_scores_display`, `_parameters_display`, `_progress_display`, `_timeline_display`: one picture
  each.
- `_html_report`, `_html_page`: everything in one HTML file.
- `_style`: colours, legends and labels that the pictures share.

Reads fitted searches; no other package imports it. Imports the modules beside the packages only.
Names are imported when they are first used: matplotlib and pandas are optional. Start reading at
`_leaderboard`, then `_scores_display`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.report._html_report import html_report
    from skdistsearch.report._leaderboard import standings
    from skdistsearch.report._parameters_display import ParametersDisplay
    from skdistsearch.report._progress_display import ProgressDisplay
    from skdistsearch.report._scores_display import ScoresDisplay
    from skdistsearch.report._timeline_display import TimelineDisplay

__all__ = [
    "ParametersDisplay",
    "ProgressDisplay",
    "ScoresDisplay",
    "TimelineDisplay",
    "html_report",
    "standings",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ParametersDisplay": "_parameters_display",
        "ProgressDisplay": "_progress_display",
        "ScoresDisplay": "_scores_display",
        "TimelineDisplay": "_timeline_display",
        "html_report": "_html_report",
        "standings": "_leaderboard",
    },
)
