"""Parts of docstrings that all distributed searches share."""

from __future__ import annotations

from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

_PARTS = {
    "backend_parameters": """\
backend : {"local", "metaflow", "batch", "kubernetes"} or Backend, default="local"
        Where the fits run: worker processes on this machine, tasks of a Metaflow run on this
        machine, on AWS Batch or on Kubernetes, or a configured backend such as
        ``MetaflowBackend(compute="batch", memory_mb=16_000)``.
    checkpoint : str, path or None, default=None
        Where to save finished fits, and to look for them: a name, a folder or
        ``s3://bucket/prefix``. A search that was interrupted, and is run again, runs only the fits
        that are missing, and gives bit-equal ``cv_results_``; an extended grid runs only the new
        fits. After a change of data, estimator, scorer, splits, or of a version that matters, the
        search runs all fits again, and the log says why. See `skdistsearch.checkpoints`.
    cache_mb : float or None, default=None
        Memory in MB that each process may use for shared work, in addition to the data of one
        split. None: a quarter of the memory, divided by the number of processes. 0 shares nothing.
        See Notes of `DistributedSearchCV`.
    extract : dict or None, default=None
        Numbers to extract from each fitted model: by name, an attribute path or a function of the
        model. A path goes through steps, attributes and nested estimators, joined by ``"__"``:
        ``{"n_iter": "model__best_iteration_"}``, or ``"regressor___n_iter_"`` for
        ``regressor_.n_iter_``. The value is NaN if the fit failed, if the model does not have the
        attribute, and for None.""",
    "shared_attributes": """\
runs_ : list of str
        Pathspecs of the Metaflow runs that ran fits. Only if there were any.
    best_<name>_ : float
        For each name in ``extract``, the best candidate's mean over the splits. ``cv_results_``
        has ``split0_<name>``, ..., ``mean_<name>``, ``std_<name>`` and ``std_error_<name>``.
    fold_estimators_ : sequence of sequences
        ``fold_estimators_[candidate][split]`` is the fitted model, or None if its fit failed. Each
        access loads a new object. Only with ``keep="estimators"``.""",
    "halving_keep": """\
keep : str or tuple of str, default=()
        ``"estimators"`` keeps the fitted models. Halving searches keep no predictions, because
        each round uses a subsample.""",
}


def fill_docstring(cls: _Class) -> _Class:
    """Replace ``{name}`` in the docstring of a class by the shared part of that name."""
    if cls.__doc__ is not None:  # python -OO
        for name, text in _PARTS.items():
            cls.__doc__ = cls.__doc__.replace("{" + name + "}", text)
    return cls
