"""Does sharing work serialise a search on many workers, or leave them without work?

The text workload's own times, measured here, and the plan of its tasks for 50 workers, run by a
simulation: a worker takes the next chunk, fits each prefix of it once, then its fits. Compared with
the ideal, which no plan can beat: all distinct work spread evenly, or the longest chain of one fit.
Startup of tasks is left out.

Last answer (5,000 documents): 1.19 x the ideal with 2 workers (1.11 where times are known), 1.17
with 50. With 10 it is 1.79: there are 9 groups, nobody knows that some are worth cutting in two,
and what was measured of earlier fits does not tell the transformers' part.

    python -m benchmarks.bench_planner
"""

import heapq
from collections import Counter
from dataclasses import replace
from itertools import product

from benchmarks import bench_text
from skdistsearch import DistributedSearchCV, MetaflowBackend


def recorded():
    """Seconds of each fit's parts: by (split, vectorizer), of tf-idf and of the classifier."""
    texts, y = bench_text.data()
    found = {}
    splits = enumerate(bench_text.SPLITS.split(texts, y))
    for (number, split), ngrams in product(splits, bench_text.GRID["vect__ngram_range"]):
        _, (vect_s, rest) = bench_text.group(texts, y, *split, ngrams)
        for at, (use_idf, alpha) in enumerate(
            product(bench_text.GRID["tfidf__use_idf"], bench_text.GRID["clf__alpha"])
        ):
            tfidf_s, clf_s = rest[at]
            found[number, ngrams, use_idf, alpha] = (vect_s, tfidf_s, clf_s)
    return found


def parts_of(batch, fit, times):
    """``[(what, seconds), ...]`` of a fit, shared ones by what they are."""
    one = batch.fits[fit]
    names = ("vect__ngram_range", "tfidf__use_idf", "clf__alpha")
    key = (one.split, *(one.parameters[name] for name in names))
    seconds = times[key]
    return [(key[: 2 + number], seconds[number]) for number in range(3)]


def makespan(batch, chunks, workers, times):
    """When the last of the workers ends."""
    ends = [0.0] * workers
    for chunk in chunks:
        parts = dict(part for fit in chunk for part in parts_of(batch, fit, times))
        heapq.heapreplace(ends, ends[0] + sum(parts.values()))
    return max(ends)


def ideal(batch, workers, times):
    """All distinct work, spread evenly; or the longest fit with all that comes before it."""
    fits = [dict(parts_of(batch, fit, times)) for fit in range(len(batch))]
    distinct = {what: seconds for parts in fits for what, seconds in parts.items()}
    return max(sum(distinct.values()) / workers, *(sum(parts.values()) for parts in fits))


def main():
    times = recorded()
    texts, y = bench_text.data()
    search = DistributedSearchCV(bench_text.PIPE, bench_text.GRID, cv=bench_text.SPLITS)
    batch = search.plan(texts, y).batch
    fits = range(len(batch))
    users = Counter(what for fit in fits for what, _ in parts_of(batch, fit, times))
    known = {fit: sum(s / users[what] for what, s in parts_of(batch, fit, times)) for fit in fits}
    print(f"{'workers':>8}{'tasks':>7}{'makespan s':>12}{'ideal s':>9}{'ratio':>7}")
    for workers, seconds in product((2, 10, 50), (None, known)):
        planned = replace(batch, seconds=seconds)
        compute = "local" if workers == 2 else "batch"
        backend = MetaflowBackend(compute=compute, max_workers=workers)
        chunks = backend.chunks(fits, planned)
        took, best = makespan(batch, chunks, workers, times), ideal(batch, workers, times)
        told = "times known" if seconds else ""
        print(f"{workers:>8}{len(chunks):>7}{took:>12.2f}{best:>9.2f}{took / best:>7.2f}  {told}")


if __name__ == "__main__":
    main()
