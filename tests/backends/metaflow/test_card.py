"""The Metaflow card of a run."""

import base64
import json
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skdistsearch.backends.metaflow.card import make_card_components

with warnings.catch_warnings():
    # Metaflow's import warns of its own use of _yaml
    warnings.simplefilter("ignore", DeprecationWarning)
    cards = pytest.importorskip("metaflow.cards", reason="makes cards")

SCRIPTS = Path(__file__).parents[2] / "scripts"
BEGUN = 1_700_000_000.0
TRACEBACK = "Traceback (most recent call last):\n  File 'x.py', line 1, in fit\nValueError: {}\n"
SUMMARY = ("min", "q1", "median", "q3", "max")


def make_info(n_candidates, n_splits=1, parameters=None):
    return {
        "search": "DistributedSearchCV(Pipeline)",
        "candidates": parameters or [{"C": str(number)} for number in range(n_candidates)],
        "n_splits": n_splits,
        "fits": [[c, s] for c in range(n_candidates) for s in range(n_splits)],
        "begun": BEGUN,
    }


def done_fit(fit, scores=0.5, fit_error=None, worker="host-1", **fields):
    result = {"test_scores": scores, "fit_time": 0.5, "score_time": 0.1, "fit_error": fit_error}
    started_at = BEGUN + 1 + fit
    outcome = {"fit": fit, "status": "ok", "result": result, "raised": None, "reason": ""}
    task_pathspec = "DistributedSearch/123/fit/7"
    times = {"started_at": started_at, "finished_at": started_at + 0.9}
    return {**outcome, "task_pathspec": task_pathspec, "worker": worker, **times, **fields}


def lost_fit(fit, reason="Out of memory.", **fields):
    return done_fit(fit, status="lost", result=None, reason=reason, **fields)


def failed_fit(fit, message="no"):
    error = {"types": ["builtins:ValueError"], "message": message}
    error["traceback"] = TRACEBACK.format(message)
    return done_fit(fit, status="raised", result=None, raised=error)


def render(run_info, outcomes):
    components = [component.render() for component in make_card_components(run_info, outcomes)]
    assert "could not be made" not in json.dumps(components[0], allow_nan=False), components
    return components


def components_of(components, kind):
    return [component for component in components if component["type"] == kind]


def markdown_texts(components):
    return [component["source"].strip() for component in components_of(components, "markdown")]


def headline(components):
    table = components_of(components, "table")[0]
    return dict(zip(table["columns"], table["data"][0], strict=True))


def ranking_rows(components):
    table = components_of(components, "table")[1]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def chart_values(components, key):
    return next(
        chart["spec"]["data"]["values"]
        for chart in components_of(components, "vegaChart")
        if key in chart["spec"]["data"]["values"][0]
    )


def render_html(components):
    return cards.BlankCard(components=components).render(SimpleNamespace(pathspec="F/1/join/2"))


def make_many(n_candidates, n_splits, workers, word):
    """Yield the outcomes of a large search with failures and long texts."""
    n_fits = n_candidates * n_splits
    for fit in range(n_fits):
        slot = {
            "worker": f"host-{fit % workers}",
            "task_pathspec": f"DistributedSearch/1/fit/{fit}",
        }
        slot["started_at"] = BEGUN + fit // workers
        slot["finished_at"] = slot["started_at"] + 0.9
        if fit % 7 == 3:
            yield lost_fit(fit, **slot)
        elif fit % 7 == 5:
            error = TRACEBACK.format("\n".join([word * 500] * 20) + f"\n{word}{fit % 300}")
            yield done_fit(fit, float("nan"), error, **slot)
        else:
            yield done_fit(fit, fit / n_fits, **slot)


def test_card_ranks_the_best_first_and_ties_share_a_rank():
    scores = [0.1, 0.9, 0.5, 0.5, -3.0]
    outcomes = [done_fit(fit, score) for fit, score in enumerate(scores)]
    rows = ranking_rows(render(make_info(5), outcomes))
    assert [row["Candidate"] for row in rows] == ["1", "2", "3", "0", "4"]
    assert [row["Rank"] for row in rows] == ["1", "2", "2", "4", "5"]
    assert [row["Mean score"] for row in rows] == ["0.9", "0.5", "0.5", "0.1", "-3"]


def test_mean_and_standard_deviation_equal_those_of_scikit_learn():
    scores = [0.25, 0.5, 0.8]
    outcomes = [done_fit(fit, score) for fit, score in enumerate(scores)]
    (row,) = ranking_rows(render(make_info(1, 3), outcomes))
    assert (row["Mean score"], row["Std"]) == (f"{np.mean(scores):.5g}", f"{np.std(scores):.5g}")
    assert (row["Mean fit time"], row["Scored"], row["Failed"]) == ("500 ms", "3/3", "0")


def test_incomplete_means_rank_after_complete_ones_and_nan_last():
    outcomes = [
        *(done_fit(0, float("nan"), TRACEBACK), done_fit(1, 0.9)),  # NaN
        *(done_fit(2, 0.9), lost_fit(3)),  # one split only
        *(done_fit(4, 0.1), done_fit(5, 0.1)),
    ]
    components = render(make_info(4, 2), outcomes)  # and a candidate without outcomes
    rows = ranking_rows(components)
    assert [row["Candidate"] for row in rows] == ["2", "1", "0", "3"]
    assert [row["Mean score"] for row in rows] == ["0.1", "0.9", "nan", "nan"]
    assert [row["Scored"] for row in rows] == ["2/2", "1/2", "1/2", "0/2"]
    assert [row["Failed"] for row in rows] == ["0", "1", "1", "0"]
    assert headline(components)["Best mean score"] == "0.1"


def test_headline_counts_fits_by_status():
    outcomes = [
        *(done_fit(0), done_fit(1, worker="host-2", task_pathspec="DistributedSearch/123/fit/8")),
        *(done_fit(2, float("nan"), TRACEBACK), failed_fit(3), lost_fit(4)),
    ]
    components = render(make_info(4, 2), outcomes)
    assert markdown_texts(components)[0] == "# DistributedSearchCV(Pipeline)"
    assert headline(components) == {
        **{"Fits": "8", "Done": "2", "Failed": "2", "Lost": "1", "Missing": "3"},
        **{"Candidates": "4", "Splits": "2", "Best mean score": "0.5", "Wall time": "5.90 s"},
        **{"Tasks": "2", "Workers": "2"},
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.5, "500 ms"), (5, "5.00 s"), (42, "42.0 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")],
)
def test_durations_have_suitable_units(seconds, expected):
    assert (
        headline(render(make_info(1), [done_fit(0, finished_at=BEGUN + seconds)]))["Wall time"]
        == expected
    )


def test_first_metric_ranks_and_all_means_are_shown():
    outcomes = [done_fit(0, {"f1": 0.2, "auc": 0.9}), done_fit(1, {"f1": 0.3, "auc": 0.8})]
    rows = ranking_rows(render(make_info(2), outcomes))
    assert [(row["Candidate"], row["Mean f1"], row["Mean auc"]) for row in rows] == [
        ("1", "0.3", "0.8"),
        ("0", "0.2", "0.9"),
    ]


def test_failed_fit_has_one_score_for_all_metrics():
    outcomes = [done_fit(0, {"f1": 0.3, "auc": 0.8}), done_fit(1, float("nan"), TRACEBACK)]
    row = ranking_rows(render(make_info(2), outcomes))[1]
    assert (row["Mean f1"], row["Mean auc"]) == ("nan", "nan")


def test_texts_of_users_are_not_markdown():
    nasty = "<img src=x onerror=alert(1)> **b** | `c` [d](http://e)"
    description = make_info(1, 3, [{nasty: nasty}])
    description["search"] = f"Search({nasty})"
    outcomes = [done_fit(0, {nasty: 0.5}, worker=nasty), failed_fit(1, nasty), lost_fit(2, nasty)]
    components = render(description, outcomes)
    assert ranking_rows(components)[0]["Parameters"] == f"{nasty}={nasty}"
    assert not re.search(r"[<>`|\[*]", "".join(markdown_texts(components)))


def test_long_values_are_truncated_and_on_one_line():
    parameters = [{"a": "x\n" * 1000, **{f"p{number}": "y" * 60 for number in range(20)}}]
    shown = ranking_rows(render(make_info(1, parameters=parameters), [done_fit(0)]))[0][
        "Parameters"
    ]
    assert "\n" not in shown
    assert len(shown) <= 300
    assert shown.endswith("…")


def test_table_and_box_plot_count_omitted_candidates():
    components = render(make_info(60), [done_fit(fit, fit / 60) for fit in range(60)])
    assert len(ranking_rows(components)) == 50
    assert [box["candidate"] for box in chart_values(components, "median")[:2]] == [
        "59: C=59",
        "58: C=58",
    ]
    assert len(chart_values(components, "median")) == 30
    assert [line for line in markdown_texts(components) if "Not shown" in line] == [
        "Not shown: 10 more candidates.",
        "Not shown: 30 more candidates.",
    ]


@pytest.mark.parametrize("scores", [[0.3], [0.3, 0.5], [0.1, 0.9, 0.4, 0.2, 0.3]])
def test_boxes_are_quartiles(scores):
    outcomes = [done_fit(fit, score) for fit, score in enumerate(scores)]
    (box,) = chart_values(render(make_info(1, len(scores)), outcomes), "median")
    expected = np.percentile(scores, [0, 25, 50, 75, 100])
    assert [box[name] for name in SUMMARY] == pytest.approx(list(expected))


def test_each_fit_is_a_bar_in_the_row_of_its_worker():
    outcomes = [done_fit(0), done_fit(1, float("nan"), TRACEBACK, worker="host-2"), lost_fit(2)]
    bars = chart_values(render(make_info(3), outcomes), "seconds")
    assert [(bar["worker"], bar["status"], bar["started_at"], bar["fits"]) for bar in bars] == [
        ("host-1", "done", 1.0, "candidate 0, split 0"),
        ("host-2", "failed", 2.0, "candidate 1, split 0"),
        ("host-1", "lost", 3.0, "candidate 2, split 0"),
    ]
    assert {bar["seconds"] for bar in bars} == {0.9}


def test_many_workers_in_turn_share_a_row():
    outcomes = [done_fit(fit, worker=f"host-{fit}") for fit in range(50)]
    components = render(make_info(50), outcomes)
    assert {bar["worker"] for bar in chart_values(components, "seconds")} == {"slot 1"}
    assert any("slot" in line for line in markdown_texts(components))


def test_joined_bars_keep_lost_fits_visible():
    outcomes = [done_fit(fit) for fit in range(5000)]
    outcomes[2000] = lost_fit(2000)
    bars = chart_values(render(make_info(5000), outcomes), "seconds")
    assert Counter(bar["status"] for bar in bars) == {"done": 2, "lost": 1}
    assert sum(int(bar["fits"].removesuffix(" fits")) for bar in bars) == 5000
    assert next(bar["seconds"] for bar in bars if bar["status"] == "lost") <= 5


def test_fits_without_times_are_not_on_the_timeline():
    components = render(
        make_info(2), [done_fit(0, started_at=0.0, finished_at=0.0), done_fit(1, started_at=None)]
    )
    assert "## Timeline" not in markdown_texts(components)


def test_failures_are_grouped_by_last_line():
    outcomes = [
        *(done_fit(fit, float("nan"), TRACEBACK.format("bad C")) for fit in range(12)),
        *(failed_fit(12, "worse"), lost_fit(13, "Out of memory.")),
    ]
    components = render(make_info(7, 2), outcomes)
    rows = components_of(components, "table")[2]["data"]
    assert [row[:4] for row in rows] == [
        ["1", "failed", "ValueError: bad C", "12"],
        ["2", "failed", "ValueError: worse", "1"],
        ["3", "lost", "Out of memory.", "1"],
    ]
    assert rows[0][4].startswith("candidate 0, split 0; candidate 0, split 1; ")
    assert rows[0][4].endswith("; and 2 more")
    code = [component["data"] for component in components_of(components, "pythonCode")]
    assert code == [TRACEBACK.format(message).strip() for message in ("bad C", "worse")]


def test_card_without_failures_has_no_such_section():
    lines = markdown_texts(render(make_info(1), [done_fit(0)]))
    assert not any("fail" in line.lower() for line in lines)


@pytest.mark.parametrize("n_outcomes", [0, 1])
def test_fits_without_an_outcome_are_missing(n_outcomes):
    components = render(make_info(3, 2), [done_fit(fit) for fit in range(n_outcomes)])
    assert headline(components)["Missing"] == str(6 - n_outcomes)
    assert len(ranking_rows(components)) == 3


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 1e308, None, 3])
def test_card_is_valid_json_for_any_score(score):
    outcomes = [done_fit(0, score), done_fit(1, -1e308), done_fit(2, 0.5, finished_at=float("inf"))]
    json.dumps(render(make_info(3), outcomes), allow_nan=False)


@pytest.mark.parametrize("workers", [4, 100, 10_000])
def test_card_of_10000_fits_is_below_2_megabytes(workers):
    word = "é"  # six bytes in JSON
    parameters = [{"p" * 30: word * 500, "q": str(number)} for number in range(2000)]
    description = make_info(2000, 5, parameters=parameters)
    components = render(description, list(make_many(2000, 5, workers, word)))
    assert len(render_html(components)) < 2_000_000


@pytest.mark.parametrize("outcomes", [[{"fit": 0}], [done_fit(99)], ["text"]])
def test_malformed_outcomes_do_not_raise(outcomes):
    note, code = (component.render() for component in make_card_components(make_info(1), outcomes))
    assert "could not be made" in note["source"]
    assert "Traceback" in code["data"]


def test_making_a_card_imports_nothing_slow():
    code = f"""
import sys
from skdistsearch.backends.metaflow import card
assert "metaflow" not in sys.modules
card.make_card_components({make_info(1)!r}, [{done_fit(0)!r}])
print(*sys.modules)
"""
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "metaflow" in modules
    assert not {"sklearn", "numpy", "pandas", "matplotlib"} & set(modules)


@pytest.mark.slow
def test_metaflow_client_finds_the_card_of_a_run(tmp_path):
    root, work = tmp_path / "root", tmp_path / "work"
    (root / ".metaflow").mkdir(parents=True)
    work.mkdir()
    (work / "data.json").write_text(
        json.dumps([make_info(2), [done_fit(0, 0.25), done_fit(1, 0.75)]])
    )
    env = {**os.environ, "METAFLOW_USER": "someone"}
    env["METAFLOW_DATASTORE_SYSROOT_LOCAL"] = str(root)

    def run(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=work, env=env, capture_output=True, text=True, check=True
        ).stdout

    run(SCRIPTS / "card_flow.py", "--quiet", "--no-pylint", "run")
    page = run(SCRIPTS / "print_card.py")
    (data,) = re.findall(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', page)
    (page,) = json.loads(base64.b64decode(data))["components"]
    (section,) = page["contents"]
    assert [row["Mean score"] for row in ranking_rows(section["contents"])] == ["0.75", "0.25"]
    assert sorted(os.listdir(work)) == ["data.json"]
