"""A short run of what `long_run.py` does for long, and the same targets under hypothesis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategies import TEXTS
from targets import TARGETS, seeds

SECONDS = 5

_BYTES = st.one_of(st.binary(max_size=300), TEXTS.map(str.encode))


@st.composite
def _near(draw: st.DrawFn, name: str) -> bytes:
    """Give a seed with a piece cut out and something put in its place."""
    seed = draw(st.sampled_from(seeds(name)))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, len(seed)))
    return seed[:start] + draw(st.one_of(st.just(b""), _BYTES)) + seed[end:]


@pytest.mark.parametrize("name", TARGETS)
def test_what_strangers_write_breaks_no_promise(name: str, encoder: object) -> None:
    @settings(max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.one_of(_BYTES, _near(name)))
    def holds(raw: bytes) -> None:
        TARGETS[name](raw)

    holds()


def test_a_fuzzer_guided_by_coverage_finds_nothing_in_a_few_seconds(
    tmp_path: Path, encoder: object
) -> None:
    pytest.importorskip("atheris", reason="the fuzzer: pip install atheris (Linux)")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("fuzz.py"), "any",
         f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr


def test_the_fuzzer_sees_a_broken_promise(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="the fuzzer: pip install atheris (Linux)")
    broken = (
        "import targets, runpy, sys\n"
        "def broken(raw): targets.require(b'#' not in raw, 'no such character')\n"
        "targets.TARGETS = {'broken': broken}\n"
        f"runpy.run_path({str(Path(__file__).with_name('fuzz.py'))!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken, "broken", "-runs=100000", f"-artifact_prefix={tmp_path}/"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "no such character" in done.stdout + done.stderr
    assert list(tmp_path.glob("crash-*"))
