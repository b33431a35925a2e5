"""A map of a corpus: what is drawn where, and that nothing in it is obeyed or fetched."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qa.assistant import Assistant
from qa.errors import IndexMissingError, MissingExtraError
from qa.mapping.drawing import svg
from qa.mapping.gather import gather
from qa.mapping.page import html
from qa.mapping.plane import on_plane, principal_axes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Run

QUESTION = "Who set foot on the Moon?"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>\x1b]8;;x\x07\u202e & ]]>"


@pytest.fixture(name="assistant")
def _assistant(corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Assistant]:
    """Give an assistant whose corpus is indexed, with a document that would like to be code."""
    (corpus / "hostile.md").write_text(f"# {HOSTILE}\n\nWhales {HOSTILE} sing.\n", "utf-8")
    with Assistant(corpus, tmp_path / "index", cache=cache) as one:
        one.refresh()
        yield one


@given(arrays(np.float32, (7, 5), elements=st.floats(-1, 1, width=16)))
def test_the_plane_is_the_same_for_the_same_vectors_and_never_moves_them_apart(
    vectors: np.ndarray[Any, np.dtype[np.float32]],
) -> None:
    placed, others = on_plane(vectors, vectors[:2], "pca")
    again, _ = on_plane(vectors.copy(), vectors[:0], "pca")
    assert np.array_equal(placed, again)
    assert np.allclose(placed[:2], others)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=-1)
    drawn = np.linalg.norm(placed[:, None] - placed[None], axis=-1)
    assert (drawn <= apart + 1e-4).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_vectors_have_a_plane_too(count: int) -> None:
    vectors = np.eye(4, dtype=np.float32)[:count]
    _, axes = principal_axes(vectors)
    assert axes.shape == (2, 4)
    assert np.isfinite(on_plane(vectors, vectors, "auto")[0]).all()


def test_umap_is_said_to_be_missing_where_it_is() -> None:
    try:
        import umap  # noqa: F401 - whether it is there
    except ImportError:
        with pytest.raises(MissingExtraError, match="umap"):
            on_plane(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), "umap")


def test_every_passage_is_drawn_and_what_answers_has_its_rank(assistant: Assistant) -> None:
    found = gather(assistant, QUESTION)
    answer = assistant.ask(QUESTION)
    assert len(found.points) == found.total == assistant.status().passages
    ranked = {one.rank: one for one in found.points if one.rank is not None}
    assert sorted(ranked) == list(range(1, len(answer.shown) + 1))
    assert ranked[1].label.startswith("moon.md › The Moon")
    assert "Armstrong" in ranked[1].text
    assert found.verdict == "answered"
    assert found.question is not None
    assert {one["document"] for one in assistant.rows()} == set(found.groups)


def test_of_many_passages_some_are_drawn_and_what_answers_always_is(assistant: Assistant) -> None:
    found = gather(assistant, QUESTION, limit=2, k=2)
    assert 2 <= len(found.points) <= 4
    assert {one.rank for one in found.points} >= {1}
    assert f"{len(found.points)} of {found.total} passages" in svg(found)


def test_colours_are_of_documents_folders_or_headings(assistant: Assistant) -> None:
    assert "." in gather(assistant, grouping="folder").groups
    assert "The Moon" in gather(assistant, grouping="heading").groups


def test_a_picture_is_well_formed_whatever_documents_say(assistant: Assistant) -> None:
    found = gather(assistant, f"Do whales {HOSTILE} sing?")
    tree = ET.fromstring(svg(found))  # noqa: S314 - our own
    points = [one for one in tree.iter(f"{SVG}circle") if one.get("data-group")]
    assert len(points) == len(found.points)
    assert {one.tag.removeprefix(SVG) for one in tree.iter()} == {
        *("svg", "style", "circle", "title", "path", "text"),
    }
    for one in points:
        assert 0 <= float(one.get("cx", "-1")) <= 960
        assert 0 <= float(one.get("cy", "-1")) <= 640


def test_the_command_writes_what_its_file_is_called(run: Run, corpus: Path, tmp_path: Path) -> None:
    status, out, _ = run("map", QUESTION, "--output", "moon.svg", "-q")
    assert (status, out.split(":")[0]) == (0, "moon.svg")
    assert (tmp_path / "moon.svg").read_text("utf-8").startswith("<svg ")
    assert run("map", "-q")[0] == 0
    assert (tmp_path / "map.html").read_text("utf-8").startswith("<!doctype html>")
    status, _, err = run("map", "--output", "map.png")
    assert status == 2
    assert "neither .html nor .svg" in " ".join(err.split())


def test_where_nothing_has_a_vector_that_is_said(tmp_path: Path, cache: Path) -> None:
    with (
        Assistant(documents={"a": ""}, index=tmp_path / "index", cache=cache) as assistant,
        pytest.raises(IndexMissingError),
    ):
        gather(assistant)


def test_in_a_browser_the_page_is_inert_and_fetches_nothing(
    assistant: Assistant, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    page_file = tmp_path / "map.html"
    page_file.write_text(html(gather(assistant, QUESTION)), "utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        fetched: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: fetched.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_file.as_uri())
        points = page.locator("circle[data-group]")
        assert points.count() == len(gather(assistant).points)
        assert "Armstrong" in page.locator("li").first.inner_text()
        page.locator("circle.ranked").last.focus()
        assert page.locator("#read").inner_text().startswith("moon.md")
        for number in range(points.count()):
            points.nth(number).focus()
        assert page.evaluate("window.hit") is None
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.close()
    assert fetched == [page_file.as_uri()]
    assert said == []
