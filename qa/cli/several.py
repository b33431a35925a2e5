"""Several corpora asked as one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qa.errors import FilterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self, Unpack

    from qa.answering.request import AskArguments
    from qa.assistant import Assistant
    from qa.settings import Settings
    from qa.types import Answer

__all__ = ["Several"]


class Several:
    """Assistants of several corpora, by name; asks each and makes one answer of theirs."""

    def __init__(self, assistants: Mapping[str, Assistant]) -> None:
        self._assistants = assistants
        self._held = ExitStack()

    def __enter__(self) -> Self:
        for one in self._assistants.values():
            self._held.enter_context(one)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def settings(self) -> Settings:
        """Those of the first; they differ in corpus and index alone."""
        return next(iter(self._assistants.values())).settings

    @property
    def root(self) -> Path:
        """The folder that all corpora lie below: documents are named from there."""
        from qa.answering.fusing import common_folder

        return common_folder([_root(one) for one in self._assistants.values()])

    def ask(self, question: str, k: int | None = None, **options: Unpack[AskArguments]) -> Answer:
        """Do what `Assistant.ask` does; a filter need let a document pass in one corpus only."""
        from qa.answering.fusing import Asked, fuse

        asked: list[Asked] = []
        refused: dict[str, FilterError] = {}
        for name, one in self._assistants.items():
            try:
                asked.append(Asked(name, _root(one), one.ask(question, k, **options)))
            except FilterError as error:
                refused[name] = error
        if not asked:
            raise next(iter(refused.values()))
        answer = fuse(asked, above=self.root, k=k or self.settings.k)
        left_out = (f"{name} was left out: {error}." for name, error in refused.items())
        return replace(answer, notes=(*answer.notes, *left_out))


def _root(one: Any) -> Path:  # noqa: ANN401 - an Assistant of files, which has a root
    root: Path = one.root
    return root
