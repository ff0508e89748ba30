"""All backends of the package pass `skdistsearch.testing.BackendSuite`."""

import pytest

from skdistsearch.backends import LocalBackend, MetaflowBackend
from skdistsearch.testing import BackendSuite


class TestLocalBackend(BackendSuite):
    backend = LocalBackend()


@pytest.mark.slow
class TestMetaflowBackend(BackendSuite):
    backend = MetaflowBackend(max_workers=2)


@pytest.mark.slow
class TestMetaflowBackendWithWorkersThatStay(BackendSuite):
    backend = MetaflowBackend(max_workers=2, keep_alive_s=60)
