"""The command line: what a person types and sees."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conftest import ARTICLE, REPOSITORY
from qa.cli.output import visible

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

QUESTION = "Will Russia send food or medicine?"


@pytest.fixture(name="article_corpus")
def _article_corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / ARTICLE.name).write_bytes(ARTICLE.read_bytes())
    return folder


@pytest.mark.usefixtures("article_corpus")
def test_ask_prints_the_answer_with_its_citation_within_80_columns(run: Run) -> None:
    status, out, _ = run("ask", QUESTION)
    assert status == 0
    verdict, _, first, *rest = out.splitlines()
    assert re.fullmatch(r"Answered, 0\.\d\d", verdict)
    assert first == f"1. {ARTICLE.name}:42-44"
    assert "food and medical" in " ".join(line.strip() for line in rest[:8])
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


@pytest.mark.usefixtures("article_corpus")
def test_the_json_answer_is_what_the_docs_say(run: Run) -> None:
    status, out, _ = run("ask", QUESTION, "--format", "json", "-k", 2)
    answer = json.loads(out)
    assert status == 0
    assert answer["schema"] == "qa.answer/1"
    assert len(answer["passages"]) == 2
    described = (REPOSITORY / "docs" / "json.md").read_text("utf-8")
    keys: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            keys.update(value)
            for one in value.values():
                collect(one)
        elif isinstance(value, list):
            for one in value:
                collect(one)

    collect(answer)
    assert not [key for key in keys if f"`{key}`" not in described]
    citation = answer["passages"][0]["citation"]
    raw = ARTICLE.read_bytes()
    assert raw[citation["start_byte"] : citation["end_byte"]].decode() == citation["quote"]


@pytest.mark.usefixtures("article_corpus")
def test_the_markdown_answer_quotes_its_passages(run: Run) -> None:
    _, out, _ = run("ask", QUESTION, "--format", "markdown")
    assert out.startswith(f"**{QUESTION}**")
    assert f"1. `{ARTICLE.name}:42-44`" in out
    assert "   > 3. <strong>**Humanitarian aid:**" in out
    assert "   >    **and medical supplies.** Here" in out


@pytest.mark.usefixtures("article_corpus")
def test_explain_shows_where_the_rank_comes_from(run: Run) -> None:
    assert "best sentence" not in run("ask", QUESTION)[1]
    assert "best sentence" in run("ask", QUESTION, "--explain")[1]


@pytest.mark.usefixtures("article_corpus")
def test_an_abstention_is_status_1_and_shows_what_came_nearest(run: Run) -> None:
    status, out, _ = run("ask", "qwertz uiop asdfgh")
    assert status == 1
    assert "Probably not in these documents" in out
    assert "“qwertz”" in out
    assert "Closest passages (not answers):" in out
    status, out, _ = run("ask", "qwertz uiop asdfgh", "--format", "markdown")
    assert status == 1
    assert "Closest passages (not answers):" in out
    for form in ("text", "markdown"):
        status, out, _ = run("ask", "qwertz uiop asdfgh", "--always", "-k", 4, "--format", form)
        assert status == 1
        assert re.search(
            r"^Below the threshold \(0\.\d{3}\); closest passages:$", out, re.MULTILINE
        )
        assert "4. " in out
    status, out, _ = run("ask", "qwertz uiop asdfgh", "--always", "--format", "json")
    assert status == 1
    assert json.loads(out)["answered"] is False
    assert len(json.loads(out)["nearest"]) == 5
    assert run("ask", QUESTION, "--threshold", "1")[0] == 1
    assert run("ask", QUESTION, "--threshold", "2")[0] == 2


@pytest.mark.usefixtures("article_corpus")
def test_explain_says_where_a_score_comes_from(run: Run) -> None:
    _, out, _ = run("ask", QUESTION, "--explain", "-k", 1)
    assert "score 0." in out
    assert "cosine: " in out
    assert "Probability that the documents hold the answer: 0." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", ""), "empty"),
        (("index", "--corpus", "a", "--corpus", "b"), "'--corpus' was given 2 times"),
        (("ask", "What?", "--where", "a=1", "--where", "a=2"), "'a' twice"),
        (("ask", "x", "--corpus", "nowhere"), "nowhere"),
        (("ask", "x", "--model", "no-such-model"), "no-such-model"),
        (("ask", "x", "-k", "0"), "k is 0"),
        (("ask", "x", "--format", "xml"), "xml"),
        (("ask", "x", "--no-refresh"), "no index"),
        (("status",), "no index"),
        (("show", "nothing.md:3"), "nothing.md"),
        (("nonsense",), "nonsense"),
    ],
)
@pytest.mark.usefixtures("article_corpus")
def test_what_can_not_be_done_is_said_with_status_2_and_no_traceback(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_an_empty_corpus_says_what_was_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / ".hidden").write_text("x")
    status, _, err = run("ask", QUESTION)
    assert status == 2
    assert "1 hidden" in err


@pytest.mark.usefixtures("article_corpus")
def test_index_reports_and_status_agrees(run: Run) -> None:
    assert "1 added" in run("index")[1]
    assert "Nothing changed; 1 unchanged." in run("index")[1]
    report = json.loads(run("status", "--format", "json")[1])
    assert (report["documents"], report["stale"]) == (1, 0)
    assert "documents 1\n" in run("status")[1]


@pytest.mark.usefixtures("article_corpus")
def test_show_numbers_the_lines_of_the_file(run: Run) -> None:
    _, out, _ = run("show", f"{ARTICLE.name}:42-44", "-C", 1)
    lines = ARTICLE.read_text("utf-8").splitlines()
    marks = " >>> "
    numbered = enumerate(zip(marks, lines[40:45], strict=True), 41)
    expected = [f"{n:5}{mark}{line}".rstrip() for n, (mark, line) in numbered]
    assert out.splitlines() == expected


def test_what_documents_and_questions_hold_is_shown_and_never_obeyed(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    evil = "Whales \x1b[31msing\x07 [red]songs[/red] \x9b2J in \u202ereverse. [link=x]a[/link]"
    (folder / "evil.txt").write_text(evil, "utf-8")
    for extra in ((), ("--explain",)):
        _, out, err = run("ask", "Do whales \x1b]0;title\x07 sing [bold]songs[/bold]?", *extra)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out + err)
        assert "␛[31msing␇ [red]songs[/red] <U+009B>2J" in out


def test_the_question_can_come_from_stdin(article_corpus: Path, cache: Path) -> None:
    import os

    done = subprocess.run(
        [sys.executable, "-m", "qa", "ask", "-q", "-k", "1"],
        input=f"{QUESTION}\n".encode(), capture_output=True, check=False,
        cwd=article_corpus.parent, env=os.environ | {"QA_CACHE": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[2] == f"1. {ARTICLE.name}:42-44"
    assert done.stderr == b""


@pytest.mark.usefixtures("article_corpus")
def test_settings_come_from_file_environment_and_arguments_in_that_order(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*extra: str) -> int:
        return len(json.loads(run("ask", QUESTION, "--format", "json", *extra)[1])["passages"])

    assert shown() == 5
    (tmp_path / "qa.toml").write_text("k = 4\n")
    assert shown() == 4
    monkeypatch.setenv("QA_K", "3")
    assert shown() == 3
    assert shown("-k", "2") == 2


@pytest.mark.parametrize(
    ("toml", "said"),
    [("kay = 3", "unknown setting 'kay'"), ("k = 'x'", "k is 'x'"), ("k = ", "can't be read")],
)
@pytest.mark.usefixtures("article_corpus")
def test_a_wrong_setting_is_refused(run: Run, tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "qa.toml").write_text(toml)
    status, _, err = run("ask", QUESTION)
    assert status == 2
    assert said in err


@pytest.mark.usefixtures("article_corpus")
def test_an_unknown_environment_setting_is_refused_with_a_suggestion(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_MODLE", "x")
    status, _, err = run("ask", QUESTION)
    assert status == 2
    assert "'model'" in err


def test_another_corpus_gets_an_index_of_its_own(run: Run, tmp_path: Path, corpus: Path) -> None:
    other = corpus.rename(tmp_path / "papers")
    assert run("ask", "Who set foot on the Moon?", "--corpus", other)[0] == 0
    assert not (tmp_path / "index").exists()
    assert list((tmp_path / "data").rglob("catalog.sqlite"))


def test_visible_leaves_ordinary_text_alone() -> None:
    assert visible("naïve 日本語 😀 “quoted”") == "naïve 日本語 😀 “quoted”"


def test_help_and_status_import_no_numpy_faiss_or_model_runtime(
    article_corpus: Path, cache: Path, run: Run
) -> None:
    run("index")
    program = (
        "import sys; sys.argv[0] = 'qa'\n"
        "from qa.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code, left.code\n"
        "heavy = {'numpy', 'faiss', 'onnxruntime', 'torch', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for arguments in (["--help"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=article_corpus.parent,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert cache.is_dir()


def test_model_shows_what_is_ready_and_the_default_is_from_the_start(
    run: Run, exported: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QA_CACHE", str(tmp_path / "none"))
    status, out, notes = run("model", "prepare")
    assert (status, notes) == (0, "")
    assert out.startswith("all-MiniLM-L6-v2  727baf9ce872  comes with qa")
    assert run("model")[1].startswith(out)
    assert not list((tmp_path / "none").rglob("*.onnx"))
    shutil.copytree(exported, tmp_path / "none", dirs_exist_ok=True)
    assert str(tmp_path / "none" / "encoders") in run("model")[1]


def test_verify_tells_of_each_quote_and_leaves_with_1_once_one_has_drifted(
    run: Run, article_corpus: Path
) -> None:
    _, answer, _ = run("ask", QUESTION, "--format", "json", "-k", 1)
    saved = article_corpus.parent / "answer.json"
    saved.write_text(answer, "utf-8")
    status, out, err = run("verify", saved)
    assert status == 0
    assert out.splitlines()[-1] == "2 verified"
    assert str(article_corpus) in err  # which corpus it is checked against
    file = article_corpus / ARTICLE.name
    file.write_text(file.read_text("utf-8").replace("medical supplies", "medical staff"), "utf-8")
    status, out, _ = run("verify", saved)
    assert status == 1
    assert "[-supplies.-] {+staff.+}" in " ".join(out.split())
    status, out, _ = run("verify", saved, "--format", "json", "--corpus", article_corpus)
    assert status == 1
    assert {one["verdict"] for one in json.loads(out)["quotes"]} == {"drifted"}


@pytest.mark.parametrize("saved", ["{", "[]", "{}", '"text"'])
def test_what_is_no_saved_answer_is_refused_with_what_to_do(
    run: Run, article_corpus: Path, saved: str
) -> None:
    (article_corpus.parent / "answer.json").write_text(saved)
    status, _, err = run("verify", "answer.json")
    assert status == 2
    assert "--format json" in err


def test_a_question_can_be_asked_of_some_documents_only(run: Run, corpus: Path) -> None:
    status, out, _ = run("ask", "What is large?", "--always", "--in", "deep/**", "--corpus", corpus)
    assert status == 1
    assert out.startswith("Below the threshold (0.")
    assert [line for line in out.splitlines() if line[:1].isdigit()] == ["1. deep/whales.txt:1"]
    status, out, err = run("ask", "What is large?", "--where", "author=x", "--corpus", corpus)
    assert status == 2
    assert not out
    assert "No indexed document has metadata 'author'" in err


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(["--where", "author"], "author=Adams"), (["--since", "soon"], "2024-01-31")],
)
def test_a_filter_that_is_none_is_refused_with_what_to_do(
    run: Run, corpus: Path, wrong: list[str], told: str
) -> None:
    status, _, err = run("ask", "What?", "--corpus", corpus, *wrong)
    assert status == 2
    assert told in err


def test_status_names_what_can_not_be_read_and_why(run: Run, corpus: Path) -> None:
    (corpus / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    run("index", "--corpus", corpus)
    _, out, _ = run("status", "--corpus", corpus, "--problems")
    assert out == "broken.pdf: it is damaged, or not a PDF\n"
    (corpus / "broken.pdf").unlink()
    run("index", "--corpus", corpus)
    _, out, _ = run("status", "--corpus", corpus, "--problems")
    assert out == "Every document could be read.\n"


def test_the_version_is_told(run: Run) -> None:
    from qa import __version__

    for option in ("--version", "-v", "-V"):
        assert run(option) == (0, f"qa {__version__}\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal of POSIX")
def test_on_a_terminal_the_evidence_is_highlighted_and_the_citation_is_a_link(
    corpus: Path, tmp_path: Path, cache: Path
) -> None:
    import os
    import pty

    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "qa", "ask", "Who set foot on the Moon?", "-k", "1"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "QA_CACHE": str(cache)}
    environment |= {"QA_CORPUS": str(corpus), "QA_INDEX": str(tmp_path / "index")}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment
    ) as asked:
        os.close(follower)
        shown = b""
        while True:
            try:
                shown += os.read(leader, 65536)
            except OSError:  # the other end is closed
                break
        assert asked.wait() == 0
    os.close(leader)
    text = shown.decode()
    assert f"{corpus.as_uri()}/moon.md" in text  # an OSC 8 link
    assert "\x1b[4m" in text  # underlined
    assert "Reading" in text  # progress, while the index was made
    assert "Neil Armstrong" in re.sub(r"\x1b\[[0-9;]*m", "", text)
