"""
Share the work of a text pipeline
=================================

In a grid over a pipeline, many fits begin with the same steps on the same rows.
:class:`~sklearn.model_selection.GridSearchCV` fits those steps each time.
:class:`~skdistsearch.DistributedSearchCV` fits them once, and the scores stay equal bit for bit.
This page measures the time that it saves.
"""

# %%
# Documents
# ---------
# 600 documents of four classes, with word frequencies as in a natural language. Ten words
# of each document are typical of its class.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from skdistsearch import DistributedSearchCV

rng = np.random.default_rng(0)
words = np.array([f"w{number}" for number in range(30_000)])
frequencies = 1 / np.arange(1, len(words) + 1)
frequencies /= frequencies.sum()
y = rng.integers(0, 4, 600)


def write_document(label):
    usual = rng.choice(words, size=rng.integers(50, 200), p=frequencies)
    typical = rng.choice(words[label * 300 : (label + 1) * 300], size=10)
    return " ".join([*usual, *typical])


texts = [write_document(label) for label in y]

# %%
# The search
# ----------
# 20 candidates on 3 splits make 60 fits. There are only two settings of the vectorizer, so its
# distinct fits are 6.

pipe = Pipeline(
    [
        ("vect", CountVectorizer()),
        ("tfidf", TfidfTransformer()),
        ("clf", SGDClassifier(random_state=0)),
    ]
)
grid = {
    "vect__ngram_range": [(1, 1), (1, 2)],
    "tfidf__use_idf": [True, False],
    "clf__alpha": np.logspace(-6, -2, 5),
}
cv = StratifiedKFold(3)

# %%
# Measure both
# ------------
# Both searches use two worker processes. A short search beforehand starts them, so that neither is
# charged for it.

searches = {
    "GridSearchCV": GridSearchCV(pipe, grid, cv=cv, n_jobs=2),
    "DistributedSearchCV": DistributedSearchCV(pipe, grid, cv=cv, n_jobs=2),
}
seconds = {}
for name, search in searches.items():
    short = type(search)(pipe, {"clf__alpha": [0.01, 0.1]}, cv=2, n_jobs=2)
    short.fit(texts[:200], y[:200])
    begin = time.perf_counter()
    search.fit(texts, y)
    seconds[name] = time.perf_counter() - begin

figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
colours = ["#999999", "#0072B2"]
bars = ax.barh(list(seconds), list(seconds.values()), color=colours)
ax.bar_label(bars, fmt="%.1f s", padding=4)
ax.margins(x=0.12)
ax.invert_yaxis()
ax.set_xlabel("wall time of fit, including the refit (seconds)")
ax.set_title("The same 60 fits on two cores", loc="left")
ax.spines[["top", "right"]].set_visible(False)

# %%
# The scores are equal
# --------------------

for name in ("mean_test_score", "std_test_score", "rank_test_score"):
    ours, theirs = (search.cv_results_[name] for search in searches.values())
    np.testing.assert_array_equal(ours, theirs)
plt.show()

# %%
# There is nothing to switch on. ``cache_mb=`` limits the memory for shared work, and ``cache_mb=0``
# turns it off. See :doc:`/guide/shared_work` for the steps that can be shared.
