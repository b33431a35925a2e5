"""The documentation as a site: whole, and nothing of it from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from conftest import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = REPOSITORY / "mkdocs.yml"
pytestmark = pytest.mark.skipif(not CONFIG.is_file(), reason="an sdist holds no site")
# What a browser fetches by itself, and the attribute that says from where.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Loading(HTMLParser):
    """Collects what a page would have a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a tag."""
        self.found += [value or "" for name, value in attrs if name == FETCHED.get(tag)]


def pages(nav: object) -> Iterator[str]:
    """Give the files that the navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for one in nav.values():
            yield from pages(one)
    elif isinstance(nav, list):
        for one in nav:
            yield from pages(one)


def test_every_page_of_the_documentation_is_in_the_navigation() -> None:
    text = re.sub(r"!!python\S+", "", CONFIG.read_text("utf-8"))
    named = list(pages(yaml.safe_load(text)["nav"]))
    assert len(named) == len(set(named))
    assert set(named) == {path.name for path in (REPOSITORY / "docs").glob("*.md")}


def test_the_site_is_built_without_a_warning_and_fetches_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    builder = shutil.which("zensical", path=str(Path(sys.executable).parent))
    if builder is None:
        pytest.skip("zensical is not installed")
    shutil.copytree(REPOSITORY / "docs", tmp_path / "docs")
    shutil.copy(CONFIG, tmp_path)
    done = subprocess.run(
        [builder, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = sorted((tmp_path / "site").glob("*.html"))
    assert len(built) > len(list((REPOSITORY / "docs").glob("*.md")))
    for page in built:
        loading = Loading()
        loading.feed(page.read_text("utf-8"))
        assert loading.found
        assert [one for one in loading.found if re.match(r"(?i)(?:[a-z]+:)?//", one)] == [], page
    for style in (tmp_path / "site").rglob("*.css"):
        text = style.read_text("utf-8")
        assert not re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", text), style
