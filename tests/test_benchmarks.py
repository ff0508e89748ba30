"""The machinery of the benchmarks: run, judge, write, read back, and make tables. Not timed."""

import ast
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # the benchmarks are not installed

import benchmarks.__main__ as command_line  # noqa: E402
from benchmarks import results, tables  # noqa: E402
from benchmarks.competitors import BASE, BY_HAND, OURS, compare, compare_cases  # noqa: E402
from benchmarks.results import Options  # noqa: E402

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="benchmarks read /proc")

MACHINE = {"cores": 2, "memory_gb": 8.0, "versions": {"Python": "3.11"}}


@pytest.fixture
def tiny(monkeypatch):
    """A benchmark with two competitors that count their calls."""
    module = ModuleType("tiny", "Cost of doing nothing.\n\nMore about it.")
    module.calls = []
    competitors = {name: lambda name=name: module.calls.append(name) for name in (BASE, OURS)}
    module.TARGETS = {f"wall / {BASE}": 1e9, f"wall / {BY_HAND}": 1.0}
    module.measure = lambda options: compare(competitors, options)
    monkeypatch.setattr(command_line, "load_benchmark", lambda name: module)
    monkeypatch.setattr(command_line, "benchmark_names", lambda: ["tiny"])
    return module


def make_result(name="tiny", wall_s=1.5, **more):
    return {
        "name": name,
        "question": "Cost of doing nothing.",
        "n_runs": 3,
        "rows": [
            {"competitor": OURS, "wall s": wall_s, f"wall / {BASE}": 0.5},
            {"competitor": BASE, "wall s": 1234.5},
        ],
        "ratios": {f"wall / {BASE}": 0.5},
        "targets": {f"wall / {BASE}": {"limit": 0.65, "met": True}},
        **more,
    }


def write_file(path, date, *entries):
    content = {"format": 1, "date": date, "commit": "abc1234", "machine": MACHINE}
    path.write_text(json.dumps({**content, "benchmarks": entries}))
    return path


def test_list_names_each_benchmark_with_its_question(capsys):
    command_line.main(["--list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == results.benchmark_names()
    assert "trivial" in results.benchmark_names()
    assert any("Overhead of trivial fits, compared with GridSearchCV." in line for line in lines)


SOURCES = sorted(
    path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py")
)


# Selects by the same predictions with each method: `Ensemble` would fit all candidates each time
IMPORT_PRIVATE_MODULES = {"bench_ensemble_bias.py"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imported_names_of_the_package_exist(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    for node in imports:
        if node.module and node.module.partition(".")[0] == "skdistsearch":
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
            is_private = any(part.startswith("_") for part in node.module.split("."))
            assert not is_private or path.name in IMPORT_PRIVATE_MODULES


def test_unknown_benchmark_is_an_error_that_lists_the_known(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["trivail"])
    assert "no such benchmark: trivail. Known: adaptive, chunks," in capsys.readouterr().err


def test_benchmark_runs_from_the_command_line_to_a_table(tiny, tmp_path, capsys):
    command_line.main(["tiny", "--runs", "2", "--out", str(tmp_path)])
    output = capsys.readouterr().out
    assert f"| {OURS} | 0.0 |" in output
    assert "| tiny | wall / by hand |  | 1.0 | not measured |" in output
    assert output.count("| met |") == 1
    (path,) = tmp_path.glob("*.json")
    assert path.name == f"{results.read_results(path)['date']}-{results.current_commit()}.json"
    (result,) = tables.newest_results([path]).values()
    assert result["question"] == "Cost of doing nothing."
    assert result["n_runs"] == 2
    assert result["machine"]["cores"] >= 1
    assert "scikit-learn" in result["machine"]["versions"]
    assert {row["competitor"] for row in result["rows"]} == {BASE, OURS}
    assert f"| {BASE} | 0.0 |" in tables.make_blocks({"tiny": result})["tiny"]


def test_competitors_alternate_after_a_run_that_warms_up(tiny):
    tiny.measure(Options(n_runs=3))
    warm_up, first, second, third = (tiny.calls[at : at + 2] for at in range(0, 8, 2))
    assert warm_up == first == third == [BASE, OURS]
    assert second == [OURS, BASE]


def test_chosen_competitors_run_alone(tiny):
    measured = tiny.measure(Options(n_runs=1, warm_up=False, competitors=(BASE,)))
    assert tiny.calls == [BASE]
    assert measured.ratios == {}


def test_cases_are_named_in_rows_and_ratios(tiny):
    nothing = {BASE: lambda: None, OURS: lambda: None}
    measured = compare_cases({"small": nothing, "large": nothing}, Options(quick=True))
    assert [row["case"] for row in measured.rows] == ["small", "small", "large", "large"]
    assert list(measured.ratios) == [f"small: wall / {BASE}", f"large: wall / {BASE}"]


def test_quick_results_are_written_only_with_out(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "RESULTS", tmp_path / "results")
    command_line.main(["tiny", "--quick"])
    assert not list(tmp_path.rglob("*.json"))
    command_line.main(["tiny", "--quick", "--out", str(tmp_path / "out")])
    (path,) = tmp_path.rglob("*.json")
    assert path.name.endswith("-quick.json")
    assert results.read_results(path)["quick"] is True


def test_targets_are_upper_limits():
    targets = {"below": 0.5, "equal": 0.5, "above": 0.5, "missing": 0.5}
    judged = results.judge({"below": 0.4, "equal": 0.5, "above": 0.6}, targets)
    assert {name: target["met"] for name, target in judged.items()} == {
        "below": True,
        "equal": True,
        "above": False,
        "missing": None,
    }


def test_results_of_other_benchmarks_stay_in_the_file(tmp_path):
    results.write_results([make_result("first"), make_result("second")], tmp_path)
    path = results.write_results([make_result("second", wall_s=2.0)], tmp_path)
    entries = results.read_results(path)["benchmarks"]
    assert [(entry["name"], entry["rows"][0]["wall s"]) for entry in entries] == [
        ("first", 1.5),
        ("second", 2.0),
    ]


def test_unknown_format_is_an_error(tmp_path):
    path = tmp_path / "new.json"
    path.write_text('{"format": 99}')
    with pytest.raises(ValueError, match=r"new\.json has format 99\. Known: 1\."):
        results.read_results(path)


def test_newest_result_of_each_benchmark_counts(tmp_path):
    new = write_file(tmp_path / "a.json", "2026-02-01", make_result(wall_s=2.0))
    old = write_file(
        tmp_path / "b.json",
        "2026-01-01",
        make_result(),
        make_result("other"),
        make_result("redated", date="2026-03-01"),
    )
    newest = tables.newest_results([new, old])
    assert {name: result["date"] for name, result in newest.items()} == {
        "other": "2026-01-01",
        "redated": "2026-03-01",
        "tiny": "2026-02-01",
    }


def test_table_has_a_column_for_each_key_and_aligns_numbers():
    table = tables.markdown_table([{"name": "a", "n": 1234}, {"name": "b", "x": 0.5}])
    assert table.splitlines() == [
        "| name | n | x |",
        "| --- | ---: | ---: |",
        "| a | 1,234 |  |",
        "| b |  | 0.5 |",
    ]


def test_summary_has_the_wall_times_relative_to_grid_search():
    halving = make_result("halving")
    lightgbm = {"ratios": {"one thread: wall / GridSearchCV": 0.7, "wall / by hand": 1.0}}
    assert tables.summary_table({"halving": halving, "lightgbm": lightgbm}).splitlines()[2:] == [
        "| successive halving over a pipeline | 0.5 |",
        "| LightGBM behind shared preprocessing | 0.7 |",
    ]


@pytest.fixture
def document(tmp_path):
    """A document with an empty table, and the file that it is made from."""
    path = tmp_path / "page.md"
    path.write_text("# Title\n\n<!-- results:tiny -->\n<!-- /results -->\n\nThe end.\n")
    return path, write_file(tmp_path / "results.json", "2026-01-01", make_result())


def test_check_notices_a_changed_table(document, capsys):
    page, source = map(str, document)
    assert tables.main([source, "--check", page]) == 1
    assert "+| GridSearchCV | 1,234.5 |  |" in capsys.readouterr().out
    assert tables.main([source, "--update", page]) == 0
    assert tables.main([source, "--check", page]) == 0
    text = document[0].read_text()
    assert text.startswith("# Title\n\n<!-- results:tiny -->\nCost of doing nothing.\n")
    assert text.endswith("<!-- /results -->\n\nThe end.\n")
    document[0].write_text(text.replace("1,234.5", "1,234.6"))
    assert tables.main([source, "--check", page]) == 1
    assert f"python -m benchmarks.tables --update {page}" in capsys.readouterr().out


def test_marker_of_unknown_benchmark_is_an_error(document):
    page, source = document
    page.write_text("<!-- results:other -->\n<!-- /results -->\n")
    with pytest.raises(
        SystemExit, match=r"No results for 'other'\. Known: ratios, summary, tiny\."
    ):
        tables.main([str(source), "--check", str(page)])


def test_marker_without_end_is_an_error(document):
    page, source = document
    page.write_text("<!-- results:tiny -->\n")
    with pytest.raises(SystemExit, match="has no"):
        tables.main([str(source), "--check", str(page)])


@pytest.mark.parametrize("page", ["README.md", "docs/performance.md"])
def test_tables_of_the_documentation_are_those_of_the_results(page, capsys):
    assert tables.main(["--check", str(ROOT / page)]) == 0, capsys.readouterr().out
