"""`contenders_from_spec`: turn a specification of contenders into an estimator and a grid."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdistsearch import early_stopping
from skdistsearch._native_logs import hide_native_logs
from skdistsearch._typing import Estimator
from skdistsearch._validation import did_you_mean, is_integer
from skdistsearch.contenders._fit_params import FitParams, WithFitParams
from skdistsearch.early_stopping import EarlyStopping
from skdistsearch.exceptions import FamilyError, SpecError
from skdistsearch.model_selection import N_ITER

Owner: TypeAlias = Literal["init", "fit", "stopping", "family"]
"""What a parameter belongs to: the model, its ``fit``, `EarlyStopping`, or the Keras family."""

_MODEL = "__model"
_PREFIXES: dict[str, Owner] = {
    "__model__init_kwargs__": "init",
    "__init_kwargs__model__": "init",
    "__model__fit_kwargs__": "fit",
    "__fit_kwargs__model__": "fit",
}
_STEP = "model"

# A spec asks for early stopping with parameters of fit. The first dict has those that switch it
# on, the second those that go with them; both map to parameters of `EarlyStopping`. The last are
# parameters of `keras_family`.
_STOPPING_SWITCHES = {"early_stopping_rounds": "patience", "patience": "patience"}
_STOPPING_OPTIONS = {"validation_split": "validation_split", "epochs": "max_iter"}
_FAMILY_OPTIONS = ("monitor", "min_delta")


def contenders_from_spec(
    spec: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    preprocessing: Estimator | None = None,
    aliases: Mapping[str, Any] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Pipeline, list[dict[str, Any]]]:
    """Return the estimator and the ``param_grid`` of a search over contenders.

    Parameters
    ----------
    spec : list of dict, or dict
        One dict for each contender, with the following keys. Values of a parameter are a list, a
        distribution, or a single value.

        ``"__model"``
            A class, an import path (``"lightgbm.LGBMRegressor"``), or a list of these.
        ``"__model__init_kwargs__NAME"``, or ``"__init_kwargs__model__NAME"``
            Values of a parameter of the model.
        ``"__model__fit_kwargs__NAME"``, or ``"__fit_kwargs__model__NAME"``
            Values of a parameter of the model's ``fit``. ``early_stopping_rounds`` or ``patience``
            wraps the model in `EarlyStopping`, which splits the validation data off the training
            rows. Then ``validation_split`` is its fraction (default 0.2), ``epochs`` the maximum
            number of iterations, and, for Keras only and with one value each, ``monitor`` and
            ``min_delta`` are the parameters of `skdistsearch.early_stopping.keras_family`.
        ``"__n_iter"``
            Number of candidates to sample from the dict, instead of all combinations.
    preprocessing : transformer or None, default=None
        Step "preprocessing" of the pipeline, before the model.
    aliases : dict of str -> object or str, default=None
        Objects or import paths by the names that stand for them in the spec, as models or as
        values. For objects that cannot be imported.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing the validation data of models that stop early.

    Returns
    -------
    estimator : `~sklearn.pipeline.Pipeline`
        Pipeline whose step "model" each candidate replaces.
    param_grid : list of dict
        Grid for `DistributedSearchCV`, with one dict for each contender.

    Raises
    ------
    SpecError
        The spec has mistakes. The message lists all of them with their keys.

    Examples
    --------
    >>> from scipy.stats import uniform
    >>> from sklearn.datasets import load_diabetes
    >>> from skdistsearch import DistributedSearchCV, contenders_from_spec
    >>> spec = [
    ...     {
    ...         "__model": ["sklearn.linear_model.Ridge"],
    ...         "__model__init_kwargs__alpha": [0.1, 1.0],
    ...     },
    ...     {
    ...         "__model": ["sklearn.ensemble.HistGradientBoostingRegressor"],
    ...         "__model__init_kwargs__learning_rate": uniform(0.2, 0.2),
    ...         "__model__fit_kwargs__early_stopping_rounds": [3],
    ...         "__n_iter": 2,
    ...     },
    ... ]
    >>> estimator, param_grid = contenders_from_spec(spec, random_state=0)
    >>> search = DistributedSearchCV(estimator, param_grid, cv=2, random_state=0)
    >>> search.fit(*load_diabetes(return_X_y=True)).best_estimator_["model"]
    Ridge(alpha=0.1)
    """
    entries = [spec] if isinstance(spec, Mapping) else spec
    if isinstance(entries, str) or not isinstance(entries, Sequence) or not entries:
        raise SpecError(f"A spec must be a list of dicts, one for each contender. Got {spec!r}.")
    grids, errors = [], []
    for number, entry in enumerate(entries):
        parser = _SpecParser(aliases or {}, random_state)
        grids.append(parser.parse(entry))
        errors += [f"spec[{number}]{error}" for error in parser.errors]
    if errors:
        raise SpecError("\n".join(errors))
    steps = [] if preprocessing is None else [("preprocessing", preprocessing)]
    return Pipeline([*steps, (_STEP, clone(grids[0][_STEP][0]))]), grids


@dataclass
class _SpecParser:
    """Parser of one dict of a spec: reads its items, checks them, and builds a grid."""

    aliases: Mapping[str, Any]
    """Objects or import paths by the names that stand for them."""
    random_state: int | np.random.RandomState | None
    """Seed of the `EarlyStopping` models."""
    errors: list[str] = field(default_factory=list)
    """Messages, to follow the number of the dict."""
    models: list[Any] = field(default_factory=list)
    """Classes, functions that return a model, or models."""
    values: dict[Owner, dict[str, Any]] = field(
        default_factory=lambda: {"init": {}, "fit": {}, "stopping": {}, "family": {}}
    )
    """Lists or distributions of parameters, by owner and by name."""
    keys: dict[tuple[Owner, str], str] = field(default_factory=dict)
    """Keys of the spec, by the owner and the name of the parameter."""

    def parse(self, entry: object) -> dict[str, Any]:
        """Return one dict of ``param_grid``, which is empty if there are errors."""
        if not isinstance(entry, Mapping):
            self.errors.append(f" is not a dict: {entry!r}.")
            return {}
        for key, value in entry.items():
            self._parse_item(key, value)
        if _MODEL not in entry:
            self.errors.append(f" has no {_MODEL!r}: give a class, or the path to import it from.")
        self._check_n_iter(entry)
        models = [self._instantiate(model) for model in self.models]
        self._classify_fit_params(models)
        if self.errors:
            return {}
        n_iter = {N_ITER: entry[N_ITER]} if N_ITER in entry else {}
        return {**self._build_grid(models), **n_iter}

    def _add_error(self, key: str, message: str) -> None:
        self.errors.append(f"[{key!r}]: {message}")

    def _parse_item(self, key: Any, value: Any) -> None:
        prefix = next((p for p in _PREFIXES if str(key).startswith(p)), None)
        if key == _MODEL:
            models = [self._import_model(model) for model in _as_values(value)]
            self.models = [model for model in models if model is not None]
            if not models:
                self._add_error(key, "the list is empty.")
        elif prefix is not None and key != prefix:
            self._parse_values(key, _PREFIXES[prefix], key[len(prefix) :], value)
        elif key != N_ITER:
            hint = did_you_mean(str(key), [_MODEL, N_ITER, *(p + "NAME" for p in _PREFIXES)])
            self._add_error(key, f"not a key of a spec.{hint}")

    def _parse_values(self, key: str, owner: Owner, name: str, value: Any) -> None:
        values = value if hasattr(value, "rvs") else _as_values(value)
        if (owner, name) in self.keys:
            self._add_error(key, f"the same as {self.keys[owner, name]!r}: give one of them.")
        if isinstance(values, list) and not values:
            self._add_error(key, "the list is empty.")
            return
        self.keys[owner, name] = key
        if isinstance(values, list):
            values = [self._resolve_alias(one) for one in values]
        self.values[owner][name] = values

    def _check_n_iter(self, entry: Mapping[str, Any]) -> None:
        if N_ITER not in entry:
            for (owner, name), key in self.keys.items():
                if hasattr(self.values[owner][name], "rvs"):
                    self._add_error(key, f"a distribution needs {N_ITER!r} in the same dict.")
        elif not is_integer(entry[N_ITER], least=1):
            self._add_error(N_ITER, f"must be an integer of at least 1, got {entry[N_ITER]!r}.")

    def _resolve_alias(self, value: Any) -> Any:
        return self.aliases.get(value, value) if isinstance(value, str) else value

    def _import_model(self, model: Any) -> Any:
        """Return the class at an import path, or None after an error."""
        model = self._resolve_alias(model)
        if isinstance(model, str):
            module, _, name = model.rpartition(".")
            try:
                with hide_native_logs():
                    model = getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError, ValueError) as exc:
                self._add_error(_MODEL, f"{model!r} cannot be imported: {exc}.")
                return None
        if callable(model) or hasattr(model, "fit"):
            return model
        self._add_error(_MODEL, f"{model!r} is neither a class nor a path to import one from.")
        return None

    def _instantiate(self, model: Any) -> Any:
        """Return a model with the first of its values, or None after errors."""
        values = {name: _sample_value(value) for name, value in self.values["init"].items()}
        if not callable(model):
            model, values = type(model), {**model.get_params(deep=False), **values}
        unknown = _unknown_parameters(model, values)
        for name in unknown:
            hint = did_you_mean(name, inspect.signature(model).parameters)
            message = f"{_name_of(model)} has no parameter {name!r}.{hint}"
            self._add_error(self.keys["init", name], message)
        if unknown:
            return None
        try:
            instance = model(**values)
        except (TypeError, ValueError) as exc:
            message = f"{_name_of(model)} cannot be created with the first values: {exc}"
            self._add_error(_MODEL, message)
            return None
        if not (hasattr(instance, "fit") and hasattr(instance, "get_params")):
            self._add_error(_MODEL, f"{_name_of(model)} is not a scikit-learn estimator.")
            return None
        return instance

    def _classify_fit_params(self, models: list[Any]) -> None:
        """Move parameters of ``fit`` that belong to early stopping or to the model itself."""
        switches = [name for name in _STOPPING_SWITCHES if name in self.values["fit"]]
        if len(switches) > 1:
            keys = " and ".join(repr(self.keys["fit", name]) for name in switches)
            self.errors.append(f": {keys} mean the same: give one of them.")
        if switches:
            for name, new_name in {**_STOPPING_SWITCHES, **_STOPPING_OPTIONS}.items():
                self._move_param(name, "stopping", new_name)
            for name in _FAMILY_OPTIONS:
                self._move_param(name, "family", name)
        for model in models:
            if model is not None:
                if switches:
                    self._check_stopping(model)
                self._check_fit_params(model)

    def _move_param(self, name: str, owner: Owner, new_name: str) -> None:
        """Move a parameter of ``fit``, if it is given, to another owner."""
        if name in self.values["fit"]:
            self.values[owner][new_name] = self.values["fit"].pop(name)
            self.keys[owner, new_name] = self.keys.pop(("fit", name))

    def _check_fit_params(self, model: Any) -> None:
        for name in _unknown_parameters(model.fit, self.values["fit"]):
            if name in model.get_params() or not _unknown_parameters(type(model), [name]):
                # Before LightGBM 4.0, verbose was a parameter of fit.
                self._move_param(name, "init", name)
                continue
            hint = did_you_mean(name, inspect.signature(model.fit).parameters)
            message = f"fit of {type(model).__name__} has no parameter {name!r}.{hint}"
            self._add_error(self.keys["fit", name], message)

    def _check_stopping(self, model: Any) -> None:
        try:
            family = early_stopping.find_family(model)
        except FamilyError as exc:
            self._add_error(self.keys["stopping", "patience"], str(exc))
            return
        for name, values in self.values["family"].items():
            key = self.keys["family", name]
            if family.name != early_stopping.keras_family().name:
                self._add_error(key, f"a parameter of Keras only, not of {family.name}.")
            elif not isinstance(values, list) or len(values) != 1:
                self._add_error(key, f"only a single value is supported, got {values!r}.")

    def _build_grid(self, models: list[Any]) -> dict[str, Any]:
        """Return the models, wrapped as their parameters need it, and the values to try."""
        grid: dict[str, Any] = {}
        prefix = f"{_STEP}__"
        if self.values["stopping"]:
            models = [self._wrap_early_stopping(model) for model in models]
        if self.values["fit"]:
            first = {name: _sample_value(value) for name, value in self.values["fit"].items()}
            models = [WithFitParams(model, FitParams(**first)) for model in models]
            grid |= _add_prefix(f"{prefix}fit_params__", self.values["fit"])
            prefix += "estimator__"
        if self.values["stopping"]:
            grid |= _add_prefix(prefix, self.values["stopping"])
            prefix += "estimator__"
        return {_STEP: models, **_add_prefix(prefix, self.values["init"]), **grid}

    def _wrap_early_stopping(self, model: Any) -> EarlyStopping:
        options = {name: values[0] for name, values in self.values["family"].items()}
        family = early_stopping.keras_family(**options) if options else "auto"
        return EarlyStopping(model, family=family, random_state=self.random_state)


def _as_values(value: Any) -> list[Any]:
    """Return a list of values.

    Strings, mappings, classes, estimators and what cannot be iterated over are single values.
    """
    single = isinstance(value, str | Mapping) or not isinstance(value, Iterable)
    return [value] if single or isinstance(value, type) or hasattr(value, "fit") else list(value)


def _sample_value(values: Any) -> Any:
    return values.rvs(random_state=0) if hasattr(values, "rvs") else values[0]


def _add_prefix(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _name_of(model: object) -> str:
    return getattr(model, "__name__", repr(model))


def _unknown_parameters(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Return the names that are not parameters of the function."""
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # written in C
        return []
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return []
    return [name for name in names if name not in parameters]
