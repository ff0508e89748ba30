"""Cost of a search over a text pipeline, compared with doing each distinct piece of work once.

CountVectorizer (3 settings), TfidfTransformer (2), SGDClassifier (8), 3 folds, 5,000 documents of
words with Zipf's frequencies: 144 fits, 9 distinct fits of the vectorizer. By hand: two processes
that take (split, vectorizer) groups, the longest first.
"""

import time
from itertools import product

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from benchmarks.competitors import BY_HAND, JOBS, compare, make_searches

CV = StratifiedKFold(3)
PIPE = Pipeline(
    [
        ("vect", CountVectorizer()),
        ("tfidf", TfidfTransformer()),
        ("clf", SGDClassifier(random_state=0, tol=1e-3)),
    ]
)
GRID = {
    "vect__ngram_range": [(1, 1), (1, 2), (1, 3)],
    "tfidf__use_idf": [True, False],
    "clf__alpha": list(np.logspace(-6, -2, 8)),
}
TARGETS = {"wall / GridSearchCV": 0.2, "wall / by hand": 1.1}


def measure(options):
    texts, y = make_data(options)
    searches = make_searches(PIPE, GRID, (texts, y), cv=CV, with_memory=True)
    return compare({**searches, BY_HAND: lambda: fit_by_hand(texts, y)}, options)


def make_data(options):
    """Return documents and their classes; ten words of each document are typical of its class."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(30_000)])
    frequencies = 1 / np.arange(1, len(words) + 1)
    frequencies /= frequencies.sum()
    y = rng.integers(0, 4, 60 if options.quick else 5000)
    texts = []
    for label in y:
        usual = rng.choice(words, size=rng.integers(50, 200), p=frequencies)
        typical = rng.choice(words[label * 300 : (label + 1) * 300], size=10)
        texts.append(" ".join([*usual, *typical]))
    return texts, y


def fit_by_hand(texts, y):
    splits = list(CV.split(texts, y))
    groups = sorted(
        product(splits, GRID["vect__ngram_range"]), key=lambda group: group[1][1], reverse=True
    )
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(fit_group)(texts, y, *split, ngram_range) for split, ngram_range in groups
    )


def fit_group(texts, y, train, test, ngram_range):
    """Return the scores of the fits that share a vectorizer, and the CPU seconds of each part.

    The seconds are those of the vectorizer, and pairs for the tf-idf and the classifier.
    """
    stopwatch = CPUStopwatch()
    vect = CountVectorizer(ngram_range=ngram_range)
    counts = vect.fit_transform([texts[at] for at in train])
    counts_test = vect.transform([texts[at] for at in test])
    vect_s, scores, rest_s = stopwatch.lap(), [], []
    for use_idf in GRID["tfidf__use_idf"]:
        tfidf = TfidfTransformer(use_idf=use_idf)
        X, X_test = tfidf.fit_transform(counts), tfidf.transform(counts_test)
        tfidf_s = stopwatch.lap()
        for alpha in GRID["clf__alpha"]:
            clf = clone(PIPE["clf"]).set_params(alpha=alpha).fit(X, y[train])
            scores.append(clf.score(X_test, y[test]))
            rest_s.append((tfidf_s, stopwatch.lap()))
    return scores, (vect_s, rest_s)


class CPUStopwatch:
    """CPU seconds of this process."""

    def __init__(self):
        self._last = time.process_time()

    def lap(self):
        """Return the seconds since the last call."""
        self._last, before = time.process_time(), self._last
        return self._last - before
