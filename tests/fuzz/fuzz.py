"""Fuzz one target, guided by coverage: `python fuzz.py TARGET [libFuzzer options]` (atheris).

TARGET `any` stands for all of them. Options are such as `-runs=100000` or `-max_total_time=60`.
A finding ends it with a traceback, an exit status that isn't 0, and the input in a file `crash-…`
where `-artifact_prefix` says; naming that file as well runs it again.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qa", "markdown_it", "yaml", "tomllib"]):
    import qa.reading
    import requesting
    import targets

    for one in pkgutil.walk_packages(qa.reading.__path__, "qa.reading."):
        with suppress(ImportError):  # a reader whose extra is not installed
            importlib.import_module(one.name)
    importlib.import_module("qa.serving.api")

_LONGEST = 4096  # bytes of an input
_SLOW = 20  # seconds for one input that count as a hang


def main() -> None:
    """Fuzz the target named by the first argument."""
    name, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="qa-seeds-") as folder:
        for number, seed in enumerate(targets.seeds(name)):
            (Path(folder) / str(number)).write_bytes(seed)
        words = Path(folder).with_suffix(".dict")
        quoted = (one.replace("\\", "\\\\").replace('"', '\\"') for one in targets.WORDS)
        words.write_text("".join(f'"{one}"\n' for one in quoted), "utf-8")
        if name not in targets.TARGETS or name == targets.http_requests.__name__:
            requesting.start()  # else the first input counts as a hang
        defaults = [f"-max_len={_LONGEST}", f"-timeout={_SLOW}", "-rss_limit_mb=2048"]
        single = [one for one in options if not one.startswith("-")]
        arguments = [*defaults, f"-dict={words}", *options, *([] if single else [folder])]
        atheris.Setup([sys.argv[0], *arguments], targets.TARGETS.get(name, targets.any_target))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
