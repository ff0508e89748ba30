"""The card of a run: what it says, whatever the fits sent back."""

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

from skdistsearch.backends.metaflow import _card as card

with warnings.catch_warnings():
    # Metaflow's import warns of its own use of _yaml
    warnings.simplefilter("ignore", DeprecationWarning)
    cards = pytest.importorskip("metaflow.cards", reason="makes cards")

CARD_FILE = Path(card.__file__)
BEGUN = 1_700_000_000.0
TRACEBACK = "Traceback (most recent call last):\n  File 'x.py', line 1, in fit\nValueError: {}\n"
SUMMARY = ("min", "q1", "median", "q3", "max")


def about(n_candidates, n_splits=1, parameters=None):
    return {
        "search": "DistributedSearchCV(Pipeline)",
        "candidates": parameters or [{"C": str(number)} for number in range(n_candidates)],
        "n_splits": n_splits,
        "fits": [[c, s] for c in range(n_candidates) for s in range(n_splits)],
        "begun": BEGUN,
    }


def done(fit, scores=0.5, fit_error=None, worker="host-1", **fields):
    result = {"test_scores": scores, "fit_time": 0.5, "score_time": 0.1, "fit_error": fit_error}
    started_at = BEGUN + 1 + fit
    outcome = {"fit": fit, "status": "ok", "result": result, "raised": None, "reason": ""}
    task_pathspec = "DistributedSearch/123/fit/7"
    times = {"started_at": started_at, "finished_at": started_at + 0.9}
    return {**outcome, "task_pathspec": task_pathspec, "worker": worker, **times, **fields}


def lost(fit, reason="Out of memory.", **fields):
    return done(fit, status="lost", result=None, reason=reason, **fields)


def raised(fit, message="no"):
    error = {"types": ["builtins:ValueError"], "message": message}
    error["traceback"] = TRACEBACK.format(message)
    return done(fit, status="raised", result=None, raised=error)


def rendered(about, outcomes):
    components = [component.render() for component in card.components(about, outcomes)]
    assert "no card" not in json.dumps(components[0], allow_nan=False), components
    return components


def of_type(components, kind):
    return [component for component in components if component["type"] == kind]


def text(components):
    return [component["source"].strip() for component in of_type(components, "markdown")]


def headline(components):
    table = of_type(components, "table")[0]
    return dict(zip(table["columns"], table["data"][0], strict=True))


def ranking(components):
    table = of_type(components, "table")[1]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def chart(components, key):
    return next(
        chart["spec"]["data"]["values"]
        for chart in of_type(components, "vegaChart")
        if key in chart["spec"]["data"]["values"][0]
    )


def html(components):
    return cards.BlankCard(components=components).render(SimpleNamespace(pathspec="F/1/join/2"))


def many(n_candidates, n_splits, workers, word):
    """Outcomes of a large search, some of them bad, and every text long."""
    n_fits = n_candidates * n_splits
    for fit in range(n_fits):
        slot = {
            "worker": f"host-{fit % workers}",
            "task_pathspec": f"DistributedSearch/1/fit/{fit}",
        }
        slot["started_at"] = BEGUN + fit // workers
        slot["finished_at"] = slot["started_at"] + 0.9
        if fit % 7 == 3:
            yield lost(fit, **slot)
        elif fit % 7 == 5:
            error = TRACEBACK.format("\n".join([word * 500] * 20) + f"\n{word}{fit % 300}")
            yield done(fit, float("nan"), error, **slot)
        else:
            yield done(fit, fit / n_fits, **slot)


def test_best_candidate_is_first_and_equals_share_a_rank():
    scores = [0.1, 0.9, 0.5, 0.5, -3.0]
    rows = ranking(rendered(about(5), [done(fit, score) for fit, score in enumerate(scores)]))
    assert [row["Candidate"] for row in rows] == ["1", "2", "3", "0", "4"]
    assert [row["Rank"] for row in rows] == ["1", "2", "2", "4", "5"]
    assert [row["Mean score"] for row in rows] == ["0.9", "0.5", "0.5", "0.1", "-3"]


def test_mean_and_standard_deviation_are_those_of_scikit_learn():
    scores = [0.25, 0.5, 0.8]
    (row,) = ranking(rendered(about(1, 3), [done(fit, score) for fit, score in enumerate(scores)]))
    assert (row["Mean score"], row["Std"]) == (f"{np.mean(scores):.5g}", f"{np.std(scores):.5g}")
    assert (row["Mean fit time"], row["Scored"], row["Failed"]) == ("500 ms", "3/3", "0")


def test_nan_ranks_last_and_a_mean_of_some_splits_after_one_of_all():
    outcomes = [
        *(done(0, float("nan"), TRACEBACK), done(1, 0.9)),  # NaN
        *(done(2, 0.9), lost(3)),  # of one split only
        *(done(4, 0.1), done(5, 0.1)),
    ]
    components = rendered(about(4, 2), outcomes)  # and one that nothing is known of
    rows = ranking(components)
    assert [row["Candidate"] for row in rows] == ["2", "1", "0", "3"]
    assert [row["Mean score"] for row in rows] == ["0.1", "0.9", "nan", "nan"]
    assert [row["Scored"] for row in rows] == ["2/2", "1/2", "1/2", "0/2"]
    assert [row["Failed"] for row in rows] == ["0", "1", "1", "0"]
    assert headline(components)["Best mean score"] == "0.1"


def test_headline_counts_what_became_of_the_fits():
    outcomes = [
        *(done(0), done(1, worker="host-2", task_pathspec="DistributedSearch/123/fit/8")),
        *(done(2, float("nan"), TRACEBACK), raised(3), lost(4)),
    ]
    components = rendered(about(4, 2), outcomes)
    assert text(components)[0] == "# DistributedSearchCV(Pipeline)"
    assert headline(components) == {
        **{"Fits": "8", "Done": "2", "Failed": "2", "Lost": "1", "Missing": "3"},
        **{"Candidates": "4", "Splits": "2", "Best mean score": "0.5", "Wall time": "5.90 s"},
        **{"Tasks": "2", "Workers": "2"},
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.5, "500 ms"), (5, "5.00 s"), (42, "42.0 s"), (75, "1 min 15 s"), (7260, "2 h 1 min")],
)
def test_durations_read_well(seconds, expected):
    assert (
        headline(rendered(about(1), [done(0, finished_at=BEGUN + seconds)]))["Wall time"]
        == expected
    )


def test_first_metric_ranks_and_the_means_of_all_are_shown():
    outcomes = [done(0, {"f1": 0.2, "auc": 0.9}), done(1, {"f1": 0.3, "auc": 0.8})]
    rows = ranking(rendered(about(2), outcomes))
    assert [(row["Candidate"], row["Mean f1"], row["Mean auc"]) for row in rows] == [
        ("1", "0.3", "0.8"),
        ("0", "0.2", "0.9"),
    ]


def test_one_score_for_all_metrics_of_a_failed_fit():
    outcomes = [done(0, {"f1": 0.3, "auc": 0.8}), done(1, float("nan"), TRACEBACK)]
    row = ranking(rendered(about(2), outcomes))[1]
    assert (row["Mean f1"], row["Mean auc"]) == ("nan", "nan")


def test_texts_of_users_are_never_markdown():
    nasty = "<img src=x onerror=alert(1)> **b** | `c` [d](http://e)"
    description = about(1, 3, [{nasty: nasty}])
    description["search"] = f"Search({nasty})"
    outcomes = [done(0, {nasty: 0.5}, worker=nasty), raised(1, nasty), lost(2, nasty)]
    components = rendered(description, outcomes)
    assert ranking(components)[0]["Parameters"] == f"{nasty}={nasty}"
    assert not re.search(r"[<>`|\[*]", "".join(text(components)))


def test_long_values_are_clipped_and_stay_on_one_line():
    parameters = [{"a": "x\n" * 1000, **{f"p{number}": "y" * 60 for number in range(20)}}]
    shown = ranking(rendered(about(1, parameters=parameters), [done(0)]))[0]["Parameters"]
    assert "\n" not in shown
    assert len(shown) <= 300
    assert shown.endswith("…")


def test_table_and_box_plot_say_how_many_more_there_are():
    components = rendered(about(60), [done(fit, fit / 60) for fit in range(60)])
    assert len(ranking(components)) == 50
    assert [box["candidate"] for box in chart(components, "median")[:2]] == ["59: C=59", "58: C=58"]
    assert len(chart(components, "median")) == 30
    assert [line for line in text(components) if "not shown" in line] == [
        "10 more candidates are not shown.",
        "30 more candidates are not shown.",
    ]


@pytest.mark.parametrize("scores", [[0.3], [0.3, 0.5], [0.1, 0.9, 0.4, 0.2, 0.3]])
def test_box_is_made_of_quartiles(scores):
    outcomes = [done(fit, score) for fit, score in enumerate(scores)]
    (box,) = chart(rendered(about(1, len(scores)), outcomes), "median")
    expected = np.percentile(scores, [0, 25, 50, 75, 100])
    assert [box[name] for name in SUMMARY] == pytest.approx(list(expected))


def test_timeline_has_a_bar_for_each_fit_on_the_row_of_its_worker():
    outcomes = [done(0), done(1, float("nan"), TRACEBACK, worker="host-2"), lost(2)]
    bars = chart(rendered(about(3), outcomes), "seconds")
    assert [(bar["worker"], bar["status"], bar["started_at"], bar["fits"]) for bar in bars] == [
        ("host-1", "done", 1.0, "candidate 0, split 0"),
        ("host-2", "failed", 2.0, "candidate 1, split 0"),
        ("host-1", "lost", 3.0, "candidate 2, split 0"),
    ]
    assert {bar["seconds"] for bar in bars} == {0.9}


def test_workers_that_were_there_one_after_another_share_rows_where_they_are_many():
    outcomes = [done(fit, worker=f"host-{fit}") for fit in range(50)]
    components = rendered(about(50), outcomes)
    assert {bar["worker"] for bar in chart(components, "seconds")} == {"slot 1"}
    assert any("slot" in line for line in text(components))


def test_many_fits_are_joined_on_the_timeline_and_the_bad_stay_visible():
    outcomes = [done(fit) for fit in range(5000)]
    outcomes[2000] = lost(2000)
    bars = chart(rendered(about(5000), outcomes), "seconds")
    assert Counter(bar["status"] for bar in bars) == {"done": 2, "lost": 1}
    assert sum(int(bar["fits"].removesuffix(" fits")) for bar in bars) == 5000
    assert next(bar["seconds"] for bar in bars if bar["status"] == "lost") <= 5


def test_fits_without_times_have_no_timeline():
    components = rendered(
        about(2), [done(0, started_at=0.0, finished_at=0.0), done(1, started_at=None)]
    )
    assert "## Timeline" not in text(components)


def test_failures_are_grouped_by_the_last_line_of_the_error():
    outcomes = [
        *(done(fit, float("nan"), TRACEBACK.format("bad C")) for fit in range(12)),
        *(raised(12, "worse"), lost(13, "Out of memory.")),
    ]
    components = rendered(about(7, 2), outcomes)
    rows = of_type(components, "table")[2]["data"]
    assert [row[:4] for row in rows] == [
        ["1", "failed", "ValueError: bad C", "12"],
        ["2", "failed", "ValueError: worse", "1"],
        ["3", "lost", "Out of memory.", "1"],
    ]
    assert rows[0][4].startswith("candidate 0, split 0; candidate 0, split 1; ")
    assert rows[0][4].endswith("; and 2 more")
    code = [component["data"] for component in of_type(components, "pythonCode")]
    assert code == [TRACEBACK.format(message).strip() for message in ("bad C", "worse")]


def test_nothing_is_said_of_failures_where_there_are_none():
    assert not any("failed" in line for line in text(rendered(about(1), [done(0)])))


@pytest.mark.parametrize("n_outcomes", [0, 1])
def test_fits_without_an_outcome_are_missing(n_outcomes):
    components = rendered(about(3, 2), [done(fit) for fit in range(n_outcomes)])
    assert headline(components)["Missing"] == str(6 - n_outcomes)
    assert len(ranking(components)) == 3


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), 1e308, None, 3])
def test_card_is_json_whatever_the_scores(score):
    outcomes = [done(0, score), done(1, -1e308), done(2, 0.5, finished_at=float("inf"))]
    json.dumps(rendered(about(3), outcomes), allow_nan=False)


@pytest.mark.parametrize("workers", [4, 100, 10_000])
def test_card_of_10000_fits_is_smaller_than_2_megabytes(workers):
    word = "é"  # six bytes of JSON
    parameters = [{"p" * 30: word * 500, "q": str(number)} for number in range(2000)]
    description = about(2000, 5, parameters=parameters)
    assert len(html(rendered(description, list(many(2000, 5, workers, word))))) < 2_000_000


@pytest.mark.parametrize("outcomes", [[{"fit": 0}], [done(99)], ["what"]])
def test_what_cannot_be_shown_costs_no_run(outcomes):
    note, code = (component.render() for component in card.components(about(1), outcomes))
    assert "no card" in note["source"]
    assert "Traceback" in code["data"]


def test_nothing_heavy_is_imported_to_make_a_card():
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("card", {str(CARD_FILE)!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert "metaflow" not in sys.modules
module.components({about(1)!r}, [{done(0)!r}])
print(*sys.modules)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "metaflow" in loaded
    assert not {"sklearn", "numpy", "pandas", "matplotlib"} & set(loaded)


FLOW = f"""
import importlib.util, json
from metaflow import FlowSpec, card, current, step

class Small(FlowSpec):
    @card(type="blank")
    @step
    def start(self):
        spec = importlib.util.spec_from_file_location("card", {str(CARD_FILE)!r})
        report = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(report)
        current.card.extend(report.components(*json.loads(open("data.json").read())))
        report.arrange(self.start)
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Small()
"""
CLIENT = """
import metaflow
from metaflow.cards import get_cards
metaflow.namespace(None)
(card,) = get_cards(metaflow.Flow("Small").latest_successful_run["start"].task)
assert card.get_data() is None, "made twice"
print(card.get())
"""


@pytest.mark.slow
def test_card_of_a_real_run_is_where_metaflows_client_looks(tmp_path):
    root, work = tmp_path / "root", tmp_path / "work"
    (root / ".metaflow").mkdir(parents=True)
    work.mkdir()
    (work / "flow.py").write_text(FLOW)
    (work / "data.json").write_text(json.dumps([about(2), [done(0, 0.25), done(1, 0.75)]]))
    env = {**os.environ, "METAFLOW_USER": "someone"}
    env["METAFLOW_DATASTORE_SYSROOT_LOCAL"] = str(root)

    def run(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=work, env=env, capture_output=True, text=True, check=True
        ).stdout

    run(str(work / "flow.py"), "--quiet", "--no-pylint", "run")
    page = run("-c", CLIENT)
    (data,) = re.findall(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', page)
    (page,) = json.loads(base64.b64decode(data))["components"]
    (section,) = page["contents"]
    assert [row["Mean score"] for row in ranking(section["contents"])] == ["0.75", "0.25"]
    assert sorted(os.listdir(work)) == ["data.json", "flow.py"]
