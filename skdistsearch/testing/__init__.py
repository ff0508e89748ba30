"""Tools for authors of backends, path families and strategies: test suites, and a simulated cloud.

Contents
--------
- `_suite`: `BackendSuite`, the tests that every backend must pass.
- `_path_suite`: `PathFamilySuite`, the tests that every path family must pass.
- `_strategy_suite`: `StrategySuite`, the tests that every strategy must pass.
- `_differences`: `find_differences`, between two fitted models.
- `_estimators`: `FaultyRegressor`, which fails, hangs or kills its process on demand.
- `_aws`: `LocalAWS`, which simulates S3, AWS Batch and Step Functions; `_aws_server` is its server
  process, which imports `_step_functions`.

This package may import all others; no other package imports it. Start reading at `_suite`.
"""

from skdistsearch.testing._aws import LocalAWS
from skdistsearch.testing._differences import find_differences
from skdistsearch.testing._estimators import FaultyRegressor
from skdistsearch.testing._path_suite import PathFamilySuite
from skdistsearch.testing._strategy_suite import StrategySuite
from skdistsearch.testing._suite import BackendSuite

__all__ = [
    "BackendSuite",
    "FaultyRegressor",
    "LocalAWS",
    "PathFamilySuite",
    "StrategySuite",
    "find_differences",
]
