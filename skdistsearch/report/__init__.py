"""What a run tells people: made from outcomes or results, never in the way of a fit."""

import importlib
from typing import TYPE_CHECKING, Any

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

_MODULES = {
    "ParametersDisplay": "_parameters_display",
    "ProgressDisplay": "_progress_display",
    "ScoresDisplay": "_scores_display",
    "TimelineDisplay": "_timeline_display",
    "html_report": "_html_report",
    "standings": "_leaderboard",
}


def __getattr__(name: str) -> Any:
    """A name, imported when it is first asked for: a card is made without scikit-learn."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
