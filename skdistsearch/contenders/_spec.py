"""A spec of contenders, as lists of dicts with reserved keys, becomes estimator and grid."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdistsearch import early_stopping
from skdistsearch._validation import did_you_mean, is_integer
from skdistsearch.contenders._fit_params import FitParams, WithFitParams
from skdistsearch.early_stopping import EarlyStopping
from skdistsearch.exceptions import FamilyError, SpecError
from skdistsearch.model_selection import N_ITER

_MODEL = "__model"
_PREFIXES = {
    "__model__init_kwargs__": "init",
    "__init_kwargs__model__": "init",
    "__model__fit_kwargs__": "fit",
    "__fit_kwargs__model__": "fit",
}
_STEP = "model"

# What a spec's fit kwargs for early stopping are here: those that ask for it, those that go with it
# and belong to `EarlyStopping`, and those that belong to what a net watches.
_ASKS = {"early_stopping_rounds": "patience", "patience": "patience"}
_GOES_WITH = {"validation_split": "validation_split", "epochs": "max_iter"}
_WATCHED = ("monitor", "min_delta")


def contenders_from_spec(
    spec: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    preprocessing: Any = None,
    aliases: Mapping[str, Any] | None = None,
    random_state: Any = None,
) -> tuple[Pipeline, list[dict[str, Any]]]:
    """Estimator and ``param_grid`` for a search, from a spec of contenders.

    Parameters
    ----------
    spec : list of dict, or dict
        A dict for each contender, with the keys

        ``"__model"``
            A class, or the path to import it from (``"lightgbm.LGBMRegressor"``), or a list of
            such.
        ``"__model__init_kwargs__NAME"``, or ``"__init_kwargs__model__NAME"``
            Values of the model's parameter: a list, a distribution, or a single value.
        ``"__model__fit_kwargs__NAME"``, or ``"__fit_kwargs__model__NAME"``
            Values of a parameter of its ``fit``, in the same way. ``early_stopping_rounds`` and
            ``patience`` put the model into an `EarlyStopping`, which splits the training rows
            itself: ``validation_split`` (0.2 unless given) is the fraction, ``epochs`` the most
            iterations, and ``monitor`` and ``min_delta``, of which only one value each is
            possible, are what a net watches.
        ``"__n_iter"``
            Sample so many candidates from the dict, instead of all combinations.
    preprocessing : transformer or None, default=None
        Goes before the model, as the step "preprocessing".
    aliases : dict of str -> object or str, default=None
        Stands for import paths, as models and as values: for what cannot be imported.
    random_state : int, RandomState instance or None, default=None
        Seed of the validation parts of models that stop early.

    Returns
    -------
    estimator : `~sklearn.pipeline.Pipeline`
        Its step "model" is what each candidate replaces.
    param_grid : list of dict
        For `DistributedSearchCV`, one for each contender.

    Raises
    ------
    SpecError
        The spec has mistakes; every one is named with its key.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from skdistsearch import DistributedSearchCV, contenders_from_spec
    >>> spec = [
    ...     {"__model": ["sklearn.linear_model.Ridge"], "__model__init_kwargs__alpha": [0.1, 1.0]},
    ...     {
    ...         "__model": ["sklearn.ensemble.HistGradientBoostingRegressor"],
    ...         "__model__init_kwargs__learning_rate": loguniform(1e-2, 1e-1),
    ...         "__model__fit_kwargs__early_stopping_rounds": [10],
    ...         "__n_iter": 2,
    ...     },
    ... ]
    >>> estimator, param_grid = contenders_from_spec(spec, random_state=0)
    >>> search = DistributedSearchCV(estimator, param_grid, random_state=0)
    >>> search.fit(*load_diabetes(return_X_y=True)).best_estimator_["model"]
    Ridge(alpha=0.1)
    """
    entries = [spec] if isinstance(spec, Mapping) else spec
    if isinstance(entries, str) or not isinstance(entries, Sequence) or not entries:
        raise SpecError(f"A spec is a list of dicts, one for each contender. Got {spec!r}.")
    grids, mistakes = [], []
    for number, entry in enumerate(entries):
        read = _Read(aliases or {}, random_state)
        grids.append(read.grid_of(entry))
        mistakes += [f"contenders_spec[{number}]{mistake}" for mistake in read.mistakes]
    if mistakes:
        raise SpecError("\n".join(mistakes))
    steps = [] if preprocessing is None else [("preprocessing", preprocessing)]
    return Pipeline([*steps, (_STEP, clone(grids[0][_STEP][0]))]), grids


@dataclass
class _Read:
    """One dict of a spec, as far as it has been read."""

    aliases: Mapping[str, Any]
    random_state: Any
    mistakes: list[str] = field(default_factory=list)
    """What follows the dict's number in a message."""
    models: list[Any] = field(default_factory=list)
    """Classes, functions that make a model, or models."""
    values: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"init": {}, "fit": {}, "stopping": {}, "watched": {}}
    )
    """Lists or distributions, by what they belong to and by name."""
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    """Keys of the spec, by what their values belong to and by name."""

    def grid_of(self, entry: Any) -> dict[str, Any]:
        """A dict of ``param_grid``; not to be used if there are mistakes."""
        if not isinstance(entry, Mapping):
            self.mistakes.append(f" is not a dict: {entry!r}.")
            return {}
        for key, value in entry.items():
            self._take(key, value)
        if _MODEL not in entry:
            self.mistakes.append(f" has no {_MODEL!r}: a class, or the path to import it from.")
        self._take_n_iter(entry)
        built = [self._built(model) for model in self.models]
        self._sort_fit(built)
        if self.mistakes:
            return {}
        n_iter = {N_ITER: entry[N_ITER]} if N_ITER in entry else {}
        return {**self._wrapped(built), **n_iter}

    def _mistake(self, key: str, message: str) -> None:
        self.mistakes.append(f"[{key!r}]: {message}")

    def _take(self, key: Any, value: Any) -> None:
        prefix = next((p for p in _PREFIXES if str(key).startswith(p)), None)
        if key == _MODEL:
            self.models = [self._imported(model) for model in _as_values(value)]
            self.models = [model for model in self.models if model is not None]
            if not _as_values(value):
                self._mistake(key, "the list is empty.")
        elif prefix is not None and key != prefix:
            self._take_values(key, _PREFIXES[prefix], key[len(prefix) :], value)
        elif key != N_ITER:
            near = did_you_mean(str(key), [_MODEL, N_ITER, *(p + "NAME" for p in _PREFIXES)])
            self._mistake(key, f"a spec has no such key.{near}")

    def _take_values(self, key: str, kind: str, name: str, value: Any) -> None:
        values = value if hasattr(value, "rvs") else _as_values(value)
        if (kind, name) in self.keys:
            self._mistake(key, f"the same as {self.keys[kind, name]!r}: give one of them.")
        if isinstance(values, list) and not values:
            self._mistake(key, "the list is empty.")
            return
        self.keys[kind, name] = key
        if isinstance(values, list):
            values = [self._aliased(one) for one in values]
        self.values[kind][name] = values

    def _take_n_iter(self, entry: Mapping[str, Any]) -> None:
        if N_ITER not in entry:
            for (kind, name), key in self.keys.items():
                if hasattr(self.values[kind][name], "rvs"):
                    self._mistake(key, f"a distribution, and the dict has no {N_ITER!r}.")
            return
        n_iter = entry[N_ITER]
        if not is_integer(n_iter, least=1):
            self._mistake(N_ITER, f"must be an integer of at least 1, got {n_iter!r}.")

    def _aliased(self, value: Any) -> Any:
        return self.aliases.get(value, value) if isinstance(value, str) else value

    def _imported(self, model: Any) -> Any:
        """The class that a path leads to; None, and a mistake, if it leads nowhere."""
        model = self._aliased(model)
        if isinstance(model, str):
            module, _, name = model.rpartition(".")
            try:
                model = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError, ValueError) as exc:
                self._mistake(_MODEL, f"{model!r} cannot be imported: {exc}.")
                return None
        if callable(model) or hasattr(model, "fit"):
            return model
        self._mistake(_MODEL, f"{model!r} is neither a class nor a path to import one from.")
        return None

    def _built(self, model: Any) -> Any:
        """A model with some of its values; None, and mistakes, if it does not take them."""
        values = {name: _any_of(value) for name, value in self.values["init"].items()}
        if not callable(model):
            model, values = type(model), {**model.get_params(deep=False), **values}
        unknown = _not_taken(model, values)
        for name in unknown:
            near = did_you_mean(name, inspect.signature(model).parameters)
            key = self.keys["init", name]
            self._mistake(key, f"{_name(model)} has no parameter {name!r}.{near}")
        if unknown:
            return None
        try:
            built = model(**values)
        except (TypeError, ValueError) as exc:
            self._mistake(_MODEL, f"{_name(model)} cannot be made of the first values: {exc}")
            return None
        if not (hasattr(built, "fit") and hasattr(built, "get_params")):
            self._mistake(_MODEL, f"{_name(model)} makes no scikit-learn estimator.")
            return None
        return built

    def _sort_fit(self, built: list[Any]) -> None:
        """Tell parameters of ``fit`` from those of early stopping, and of the model."""
        asked = [name for name in _ASKS if name in self.values["fit"]]
        if len(asked) > 1:
            keys = " and ".join(repr(self.keys["fit", name]) for name in asked)
            self.mistakes.append(f": {keys} are the same here: give one of them.")
        if asked:
            for name, ours in {**_ASKS, **_GOES_WITH}.items():
                self._move(name, "stopping", ours)
            for name in _WATCHED:
                self._move(name, "watched", name)
        for model in built:
            if model is not None:
                self._check_fit(model, asked)

    def _move(self, name: str, kind: str, ours: str) -> None:
        if name in self.values["fit"]:
            self.values[kind][ours] = self.values["fit"].pop(name)
            self.keys[kind, ours] = self.keys.pop(("fit", name))

    def _check_fit(self, model: Any, asked: list[str]) -> None:
        if asked:
            self._check_stopping(model)
        for name in _not_taken(model.fit, self.values["fit"]):
            key = self.keys["fit", name]
            if name in model.get_params() or not _not_taken(type(model), [name]):
                # verbose of LightGBM was a parameter of fit before 4.0
                self._move(name, "init", name)
                continue
            near = did_you_mean(name, inspect.signature(model.fit).parameters)
            self._mistake(key, f"fit of {type(model).__name__} has no parameter {name!r}.{near}")

    def _check_stopping(self, model: Any) -> None:
        key = self.keys["stopping", "patience"]
        try:
            family = early_stopping.find_family(model)
        except FamilyError as exc:
            self._mistake(key, str(exc))
            return
        for name, values in self.values["watched"].items():
            key = self.keys["watched", name]
            if family.name != early_stopping.keras_family().name:
                self._mistake(key, f"only Keras has it, not {family.name}.")
            elif not isinstance(values, list) or len(values) != 1:
                self._mistake(key, f"only one value is possible, got {values!r}.")

    def _wrapped(self, built: list[Any]) -> dict[str, Any]:
        """The models, in what stops them and in what hands parameters to ``fit``; their values."""
        grid: dict[str, Any] = {}
        prefix = f"{_STEP}__"
        models = built
        if self.values["stopping"]:
            models = [self._stopping(model) for model in models]
        if self.values["fit"]:
            given = {name: _any_of(value) for name, value in self.values["fit"].items()}
            models = [WithFitParams(model, FitParams(**given)) for model in models]
            grid |= _named(f"{prefix}fit_params__", self.values["fit"])
            prefix += "estimator__"
        if self.values["stopping"]:
            grid |= _named(prefix, self.values["stopping"])
            prefix += "estimator__"
        return {_STEP: models, **_named(prefix, self.values["init"]), **grid}

    def _stopping(self, model: Any) -> EarlyStopping:
        watched = {name: values[0] for name, values in self.values["watched"].items()}
        family = early_stopping.keras_family(**watched) if watched else "auto"
        return EarlyStopping(model, family=family, random_state=self.random_state)


def _as_values(value: Any) -> list[Any]:
    """A list of values, also of a single one; what is indexed by numbers is a list."""
    single = isinstance(value, str | Mapping) or not isinstance(value, Iterable)
    return [value] if single or isinstance(value, type) or hasattr(value, "fit") else list(value)


def _any_of(values: Any) -> Any:
    return values.rvs(random_state=0) if hasattr(values, "rvs") else values[0]


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _name(model: Any) -> str:
    return getattr(model, "__name__", repr(model))


def _not_taken(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Those names that are no parameters of the function."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # written in C
        return []
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return []
    return [name for name in names if name not in parameters]
