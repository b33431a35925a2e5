"""LangChain's standard tests of a retriever, run by `test_integrations_langchain.py`.

They need plugins of pytest that the other tests do without, so they run in a process of their own.
"""

from __future__ import annotations

import json
import os
from typing import Any

from langchain_tests.integration_tests.retrievers import RetrieversIntegrationTests

from qa.integrations.langchain import QARetriever


class TestQARetriever(RetrieversIntegrationTests):
    """The questions and their corpus come from who runs this."""

    @property
    def retriever_constructor(self) -> type[QARetriever]:
        """The class."""
        return QARetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        """What it is made from."""
        given: dict[str, Any] = json.loads(os.environ["STANDARD_RETRIEVER"])
        return given

    @property
    def retriever_query_example(self) -> str:
        """A question that three passages are found for at least."""
        return "Who set foot on the Moon, and how long does it orbit the Earth?"
