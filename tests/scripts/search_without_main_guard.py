"""A search at module level, which runs again if a worker imports this file."""

from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV


class Mine(Ridge):
    """A class of the script, which is pickled by value."""


search = DistributedSearchCV(Mine(), {"alpha": [0.1, 1.0]}, cv=2, n_jobs=1, backend="metaflow")
search.fit([[1], [2]] * 5, [0, 1] * 5)
assert len(search.runs_) == 1
