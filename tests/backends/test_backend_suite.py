"""Every backend of the package passes the suite for backends."""

import pytest

from skdistsearch.backends import LocalBackend, MetaflowBackend, get_backend
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.testing import BackendSuite


class TestLocalBackend(BackendSuite):
    backend = LocalBackend()


@pytest.mark.slow
class TestMetaflowBackend(BackendSuite):
    backend = MetaflowBackend(max_workers=2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("metflow", "Did you mean 'metaflow'?"), ("LOCAL", ""), ("locl", "Did you mean 'local'?")],
)
def test_unknown_backend_lists_the_known_ones_and_suggests_the_nearest(name, hint):
    known = "Known: batch, kubernetes, local, metaflow, or an object"
    with pytest.raises(BackendConfigError, match=known) as info:
        get_backend(name)
    assert hint in str(info.value)


@pytest.mark.parametrize("backend", [None, 3, object(), LocalBackend])
def test_backend_without_run_is_refused(backend):
    with pytest.raises(BackendConfigError, match="needs a method run"):
        get_backend(backend)


def test_own_backend_with_a_run_method_is_taken_as_it_is():
    class Mine:
        def run(self, batch):
            return map(batch.run, range(len(batch)))

    mine = Mine()
    assert get_backend(mine) is mine
