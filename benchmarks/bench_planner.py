"""Makespan of plans for searches with shared work, relative to the ideal.

A simulation with 10 and 50 workers. It takes the times of the text workload, measured here, and the
plan that remote workers would get for it. A worker takes the next chunk and runs each distinct part
of the work once. The ideal, which no plan can beat: all distinct work spread evenly, or the longest
fit with all that comes before it. The start-up of tasks is left out. (Workers on one machine need
no plan, because they claim their fits: see bench_text.)

If examples/tournament.py has left ``results/*/leaderboard.csv`` in this folder, its plan is
simulated too, with the fit times of the newest of these tables.
"""

import heapq
from collections import Counter
from itertools import product
from pathlib import Path

import pandas as pd

from benchmarks import bench_text, tournament
from benchmarks.results import Measurement
from skdistsearch import DistributedSearchCV
from skdistsearch.scheduling import make_container_chunks

TEXT_PARAMS = ("vect__ngram_range", "tfidf__use_idf", "clf__alpha")


def measure(options):
    measured = simulate("text", *make_text_workload(options))
    leaderboards = sorted(
        Path("results").glob("*/leaderboard.csv"), key=lambda p: p.stat().st_mtime
    )
    for leaderboard in leaderboards[-1:]:
        more = simulate("tournament", *make_tournament_workload(leaderboard))
        measured = Measurement(measured.rows + more.rows, measured.ratios | more.ratios)
    return measured


def make_text_workload(options):
    """Return the batch of the text workload and, for each fit, ``{part of work: seconds}``."""
    texts, y = bench_text.make_data(options)
    seconds = time_text_parts(texts, y)
    search = DistributedSearchCV(bench_text.PIPE, bench_text.GRID, cv=bench_text.CV)
    batch = search.plan(texts, y).batch
    parts = []
    for fit in batch.fits:
        key = (fit.split, *(fit.parameters[name] for name in TEXT_PARAMS))
        # A part is named by all that it depends on: fits that share it use the same name.
        parts.append({key[: 2 + depth]: part_s for depth, part_s in enumerate(seconds[key])})
    return batch, parts


def time_text_parts(texts, y):
    """Return the seconds of vectorizer, tf-idf and classifier, by split and parameters."""
    seconds = {}
    splits = enumerate(bench_text.CV.split(texts, y))
    rest = list(product(*(bench_text.GRID[name] for name in TEXT_PARAMS[1:])))
    for (number, split), ngrams in product(splits, bench_text.GRID["vect__ngram_range"]):
        _, (vect_s, rest_s) = bench_text.fit_group(texts, y, *split, ngrams)
        for params, (tfidf_s, clf_s) in zip(rest, rest_s, strict=True):
            seconds[(number, ngrams, *params)] = (vect_s, tfidf_s, clf_s)
    return seconds


def make_tournament_workload(leaderboard):
    """Return the same for the tournament, whose fits share only the quick preprocessing."""
    estimator, candidates, X, y = tournament.make_workload()
    batch = DistributedSearchCV(estimator, candidates, cv=tournament.CV).plan(X, y).batch
    seconds = pd.read_csv(leaderboard, index_col="candidate")["fit_time_s"]
    return batch, [
        {(fit.candidate, fit.split): float(seconds[fit.candidate])} for fit in batch.fits
    ]


def simulate(workload, batch, parts):
    """Simulate the plans of a batch with unknown and with known times of its fits."""
    fits = range(len(batch))
    users = Counter(part for fit in fits for part in parts[fit])
    known = {fit: sum(s / users[part] for part, s in parts[fit].items()) for fit in fits}
    rows, ratios = [], {}
    for n_workers, (times, seconds) in product((10, 50), (("unknown", {}), ("known", known))):
        planned = batch.with_context(expected_seconds=seconds)
        chunks = make_container_chunks(planned, fits, n_workers)
        took_s, ideal_s = makespan(parts, chunks, n_workers), ideal(parts, n_workers)
        rows.append(
            {
                "workload": workload,
                "workers": n_workers,
                "fit times": times,
                "tasks": len(chunks),
                "makespan s": round(took_s, 2),
                "ideal s": round(ideal_s, 2),
                "makespan / ideal": round(took_s / ideal_s, 2),
            }
        )
        ratios[f"{workload}, {n_workers} workers, times {times}: makespan / ideal"] = rows[-1][
            "makespan / ideal"
        ]
    return Measurement(rows, ratios)


def makespan(parts, chunks, n_workers):
    """Return the time at which the last worker ends."""
    ends = [0.0] * n_workers
    for chunk in chunks:
        distinct = {part: seconds for fit in chunk for part, seconds in parts[fit].items()}
        heapq.heapreplace(ends, ends[0] + sum(distinct.values()))
    return max(ends)


def ideal(parts, n_workers):
    """Return a lower bound of the makespan."""
    distinct = {part: seconds for fit in parts for part, seconds in fit.items()}
    longest = max(sum(fit.values()) for fit in parts)
    return max(sum(distinct.values()) / n_workers, longest)
