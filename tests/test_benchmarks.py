"""The benchmarks: they can be run, and the tables of the docs are what they found."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import ARTICLE, REPOSITORY
from qa.assistant import Assistant

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))


def test_the_tables_in_the_documentation_are_those_that_were_measured() -> None:
    import tables

    for page, text in tables.pages().items():
        assert page.read_text("utf-8") == text, page


@pytest.mark.skipif(sys.platform == "win32", reason="waits as POSIX does")
def test_the_account_of_a_cold_question_takes_every_step(tmp_path: Path, cache: Path) -> None:
    import cold_account

    with Assistant(ARTICLE.parent, tmp_path / "index", cache=str(cache)) as one:
        one.refresh()
    paths = [str(ARTICLE.parent), str(tmp_path / "index"), str(cache)]
    told = cold_account.steps([*paths, cold_account.QUESTION], tmp_path)
    assert {"start Python", "import FAISS", cold_account.SECOND} <= set(told)
    assert all(seconds >= 0 for seconds in told.values())


def test_documents_of_recombined_sentences_are_the_same_in_a_corpus_of_any_size() -> None:
    import recombined

    source = recombined.sources(None)
    few = list(recombined.of_passages(source, 100))
    many = list(recombined.of_passages(source, 2000))
    assert many[: len(few)] == few
    assert len({one.path for one in many}) == len(many)
    assert 7 < 2000 / len(many) < 11


@pytest.mark.skipif(sys.platform == "win32", reason="waits as POSIX does")
def test_every_figure_of_cost_against_size_is_measured_and_shown(
    tmp_path: Path, cache: Path
) -> None:
    import recombined
    import scale
    import scale_figures

    source = recombined.sources(None)
    table = tmp_path / "table.npy"
    np.save(table, np.random.default_rng(0).standard_normal((30522, 384), np.float32))
    found: dict[str, Any] = {"machine": {}, "stand-in": {"cosine": 1.0, "nearest_10": 1.0}}
    for kind, steps in (("sizes", scale.STEPS), ("files", scale.OF_FILES)):
        place = scale.Place(tmp_path / kind, cache, source.questions[:3], table)
        scale.make_corpus(place.corpus, source, kind, 60)
        measured = place.measure(steps, is_real=kind == "sizes", runs=1)
        found[kind] = {"60": {"vectors": "real", "commit": "", "date": "", **measured}}
    for figure in scale_figures.OF_SIZES:
        assert f"| {figure.name}, {figure.unit} | " in scale_figures.scale(found)
    for figure in scale_figures.CHECK:
        assert f"| {figure.name}, {figure.unit} | " in scale_figures.files(found)
    assert (
        found["sizes"]["60"]["build"]["documents"]
        == found["sizes"]["60"]["build, model"]["documents"]
    )
    assert found["files"]["60"]["build"]["documents"] == 60
    drawn = scale_figures.charts(found)
    assert drawn.keys() == scale_figures.PLOTS.keys()


@example([(1.0, 1.0, 1.0)] * 7)
@given(st.lists(st.tuples(*[st.floats(1e-3, 1e7)] * 3), min_size=1, max_size=7))
def test_a_plot_marks_every_point_and_keeps_within_its_edges(
    lines: list[tuple[float, float, float]],
) -> None:
    import plots

    drawn = plots.chart(
        "Cost & size",
        "passages",
        [
            plots.Line(f"<{n}>", [(10.0**x, y, x < 5) for x, y in enumerate(line, 4)])
            for n, line in enumerate(lines)
        ],
    )
    svg = ET.fromstring(drawn)  # noqa: S314 - our own
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    marks = [one for one in svg if one.tag.endswith("circle")]
    assert len(marks) == 3 * len(lines)
    assert sum(one.attrib["class"].startswith("full") for one in marks) == len(lines)
    texts = [one for one in svg if one.tag.endswith("text")]
    for one, x, y in [(m, "cx", "cy") for m in marks] + [(t, "x", "y") for t in texts]:
        assert 0 <= float(one.attrib[x]) <= width
        assert 0 <= float(one.attrib[y]) <= height
    assert "prefers-color-scheme:dark" in drawn


@given(st.floats(0, 1e3), st.floats(1e-4, 1e-1))
def test_what_grows_in_a_straight_line_is_calculated_on_it(start: float, slope: float) -> None:
    import scale_figures

    def one(passages: int) -> dict[str, Any]:
        return {
            "build": {"passages": passages, "documents": passages // 10},
            "merge": {"cpu_s": start + slope * passages},
        }

    sizes = {str(size): one(size) for size in (100_000, 1_000_000, 10_000)}
    [row] = [
        line
        for line in scale_figures.ten_million({"sizes": sizes}).splitlines()
        if line.startswith("| merge all vectors")
    ]
    cells = [float(cell.replace(",", "")) for cell in row.split("|")[2:5]]
    expected = [start + slope * 1e6, slope * 1e6, start + slope * 1e7]
    assert cells == pytest.approx(expected, rel=0.01)


def test_a_load_counts_every_request_by_what_became_of_it() -> None:
    import constant_rate

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bodies = [200, 503, 200, 0, 200, 422]
        load = constant_rate.send(server.server_address[1], bodies, rate=1000)
        ended = constant_rate.send(server.server_address[1], bodies, 1000, lambda: False)
        server.shutdown()
    assert load.sent == 6
    assert load.statuses == {200: 3, 503: 1, 0: 1, 422: 1}
    assert len(load.latencies) == 3
    assert ended.sent == 0


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_least_value_that_a_share_does_not_exceed(
    values: list[float], share: float
) -> None:
    import constant_rate

    found = constant_rate.percentile(values, share)
    assert sum(one <= found for one in values) >= share * len(values)
    assert sum(one < found for one in values) < max(share * len(values), 1)


def test_no_two_questions_of_a_load_are_the_same() -> None:
    import serving

    asked = [one["question"] for one in islice(serving.questions(ARTICLE.parent), 20_000)]
    assert len(set(asked)) == len(asked)
