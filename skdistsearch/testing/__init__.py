"""For authors of backends: a suite to pass, and estimators and a cloud that fail on demand.

Contents
--------
- `_suite`: `BackendSuite`, the tests that every backend passes.
- `_estimators`: estimators that fail, hang or kill their process on demand.
- `_aws`: `LocalAWS`, S3 and AWS Batch on loopback; `_aws_server` is its process.

Imports everything; nothing imports it. Start reading at `_suite`.
"""

from skdistsearch.testing._aws import LocalAWS
from skdistsearch.testing._estimators import FaultyRegressor
from skdistsearch.testing._suite import BackendSuite

__all__ = [
    "BackendSuite",
    "FaultyRegressor",
    "LocalAWS",
]
