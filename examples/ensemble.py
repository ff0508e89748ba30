"""A model of models, beside the best candidate of the search.

    python ensemble.py

`Ensemble.from_search` chooses among all candidates of a search by what each of them predicted for
rows that it was not trained on. Three scores of each method and of the best candidate: out of
fold, on the very rows that chose, which flatters; nested, on rows that did not choose; and on
rows that neither the search nor the ensemble has seen.
"""

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, Ensemble

PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
GRID = [
    {"model": [Ridge()], "model__alpha": [0.1, 1.0, 10.0, 100.0]},
    {"model": [KNeighborsRegressor()], "model__n_neighbors": [5, 10, 20, 40]},
    {"model": [RandomForestRegressor(50, random_state=0)], "model__max_depth": [2, 4, 8]},
    {"model": [GradientBoostingRegressor(random_state=0)], "model__max_depth": [1, 2, 3]},
]


def main():
    X, y = load_diabetes(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    cv = KFold(5, shuffle=True, random_state=0)
    search = DistributedSearchCV(PIPE, GRID, cv=cv, keep="predictions", n_jobs=2).fit(X, y)

    print(f"{'R²':<16}{'out of fold':>12}{'nested':>9}{'unseen':>9}   members")
    for method in ("greedy", "mean", "weighted", "stack"):
        found = Ensemble.from_search(search, X, y, method=method)
        scores = found.oof_score_, found.nested_score_, found.score(X_test, y_test)
        print(row(method, scores), f"  {len(found.members_)}")
    best = found.best_candidate_oof_score_, found.best_candidate_nested_score_
    print(row("best candidate", (*best, search.score(X_test, y_test))), "  1")


def row(name, scores):
    out_of_fold, nested, unseen = scores
    return f"{name:<16}{out_of_fold:>12.4f}{nested:>9.4f}{unseen:>9.4f}"


if __name__ == "__main__":
    main()
