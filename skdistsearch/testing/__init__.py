"""Tools for authors of backends: a test suite, a faulty estimator and a simulated cloud.

Contents
--------
- `_suite`: `BackendSuite`, the tests that every backend must pass.
- `_estimators`: `FaultyRegressor`, which fails, hangs or kills its process on demand.
- `_aws`: `LocalAWS`, which simulates S3 and AWS Batch; `_aws_server` is its server process.

This package may import all others; no other package imports it. Start reading at `_suite`.
"""

from skdistsearch.testing._aws import LocalAWS
from skdistsearch.testing._estimators import FaultyRegressor
from skdistsearch.testing._suite import BackendSuite

__all__ = [
    "BackendSuite",
    "FaultyRegressor",
    "LocalAWS",
]
