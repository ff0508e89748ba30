"""Calls become a batch: what they share is held once, and what they change is their own."""

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
from scipy import sparse

from skdistsearch._batch import Batch
from skdistsearch.exceptions import CorruptDataError, NotPicklableError
from skdistsearch.joblib_backend._calls import function_name, make_batch
from skdistsearch.joblib_backend._results import ObjectRefusedError, value_of
from skdistsearch.storage import FolderStore, dump_batch, load_batch

BIG = np.arange(200_000.0)
SMALL = np.arange(1_000.0)


def batch_of(*items, objects="allow", is_remote=False):
    return make_batch(items, 2, objects=objects, is_remote=is_remote)


def call(function, *args, **kwargs):
    return function, args, kwargs


def value(batch, fit=0):
    return value_of(batch.run(fit), "allow")


def sent(batch, tmp_path):
    """Return the batch as a worker gets it."""
    stored = dump_batch(batch.portable(), FolderStore(tmp_path), content_addressed=True)
    return load_batch(str(tmp_path), stored.manifest)


def test_calls_have_the_values_of_their_functions(tmp_path):
    offset = 3
    batch = sent(
        batch_of(
            call(lambda a: a + offset, 1), call(sorted, [2, 1], reverse=True), call(np.sum, BIG)
        ),
        tmp_path,
    )
    assert [value(batch, fit) for fit in range(3)] == [4, [2, 1], BIG.sum()]
    assert type(value(batch, 2)) is np.float64


def test_same_memory_is_held_once():
    matrix = sparse.csc_matrix(BIG)
    closure = lambda: BIG  # noqa: E731
    batch = batch_of(
        call(np.sum, BIG),
        call(np.sum, a=BIG),
        call(np.sum, BIG[:]),
        call(np.sum, [{"a": BIG}]),
        call(closure),
        call(np.sum, matrix),
        call(np.sum, matrix),
    )
    assert len(batch.arguments[0].arrays) == 4  # BIG, and the three of the matrix
    assert max(len(fit.keywords["call"]) for fit in batch.fits) < 5_000


def test_different_views_are_different_arrays():
    batch = batch_of(call(np.sum, BIG), call(np.sum, BIG[::2]), call(np.sum, BIG[1:]))
    assert [value(batch, fit) for fit in range(3)] == [
        np.sum(BIG),
        np.sum(BIG[::2]),
        np.sum(BIG[1:]),
    ]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n", [50, 500])
def test_arrays_keep_their_memory_layout(order, n, tmp_path):
    """The last bits of a product depend on it."""
    array = np.asarray(np.arange(float(n * n)).reshape(n, n), order=order)
    batch = sent(batch_of(call(lambda a: a.flags.f_contiguous, array)), tmp_path)
    assert value(batch) is (order == "F")


def change(array):
    array[0] = -1
    return array[0]


def test_change_of_a_small_array_stays_in_its_call(tmp_path):
    batch = sent(batch_of(call(change, SMALL), call(np.min, SMALL)), tmp_path)
    assert value(batch, 0) == -1
    assert value(batch, 1) == 0
    assert SMALL[0] == 0


def test_big_arrays_are_read_only_as_under_loky(tmp_path):
    batch = sent(batch_of(call(change, BIG)), tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        value(batch)


def test_array_that_a_call_refers_to_twice_is_one_object(tmp_path):
    batch = sent(batch_of(call(lambda a, b: a is b, SMALL, SMALL)), tmp_path)
    assert value(batch) is True


def test_exception_of_a_call_keeps_its_type():
    batch = batch_of(call(divmod, 1, 0))
    with pytest.raises(ZeroDivisionError, match=r"(?s)Traceback.*ZeroDivisionError"):
        value(batch)


class Thing:
    def __eq__(self, other):
        return isinstance(other, Thing)

    __hash__ = None


def test_objects_come_back_as_pickles():
    outcome = batch_of(call(Thing)).run(0)
    assert "object" in outcome.result
    assert value_of(outcome, "allow") == Thing()


@pytest.mark.parametrize("n", [10, 10_000])
def test_only_large_values_become_files(n):
    outcome = batch_of(call(np.arange, n)).run(0)
    assert len(outcome.artifacts) == (n == 10_000)
    np.testing.assert_array_equal(value_of(outcome, "refuse"), np.arange(n))


def test_outcome_without_a_value_is_corrupt():
    outcome = replace(batch_of(call(len, "")).run(0), result={})
    with pytest.raises(CorruptDataError, match="has no value"):
        value_of(outcome, "allow")


def test_refused_object_is_an_error_that_names_function_and_type():
    message = r"call 0 of Thing returned an object, not data: .*Thing\. .*objects=.allow"
    with pytest.raises(TypeError, match=message):
        value(batch_of(call(Thing), objects="refuse"))


def test_pickle_of_a_disobedient_worker_is_not_loaded():
    outcome = batch_of(call(Thing), objects="allow").run(0)
    with pytest.raises(ObjectRefusedError, match="was not unpickled"):
        value_of(outcome, "refuse")


def test_result_that_cannot_be_pickled_is_an_error_of_the_call():
    outcome = batch_of(call(lambda: (i for i in "ab"))).run(0)
    assert outcome.status == "raised"
    assert "generator" in outcome.raised.message


def test_call_that_cannot_be_pickled_is_reported_by_number_and_name():
    with pytest.raises(NotPicklableError, match=r"Call 1 of list cannot be sent .*generator"):
        batch_of(call(len, []), call(list, (i for i in "ab")))


def test_modules_of_calls_are_known():
    batch = batch_of(call(sparse.csr_matrix, BIG))
    assert any(module.startswith("scipy") for module in batch.context.modules)


def test_nested_calls_run_in_threads_of_the_worker():
    def nested():
        parallel = joblib.Parallel(n_jobs=2)
        parallel(joblib.delayed(len)([]) for _ in range(2))
        return type(parallel._backend).__name__

    assert value(batch_of(call(nested))) == "ThreadingBackend"


def test_nested_calls_use_joblibs_default_in_a_container():
    def default():
        return type(joblib.parallel.get_active_backend()[0]).__name__

    assert value(batch_of(call(default), is_remote=True)) == "LokyBackend"


def test_calls_can_be_cut_into_subsets():
    batch = batch_of(call(len, "a"), call(len, "ab"), call(len, "abc"))
    part = batch.subset([2, 0])
    assert [value(part, fit) for fit in range(2)] == [3, 1]
    assert str(part.fits[0]) == "call 2 of len"


def test_batch_of_calls_has_no_estimator():
    batch = batch_of(call(len, "a"))
    assert isinstance(pickle.loads(pickle.dumps(batch)), Batch)
    assert batch.estimator is None


def test_function_name_looks_into_wrappers():
    from sklearn.utils.parallel import delayed

    assert function_name(delayed(len)([])[0]) == "len"
