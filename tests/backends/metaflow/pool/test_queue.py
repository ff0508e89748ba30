"""Each unit of a wave has one owner, in a folder and in S3."""

import threading

import pytest

from skdistsearch.backends.metaflow._environment import import_metaflow
from skdistsearch.backends.metaflow.pool._queue import Queue, Wave
from skdistsearch.exceptions import StoreError

GROUPS = [[(0, 1), (2,)], [(3,)], [(4,), (5,)]]
N_FITS = 6


def wave(groups=GROUPS):
    return Wave(store="s", manifest="m", journal="j", groups=groups)


def ignore(fits):
    """Ignore the fits that other workers have claimed."""


@pytest.fixture
def url(request, tmp_path):
    """Return the URL of an empty queue: in a folder, or in S3."""
    if request.param == "folder":
        return str(tmp_path / "queue")
    aws = request.getfixturevalue("aws")
    patch = request.getfixturevalue("monkeypatch")
    for name, value in aws.environment().items():
        patch.setenv(name, value)
    import_metaflow()  # without its warnings
    return f"s3://{aws.bucket}/queue"


in_s3 = pytest.param("s3", marks=[pytest.mark.slow, pytest.mark.xdist_group("aws")])
everywhere = pytest.mark.parametrize("url", ["folder", in_s3], indirect=True)
in_a_folder = pytest.mark.parametrize("url", ["folder"], indirect=True)


@everywhere
def test_waves_come_in_order_until_the_queue_ends(url):
    queue, reader = Queue(url), Queue(url)
    names = [queue.publish(number, wave()) for number in (1, 2, 10)]
    assert reader.new_waves("") == (names, False)
    queue.end()
    assert reader.new_waves(names[0]) == (names[1:], True)
    queue.withdraw(names[:2])
    assert reader.new_waves("") == (names[2:], True)


@everywhere
def test_withdrawn_wave_cannot_be_read(url):
    queue = Queue(url)
    name = queue.publish(1, wave())
    assert queue.read(name).groups == [[[0, 1], [2]], [[3]], [[4], [5]]]
    queue.withdraw([name])
    assert queue.read(name) is None


@everywhere
def test_each_unit_has_one_owner(url):
    queue = Queue(url)
    name = queue.publish(1, wave())
    claimed = {f"1-{n}-0": [] for n in range(4)}

    def work(owner):
        own = Queue(url)
        claimed[owner] += own.claim_units(name, own.read(name), owner, ignore)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    units = [tuple(unit) for units in claimed.values() for unit in units]
    assert sorted(units) == [(0, 1), (2,), (3,), (4,), (5,)]
    assert len(queue.claimed(name)) == 5
    owners = queue.owners(name, queue.claimed(name))
    for owner, units in claimed.items():
        assert list(owners.values()).count(owner) == len(units)


@everywhere
def test_claims_outlive_their_wave(url):
    """A slow worker that has read the wave finds nothing to run a second time."""
    queue = Queue(url)
    name = queue.publish(1, wave())
    read = queue.read(name)
    assert len(list(queue.claim_units(name, read, "1-1-0", ignore))) == 5
    queue.withdraw([name])
    assert list(queue.claim_units(name, read, "1-2-0", ignore)) == []


@everywhere
def test_nothing_is_left_of_a_cancelled_wave(url):
    queue = Queue(url)
    name = queue.publish(1, wave())
    units = queue.claim_units(name, wave(), "1-1-0", ignore)
    next(units)
    Queue(url).cancel(name, wave())
    assert list(units) == []


@everywhere
def test_fits_claimed_elsewhere_are_reported(url):
    queue = Queue(url)
    name = queue.publish(1, wave())
    elsewhere = []
    units = queue.claim_units(name, wave(), "1-1-0", elsewhere.extend)
    own = [*next(units)]
    other = next(Queue(url).claim_units(name, wave(), "1-2-0", ignore))
    own += [fit for unit in units for fit in unit]
    assert sorted(elsewhere) == sorted(other)
    assert sorted(own + list(other)) == list(range(N_FITS))


@in_a_folder
def test_empty_claim_has_no_owner_yet(url, tmp_path):
    queue = Queue(url)
    name = queue.publish(1, wave())
    (tmp_path / "queue" / "claims" / name / "0-0").touch()
    assert queue.owners(name, ["0-0"]) == {"0-0": ""}


@in_a_folder
def test_queue_of_another_version_is_an_error(url, tmp_path):
    queue = Queue(url)
    name = queue.publish(1, wave())
    path = tmp_path / "queue" / "waves" / name
    path.write_text(path.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(StoreError, match="the queue of another version"):
        queue.read(name)


@in_a_folder
def test_nothing_is_left_after_clear(url, tmp_path):
    queue = Queue(url)
    list(queue.claim_units(queue.publish(1, wave()), wave(), "1-1-0", ignore))
    queue.end()
    queue.clear()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
