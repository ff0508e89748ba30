"""What a run tells people: made from outcomes or results, never in the way of a fit."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdistsearch.report._parameters_display import ParametersDisplay
    from skdistsearch.report._scores_display import ScoresDisplay
    from skdistsearch.report._standings import standings

__all__ = [
    "ParametersDisplay",
    "ScoresDisplay",
    "standings",
]

_MODULES = {
    "ParametersDisplay": "_parameters_display",
    "ScoresDisplay": "_scores_display",
    "standings": "_standings",
}


def __getattr__(name: str) -> Any:
    """A name, imported when it is first asked for: a card is made without scikit-learn."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
