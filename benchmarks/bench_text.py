"""How near is a search over a text pipeline to doing each distinct piece of work once?

CountVectorizer (3 settings), TfidfTransformer (2), SGDClassifier (8), 3 folds, 5,000 documents of
words with Zipf's frequencies: 144 fits, 9 distinct fits of the vectorizer.
By hand: two processes that take (split, vectorizer) groups, the longest first.

Last answer (two cores, nothing else on the machine): 25.6 s, by hand 23.5 (1.09 x, median of 2,
warm workers). One run in which our workers had to start, and not those by hand: 25.8 s, by hand
20.6 (1.25 x), GridSearchCV 197 (0.13 x wall and CPU). Of an earlier hour, beside GridSearchCV's
253 to 316 s: 0.12 x, with ``memory=`` 131 s, dask-ml 94, joblib over dask 286, over ray 425, one
process 488.
What is left beside the limit: fits whose prefix the other process has too, at the end.

    python -m benchmarks bench_text
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

from benchmarks.sides import JOBS, LIMIT, searches

DOCUMENTS, SPLITS = 5000, StratifiedKFold(3)
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
TARGETS = {"GridSearchCV": 0.2, LIMIT: 1.1}


def data():
    """Documents, and the class that ten words of each are typical of."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(30_000)])
    frequencies = 1 / np.arange(1, len(words) + 1)
    frequencies /= frequencies.sum()
    y = rng.integers(0, 4, DOCUMENTS)
    texts = []
    for label in y:
        usual = rng.choice(words, size=rng.integers(50, 200), p=frequencies)
        typical = rng.choice(words[label * 300 : (label + 1) * 300], size=10)
        texts.append(" ".join([*usual, *typical]))
    return texts, y


def group(texts, y, train, test, ngram_range):
    """Scores of the fits that share a vectorizer, and how long each part took."""
    clock = Clock()
    vect = CountVectorizer(ngram_range=ngram_range)
    counts = vect.fit_transform([texts[at] for at in train])
    counts_test = vect.transform([texts[at] for at in test])
    vect_s, scores, rest_s = clock(), [], []
    for use_idf in GRID["tfidf__use_idf"]:
        tfidf = TfidfTransformer(use_idf=use_idf)
        X, X_test = tfidf.fit_transform(counts), tfidf.transform(counts_test)
        tfidf_s = clock()
        for alpha in GRID["clf__alpha"]:
            clf = clone(PIPE["clf"]).set_params(alpha=alpha).fit(X, y[train])
            scores.append(clf.score(X_test, y[test]))
            rest_s.append((tfidf_s, clock()))
    return scores, (vect_s, rest_s)


class Clock:
    """CPU seconds of this process since the last call of it."""

    def __init__(self):
        self.last = time.process_time()

    def __call__(self):
        self.last, before = time.process_time(), self.last
        return self.last - before


def by_hand(texts, y):
    splits = list(SPLITS.split(texts, y))
    groups = sorted(product(splits, GRID["vect__ngram_range"]), key=lambda of: -of[1][1])
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(group)(texts, y, *split, ngram_range) for split, ngram_range in groups
    )


def sides():
    texts, y = data()
    found = searches(PIPE, GRID, (texts, y), cv=SPLITS, memory=True)
    return {**found, LIMIT: lambda: by_hand(texts, y)}
