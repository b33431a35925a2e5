"""What `qa serve` says of itself in /openapi.json is so: schemathesis asks it all it can think of.

For longer, by hand, against a server of your own (20 minutes for 1,000 examples a route):
`schemathesis --config-file tests/openapi.toml run http://127.0.0.1:8642/openapi.json -n 1000`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("fastapi")


from test_pages import pdf_of

from conftest import REPOSITORY
from qa.serving import described
from qa.serving.guard import Rules
from test_serving import TOKEN, served

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from qa.assistant import Assistant

EXAMPLES = 6  # of each route and way of asking, besides those that are worked out
OWN = {"authorization": f"Bearer {TOKEN}"}
ROUTES = {
    "/ask",
    "/documents",
    "/documents/{document}",
    "/documents/{document}/pages/{page}.png",
    "/healthz",
    "/metrics",
    "/status",
}


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="pip install schemathesis")
def test_whatever_is_asked_the_server_answers_as_it_is_described(
    assistant: Assistant, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "paper.pdf").write_bytes(pdf_of((100, "A page.")))
    assistant.refresh()
    report = tmp_path / "report.json"
    with served(assistant, Rules(token=TOKEN)) as ask:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli"),
                *("--config-file", REPOSITORY / "tests" / "openapi.toml", "run"),
                f"http://127.0.0.1:{ask.port}/openapi.json",
                *("--header", f"Authorization: Bearer {TOKEN}"),
                *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
                *("--continue-on-failure", "--no-color"),
                *("--report", "json", "--report-json-path", report),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": ""},
            check=False,
        )
        assert ask("GET", "/healthz").status == 200
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    said = json.loads(report.read_text("utf-8"))
    assert said["operations"]["tested"] == len(ROUTES)
    assert said["test_cases"]["generated"] > 10 * len(ROUTES)
    assert not [kind for kind, of in said["warnings"].items() if of]


def test_the_description_names_the_token_where_one_is_asked_for(assistant: Assistant) -> None:
    with served(assistant, Rules(token=TOKEN)) as ask:
        assert ask("GET", "/openapi.json").status == 401
        said = ask("GET", "/openapi.json", headers=OWN).json
    assert set(said["paths"]) == ROUTES
    assert said["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    assert said["paths"]["/healthz"]["get"]["security"] == []
    with served(assistant) as ask:
        assert "security" not in ask("GET", "/openapi.json").json


def test_what_is_given_has_the_fields_that_are_described_and_no_others(
    assistant: Assistant,
) -> None:
    assistant.refresh()

    def model(of: dict[int | str, Any]) -> type[BaseModel]:
        found: type[BaseModel] = of[200]["model"]
        return found

    with served(assistant) as ask:
        asked = {"question": "Who set foot on the Moon?", "explain": True}
        for described_as, reply in (
            (described.ANSWER, ask("POST", "/ask", asked)),
            (described.ANSWER, ask("POST", "/ask", {"question": "What do banks pay for gold?"})),
            (described.DOCUMENTS, ask("GET", "/documents")),
            (described.DOCUMENT, ask("GET", "/documents/moon.md")),
            (described.STATUS, ask("GET", "/status")),
        ):
            model(described_as).model_validate_json(reply.body)
    example = described.ANSWER[200]["content"]["application/json"]["example"]
    model(described.ANSWER).model_validate_json(json.dumps(example))
