"""The report in one HTML file."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.pictures import make_search
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdistsearch import DistributedSearchCV, EarlyStopping
from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from matplotlib.figure import Figure
from matplotlib.image import imread
from pandas import DataFrame

from skdistsearch.report import CVScoresDisplay, html_report, leaderboard

DATA = load_diabetes(return_X_y=True)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Parser that collects elements in order, with their text, and tables as rows of cells."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.tables, self.texts = [], [], [], {}
        self.declared = ""
        self.feed(text)
        self.close()

    def handle_decl(self, decl):
        self.declared = decl

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        else:
            self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "table" in self.open:
            if {"td", "th"} & set(self.open):
                self.tables[-1][-1][-1] += data
        elif self.open:
            self.texts[self.open[-1]][-1] += data

    def attributes_of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]

    def images(self):
        sources = [image["src"] for image in self.attributes_of("img")]
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        parts = [base64.b64decode(source.partition(",")[2], validate=True) for source in sources]
        return [imread(io.BytesIO(part), format="png") for part in parts]


def fit_with_times(n_alphas):
    trees = EarlyStopping(HistGradientBoostingRegressor(max_iter=50), random_state=0)
    grid = [
        {"model": [Ridge(), Lasso()], "model__alpha": np.geomspace(1e-3, 10, n_alphas).tolist()},
        {"model": [trees], "model__patience": [3]},
    ]
    search = DistributedSearchCV(Pipeline([("model", Ridge())]), grid, cv=3).fit(*DATA)
    search._fit_times = [
        (candidate, split, 1e9 + 3 * candidate + split, 1e9 + 3 * candidate + split + 1, "a host")
        for candidate in range(2 * n_alphas + 1)
        for split in range(3)
    ]
    return search


@pytest.fixture(scope="module")
def small():
    return fit_with_times(2)


@pytest.fixture(scope="module")
def large():
    return fit_with_times(250)


@pytest.fixture
def report(tmp_path):
    def report(search, **kwargs):
        return Page(html_report(search, tmp_path / "report.html", **kwargs).read_text("utf-8"))

    return report


def test_page_is_self_contained(small, report):
    page = report(small)
    assert page.declared == "DOCTYPE html"
    assert not page.open
    assert not page.attributes_of("script")
    addresses = [
        value
        for _, attributes in page.attributes
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "background", "style")
    ]
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    (style,) = page.texts["style"]
    assert not re.search(r"url\(|@import|https?:", style)
    (policy,) = [each["content"] for each in page.attributes_of("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'")


def test_leaderboard_has_all_candidates(large, report):
    contenders, first, rest, *_ = report(large, top=20).tables
    table = leaderboard(large)
    assert [row[1] for row in contenders[1:]] == list(
        leaderboard(large, by="contender")["contender"]
    )
    assert (len(first), len(rest)) == (21, 482)
    assert [row[2] for row in [*first[1:], *rest[1:]]] == list(table["parameters"])
    digits = len(first[1][3].partition(" ")[0].partition(".")[2])
    assert first[1][3] == f"{table['mean_score'].iloc[0]:.{digits}f} ± " + (
        f"{table['std_error'].iloc[0]:.{digits}f}"
    )
    assert first[0][:4] == ["rank", "contender", "parameters", "mean R²"]


def test_candidates_beyond_top_are_collapsed(large, small, report):
    assert report(large).texts["summary"][0] == "The other 471 of 501 candidates"
    assert report(small).texts["summary"][0] == "Settings of the search"


def test_summary_names_the_best_and_the_next_contender(small, report):
    page, table = report(small), leaderboard(small)
    text = page.texts["p"][0]
    assert text.startswith("The best of 5 candidates of 3 contenders is ")
    assert f"is {table['contender'].iloc[0]} with {table['parameters'].iloc[0]}: mean R² " in text
    assert "The next best contender, " in text


def test_pictures_are_images_that_are_not_empty(small, report):
    page = report(small)
    assert [image["alt"] for image in page.attributes_of("img")] == [
        "box plots",
        "mean scores against mean fit times",
        "scores against alpha",
        "fits over time",
    ]
    for image in page.images():
        assert min(image.shape[:2]) > 200
        assert len(np.unique(image.reshape(-1, 4), axis=0)) > 20


def test_dropped_candidates_of_a_race_are_drawn(report):
    search = make_search([{"alpha": 1}, {"alpha": 2}], [[2, 1], [1, np.nan]], n_splits_done=[2, 1])
    assert "Dropped candidates" not in report(search).texts["h2"]
    search.race = True
    assert "Dropped candidates" in report(search).texts["h2"]


def test_training_history_of_the_best_model_is_drawn(report):
    trees = EarlyStopping(HistGradientBoostingRegressor(max_iter=20), random_state=0)
    page = report(GridSearchCV(trees, {"patience": [2, 3]}, cv=2).fit(*DATA))
    assert "Training history of the best model, refitted" in page.texts["h2"]
    assert "Contenders" not in page.texts["h2"]  # there is only one
    assert len(page.images()) == 4


def test_parameters_are_drawn_together_if_several_vary(report):
    params = [{"alpha": alpha, "tol": tol} for alpha in (1, 2) for tol in (3, 4)]
    page = report(make_search(params, [4, 3, 2, 1]))
    assert "parallel coordinates" in [image["alt"] for image in page.attributes_of("img")]


def test_errors_are_positive(report):
    scoring = "neg_mean_absolute_error"
    page = report(make_search([{"alpha": 1}, {"alpha": 2}], [-2, -3], scoring=scoring))
    assert ": mean absolute error 2" in page.texts["p"][0]
    assert page.texts["p"][1].startswith("For mean absolute error, lower is better.")
    assert page.tables[0][0][3] == "mean absolute error"
    assert [row[3].partition(" ")[0] for row in page.tables[0][1:]] == ["2.0000", "3.0000"]
    assert page.tables[0][2][4].startswith("1.0000")


def test_rounds_of_a_halving_search_are_listed(report):
    rounds = {"iter": [0, 1], "n_resources": [10, 20]}
    page = report(make_search([{"alpha": 1}, {"alpha": 2}], [2, 1], **rounds))
    assert [row[3] for row in page.tables[0]] == ["round", "2", "1"]
    assert "Dropped candidates" in page.texts["h2"]


def test_texts_of_users_are_escaped(small, report):
    nasty = "<script>alert('&')</script><img src=http://a.b/c>"
    frame = DataFrame({nasty: [nasty, "x"], "score": [0.123456789, np.nan]})
    page = report(small, title=nasty, sections=[(nasty, nasty), ("table", frame)])
    assert not page.attributes_of("script")
    assert page.texts["title"] == page.texts["h1"] == [nasty]
    assert nasty in page.texts["h2"]
    assert nasty in page.texts["p"]
    assert page.tables[0] == [[nasty, "score"], [nasty, "0.12346"], ["x", "-"]]
    assert len(page.images()) == 4


def test_sections_can_be_pictures(small, report):
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([1, 2])
    display = CVScoresDisplay.from_search(small, ax=Figure().subplots())
    page = report(small, sections=[("mine", figure), ("theirs", display)])
    assert len(page.images()) == 6
    assert page.texts["h2"][:2] == ["mine", "theirs"]


def test_settings_and_versions_are_listed(small, report):
    settings, versions = map(dict, report(small).tables[-2:])
    assert settings["class"] == "DistributedSearchCV"
    assert settings["cv"] == "3"
    assert settings["backend"] == "local"
    assert {"Python", "scikit-learn", "numpy", "skdistsearch"} <= set(versions)


def test_search_with_failed_fits_has_a_report(report):
    grid = {"alpha": [1.0, "no number"]}
    with pytest.warns(Warning, match="failed|non-finite"):
        search = DistributedSearchCV(Ridge(), grid, cv=2).fit(*DATA)
    page = report(search)
    assert page.texts["p"][0].endswith("Without a score: 1 candidate.")
    assert page.tables[0][2][3] == "-"


def test_mistakes_raise_before_the_file_is_written(small, tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(NotFittedError):
        html_report(GridSearchCV(Ridge(), {}), path)
    with pytest.raises(ReportError, match="top=0 must be at least 1"):
        html_report(small, path, top=0)
    with pytest.raises(ReportError, match="metric='x' is not a metric of this search"):
        html_report(small, path, metric="x")
    with pytest.raises(TypeError, match=r"sections\[1\] must be \(title, content\)\. Got 'ab'"):
        html_report(small, path, sections=[("a", "b"), "ab"])
    with pytest.raises(TypeError, match=r"sections\[0\]: .* Got 'a' and 3\."):
        html_report(small, path, sections=[("a", 3)])
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_chromium_reports_no_errors_and_makes_no_requests(large, tmp_path):
    path = html_report(large, tmp_path / "report.html")
    browser = subprocess.run(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={tmp_path / 'net.json'}"),
            *("--disable-background-networking", "--enable-logging=stderr", "--dump-dom"),
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "The other 471 of 501 candidates" in browser.stdout
    assert "CONSOLE" not in browser.stderr
    log = json.loads((tmp_path / "net.json").read_text())
    # Requests of the browser itself, such as those for updates, have no origin
    requests = [
        event["params"] for event in log["events"] if "initiator" in event.get("params", {})
    ]
    pages = [request["url"] for request in requests if request["initiator"] != "not an origin"]
    assert not [url for url in pages if not url.startswith(("file:", "data:"))]
