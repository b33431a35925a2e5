"""What is said of a model that can't be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qa.encoding.loader import load_encoder, load_reranker
from qa.encoding.model import locate
from qa.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("name", ["no-such/model", "/no/such/folder", "x" * 300, "."])
@pytest.mark.parametrize(("setting", "other"), [("model", "rerank"), ("rerank", "model")])
def test_a_model_that_is_not_there_is_told_with_the_option_that_names_it(
    tmp_path: Path, setting: str, other: str, name: str
) -> None:
    with pytest.raises(ModelError) as caught:
        locate(name, cache=tmp_path, setting=setting)
    assert f"`{setting}` (--{setting})" in caught.value.hint
    assert f"--{other}" not in caught.value.hint
    assert "Error" not in str(caught.value)


@pytest.mark.parametrize("load", [load_encoder, load_reranker])
def test_a_model_that_can_t_be_loaded_is_told_in_one_line(
    cache: Path, tmp_path: Path, load: Callable[..., object]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(ModelError, match="can't be loaded") as caught:
        load(locate(str(tmp_path), cache=cache), cache=cache)
    assert "\n" not in str(caught.value)
    assert caught.value.hint.startswith("Set `")


def test_a_model_that_an_index_names_is_not_fetched_but_told_how_to(cache: Path) -> None:
    with pytest.raises(ModelError, match="never fetched") as caught:
        locate("some/model", cache=cache, trusted=False)
    assert "--model some/model" in caught.value.hint


def test_a_folder_that_was_named_but_is_no_model_has_not_served_as_one(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="safetensors"):
        locate(str(tmp_path / "notes"), cache=tmp_path / "cache")
    with pytest.raises(ModelError, match="not used here before"):
        locate(str(tmp_path / "notes"), cache=tmp_path / "cache", trusted=False)
