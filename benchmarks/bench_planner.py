"""Does sharing work serialise a search on many workers, or leave them without work?

The text workload's own times, measured here, and the plan of its containers for 50 workers, run by
a simulation: a worker takes the next chunk, fits each prefix of it once, then its fits. Compared
with the ideal, which no plan can beat: all distinct work spread evenly, or the longest chain of one
fit. Startup of tasks is left out. (On one machine there is no plan: workers take their fits
themselves, see bench_text.)

Last answer, text of 5,000 documents: 1.17 x the ideal with 50 workers. With 10 it is 1.79: there
are 9 groups, nobody knows that some are worth cutting in two, and what was measured of earlier fits
does not tell the transformers' part. The tournament: 1.00 with 50 workers, which is a fit each, and
1.07 with 10.

    python -m benchmarks.bench_planner [results/<run>/leaderboard.csv of the tournament]
"""

import heapq
import sys
from collections import Counter
from dataclasses import replace
from itertools import product

import pandas as pd

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


def text():
    """The batch of the text workload, and per fit ``[(what, seconds), ...]``, shared ones alike."""
    times, (texts, y) = recorded(), bench_text.data()
    search = DistributedSearchCV(bench_text.PIPE, bench_text.GRID, cv=bench_text.SPLITS)
    batch = search.plan(texts, y).batch
    names = ("vect__ngram_range", "tfidf__use_idf", "clf__alpha")

    def parts(fit):
        key = (fit.split, *(fit.parameters[name] for name in names))
        return [(key[: 2 + number], seconds) for number, seconds in enumerate(times[key])]

    return batch, list(map(parts, batch.fits))


def tournament(leaderboard):
    """The same of the tournament, whose fits took as long as the table that it left tells."""
    from benchmarks import bench_tournament

    estimator, chosen, X, y = bench_tournament.job()
    batch = DistributedSearchCV(estimator, chosen, cv=bench_tournament.SPLITS).plan(X, y).batch
    seconds = pd.read_csv(leaderboard, index_col="candidate")["fit_time_s"]
    return batch, [
        [((fit.candidate, fit.split), float(seconds[fit.candidate]))] for fit in batch.fits
    ]


def makespan(parts, chunks, workers):
    """When the last of the workers ends."""
    ends = [0.0] * workers
    for chunk in chunks:
        distinct = dict(part for fit in chunk for part in parts[fit])
        heapq.heapreplace(ends, ends[0] + sum(distinct.values()))
    return max(ends)


def ideal(parts, workers):
    """All distinct work, spread evenly; or the longest fit with all that comes before it."""
    distinct = {what: seconds for fit in parts for what, seconds in fit}
    longest = max(sum(seconds for _, seconds in fit) for fit in parts)
    return max(sum(distinct.values()) / workers, longest)


def compare(name, batch, parts):
    fits = range(len(batch))
    users = Counter(what for fit in fits for what, _ in parts[fit])
    known = {fit: sum(s / users[what] for what, s in parts[fit]) for fit in fits}
    print(f"{name:<11}{'workers':>8}{'tasks':>7}{'makespan s':>12}{'ideal s':>9}{'ratio':>7}")
    for workers, seconds in product((10, 50), (None, known)):
        backend = MetaflowBackend(compute="batch", max_workers=workers)
        chunks = backend.chunks(fits, replace(batch, seconds=seconds))
        took, best = makespan(parts, chunks, workers), ideal(parts, workers)
        told = "times known" if seconds else ""
        row = f"{workers:>19}{len(chunks):>7}{took:>12.2f}{best:>9.2f}{took / best:>7.2f}"
        print(f"{row}  {told}")


def main():
    compare("text", *text())
    for leaderboard in sys.argv[1:]:
        compare("tournament", *tournament(leaderboard))


if __name__ == "__main__":
    main()
