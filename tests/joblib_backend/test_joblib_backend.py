"""The joblib backend: which calls are sent, how they fail, and what joblib gets."""

import os
import time
from dataclasses import dataclass, field

import joblib
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

import skdistsearch
from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.exceptions import BackendConfigError, FitLostError
from skdistsearch.joblib_backend._backend import RemoteParallelBackend
from skdistsearch.joblib_backend._trial import stop_local_process

X, y = load_diabetes(return_X_y=True)


@dataclass(frozen=True)
class InProcess(MetaflowBackend):
    """Runs batches in this process, and notes them."""

    batches: list = field(default_factory=list, compare=False)

    def run(self, batch):
        self.batches.append(batch)
        for fit in range(len(batch)):
            yield batch.run(fit)


@pytest.fixture
def engine():
    yield InProcess(max_workers=2, keep_alive_s=60)
    stop_local_process()


@pytest.fixture
def sending(engine):
    """Send the calls of each ``Parallel`` in the block."""
    backend = RemoteParallelBackend(engine, min_remote_s=0)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        yield engine


def test_all_calls_of_a_parallel_are_one_batch(sending):
    calls = (joblib.delayed(len)(range(n)) for n in range(100))
    assert joblib.Parallel()(calls) == list(range(100))
    assert [len(batch) for batch in sending.batches] == [100]


def test_scores_are_those_of_one_process(sending):
    scores = cross_val_score(Ridge(), X, y, cv=5)
    with joblib.parallel_config("sequential"):
        assert list(scores) == list(cross_val_score(Ridge(), X, y, cv=5))
    assert len(sending.batches) == 1


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_generators_work(sending, return_as):
    results = joblib.Parallel(return_as=return_as)(joblib.delayed(len)("a" * n) for n in range(4))
    assert sorted(results) == [0, 1, 2, 3]


def test_managed_parallel_works(sending):
    with joblib.Parallel() as parallel:
        assert parallel(joblib.delayed(len)("a") for _ in range(3)) == [1, 1, 1]
        assert parallel(joblib.delayed(len)("ab") for _ in range(3)) == [2, 2, 2]
    assert len(sending.batches) == 2


def test_no_calls_are_no_batch(sending):
    assert joblib.Parallel()([]) == []
    assert sending.batches == []


@pytest.mark.parametrize("n_before", [0, 3])
def test_error_of_the_iterator_of_calls_is_raised(sending, n_before):
    def calls():
        yield from [joblib.delayed(len)("a")] * n_before
        raise ValueError("no more calls")

    with pytest.raises(ValueError, match="no more calls"):
        joblib.Parallel()(calls())
    assert sending.batches == []


def test_exception_keeps_its_type_and_stops_the_others(sending):
    calls = [joblib.delayed(divmod)(1, n) for n in range(3)]
    with pytest.raises(ZeroDivisionError, match=r"(?s)division.*by zero.*Traceback"):
        joblib.Parallel()(calls)
    assert joblib.Parallel()([joblib.delayed(len)("a")]) == [1]  # the next one works


def test_threads_and_shared_memory_stay_here(sending):
    def process():
        return os.getpid()

    for option in ({"prefer": "threads"}, {"require": "sharedmem"}):
        found = joblib.Parallel(**option)(joblib.delayed(process)() for _ in range(4))
        assert set(found) == {os.getpid()}
    assert sending.batches == []


def test_threads_of_this_machine_are_no_more_than_its_cores(engine):
    with joblib.parallel_config(backend=RemoteParallelBackend(engine), n_jobs=1000):
        parallel = joblib.Parallel(prefer="threads")
        parallel([joblib.delayed(len)("a")] * 2)
    assert parallel._backend.effective_n_jobs(1000) <= joblib.cpu_count()


def test_one_job_stays_here(sending):
    assert joblib.Parallel(n_jobs=1)([joblib.delayed(len)("a")] * 2) == [1, 1]
    assert sending.batches == []


def test_search_in_the_block_hands_its_batch_over(sending):
    search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    search.fit(X, y)
    (batch,) = sending.batches
    assert isinstance(batch.estimator, Ridge)
    assert batch.fits[0].parameters == {"alpha": 0.1}


def test_lost_call_is_an_error_that_names_it(engine, monkeypatch):
    @dataclass(frozen=True)
    class Losing(InProcess):
        def run(self, batch):
            reason = f"{batch.fits[0]}: its worker died 2 times."
            yield skdistsearch.Outcome(0, "lost", reason=reason)

    backend = RemoteParallelBackend(Losing(max_workers=2), min_remote_s=0)
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(FitLostError, match="call 0 of len: its worker died 2 times"),
    ):
        joblib.Parallel()([joblib.delayed(len)("a")])


def pid_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_short_calls_stay_on_this_machine(engine):
    # 20 calls may take 600 s: the first one takes seconds if the machine is busy
    with joblib.parallel_config(backend=RemoteParallelBackend(engine, min_remote_s=600), n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(pid_after)(0) for _ in range(20))
    assert engine.batches == []
    assert len(set(found)) == 1
    assert os.getpid() not in found


def test_calls_that_take_too_long_are_sent_while_the_first_goes_on(engine):
    backend = RemoteParallelBackend(engine, min_remote_s=0.2)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(pid_after)(s) for s in (1.0, 0, 0, 0))
    assert [len(batch) for batch in engine.batches] == [3]
    assert found[0] != os.getpid()
    assert found[1:] == [os.getpid()] * 3  # where the engine of this test runs them


def test_calls_that_would_take_too_long_together_are_sent_at_once(engine):
    backend = RemoteParallelBackend(engine, min_remote_s=5)
    begin = time.monotonic()
    with joblib.parallel_config(backend=backend, n_jobs=2):
        joblib.Parallel()(joblib.delayed(pid_after)(0.2 if n < 2 else 0.0) for n in range(100))
    assert sum(map(len, engine.batches)) >= 98
    assert time.monotonic() - begin < 60


def exit_process(here):
    if os.getpid() != here:
        os._exit(3)
    return "survived"


def test_call_that_ends_the_process_of_the_trial_is_sent(engine):
    backend = RemoteParallelBackend(engine, min_remote_s=30)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        calls = [joblib.delayed(exit_process)(os.getpid())] * 3
        assert joblib.Parallel()(calls) == ["survived"] * 3


def test_error_of_a_trial_is_raised_once(engine):
    with (
        joblib.parallel_config(backend=RemoteParallelBackend(engine, min_remote_s=30), n_jobs=2),
        pytest.raises(ZeroDivisionError),
    ):
        joblib.Parallel()(joblib.delayed(divmod)(1, n) for n in (1, 0))
    assert engine.batches == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "local"}, r'joblib\.parallel_config\("loky"\)'),
        ({"backend": "btach"}, r"Did you mean 'batch'\?"),
        ({"backend": skdistsearch.LocalBackend()}, r"must be a MetaflowBackend or its name"),
        ({"memory": 1}, r"memory is not a setting of MetaflowBackend\. Did you mean 'memory_mb'"),
        ({"min_remote_s": -1}, r"min_remote_s=-1: must be"),
        ({"objects": "never"}, r"objects='never': must be"),
        ({"backend": "batch"}, r"is not fully configured"),
    ],
    ids=str,
)
def test_wrong_argument_is_an_error_before_any_work(arguments, message):
    arguments = {"backend": "metaflow", **arguments}
    with (
        pytest.raises(BackendConfigError, match=message),
        skdistsearch.parallel(**arguments),
    ):
        pass


def test_settings_replace_those_of_the_backend():
    from skdistsearch.joblib_backend._context import _make_engine

    engine = _make_engine(MetaflowBackend(tags="mine"), {"max_workers": 3})
    assert (engine.tags, engine.max_workers, engine.keep_alive_s) == (("mine",), 3, 60.0)
    assert _make_engine(MetaflowBackend(keep_alive_s=5), {}).keep_alive_s == 5
    assert _make_engine("metaflow", {"keep_alive_s": 0}).keep_alive_s == 0


def test_import_registers_nothing():
    import subprocess
    import sys

    code = "import skdistsearch, joblib; print(*joblib.parallel.BACKENDS)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "metaflow" not in names.stdout
