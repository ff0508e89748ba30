"""Decision trees of scikit-learn: a tree is grown to its full size, and then pruned.

``fit`` itself grows the whole tree with every ``ccp_alpha``, and prunes it at its end.
"""

from __future__ import annotations

import copy
import numbers
from typing import Any

from skdistsearch.model_paths._base import PathFamily, has_seed, is_exactly


def _matches(model: object) -> bool:
    kinds = "DecisionTree", "ExtraTree"
    names = [kind + target for kind in kinds for target in ("Classifier", "Regressor")]
    return is_exactly(model, "sklearn", *names)


def _prefix(model: Any, ccp_alpha: float) -> Any:
    pruned = copy.copy(model)
    pruned.ccp_alpha = ccp_alpha
    pruned._prune_tree()
    return pruned


def _is_valid(value: object) -> bool:
    return isinstance(value, numbers.Real) and float(value) >= 0


def _can_share(model: Any, n_samples: int) -> bool:
    return has_seed(model)


FAMILIES = (
    PathFamily(
        "decision tree",
        _matches,
        "ccp_alpha",
        _prefix,
        base_value=0.0,
        is_valid=_is_valid,
        can_share=_can_share,
    ),
)
