"""Labels that tell the candidates of one picture apart."""

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdistsearch.report._candidate_labels import candidate_labels, cut_texts, distinct_texts


def labels_of(candidates, length=50, contenders=None):
    contenders = contenders or ["Ridge"] * len(candidates)
    return candidate_labels(dict(enumerate(candidates)), contenders, length=length)


def test_label_has_the_parameters_that_differ_with_the_shortest_first():
    candidates = [
        {"long_name": 1, "same": 5, "a": 0.1},
        {"long_name": 2, "same": 5, "a": 0.1},
        {"long_name": 1, "same": 5, "a": 0.2},
    ]
    assert labels_of(candidates) == [
        "a=0.1, long_name=1",
        "a=0.1, long_name=2",
        "a=0.2, long_name=1",
    ]


def test_only_candidate_of_a_contender_has_its_name():
    assert labels_of([{"a": 1}, {"b": 2}], contenders=["Ridge", "Lasso"]) == ["Ridge", "Lasso"]


def test_labels_of_many_parameters_are_short_and_unique():
    random = np.random.default_rng(0)
    candidates = [
        {f"parameter_with_a_long_name_{n}": float(random.random()) for n in range(12)}
        for _ in range(30)
    ]
    labels = labels_of(candidates)
    assert len(set(labels)) == 30
    assert max(map(len, labels)) <= 50


def test_parameter_that_tells_candidates_apart_is_kept():
    """The longest parameter is the only one that differs between the first two candidates."""
    long = "the_longest_name_of_all_parameters_here"
    shorter = {f"another_long_name_{n}": 1 for n in range(4)}
    candidates = [
        {**shorter, long: 1},
        {**shorter, long: 2},
        dict.fromkeys([*shorter, long], 2),
    ]
    labels = labels_of(candidates)
    assert len(set(labels)) == 3
    assert all("all_parameters_here=" in label or "the_longest" in label for label in labels)


def test_equal_labels_get_the_number_of_the_candidate():
    labels = labels_of([{"a": lambda: 1}, {"a": lambda: 2}, {"a": 3}])
    assert labels == ["a=<lambda> (candidate 0)", "a=<lambda> (candidate 1)", "a=3"]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.1, 0.25], ["0.1", "0.25"]),
        ([0.12341, 0.12342], ["0.12341", "0.12342"]),
        ([np.float64(1.0), 2], ["1", "2"]),
        ([StandardScaler(), MinMaxScaler()], ["StandardScaler", "MinMaxScaler"]),
        (
            [StandardScaler(), StandardScaler(with_mean=False)],
            ["StandardScaler()", "StandardScaler(with_mean=False)"],
        ),
    ],
)
def test_values_have_the_shortest_text_that_tells_them_apart(values, texts):
    assert distinct_texts(values) == texts


def test_texts_are_cut_where_they_are_alike():
    texts = ["a_common_start_one", "a_common_start_two", "other"]
    assert cut_texts(texts, 10) == ["…start_one", "…start_two", "other"]
    assert cut_texts(["step_number_1__with", "step_number_2__with"], 10) == [
        "…number_1…",
        "…number_2…",
    ]
    assert cut_texts(["short", "a long text"], 8) == ["short", "a long …"]
