"""Languages: words are cut, stemmed and found in each one's own way; English is as it was."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qa.indexing.pieces
import qa.store.transaction
import qa.words.terms
from qa.assistant import Assistant
from qa.errors import QaError
from qa.indexing.sentences import sentences_of
from qa.ranking.candidates import Candidates, Ragged
from qa.ranking.evidence import marks
from qa.store.checks import meta_check
from qa.store.health import check_integrity
from qa.types import Block, BlockKind, Span
from qa.words.detection import code_of, language_of, told, with_language
from qa.words.question_terms import question_terms
from qa.words.scripts import is_plain, spaced
from qa.words.terms import STEMMED, analyse, content_terms, passage_terms, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOCUMENTS = {
    "ar.txt": "تأسست المكتبة العامة في المدينة القديمة سنة 1921. وفيها آلاف المخطوطات النادرة"
    " التي جمعها التجار من بلدان بعيدة.",
    "de.txt": "Die alten Häuser am Marktplatz wurden im Jahr 1748 von einem Baumeister aus Bamberg"
    " errichtet. Sie haben rote Dächer und schmale Fenster.",
    "en.txt": "The town's water mill was restored in 2004 by volunteers. It grinds rye flour for"
    " the bakery next door.",
    "fr.txt": "Le pont suspendu a été construit par les ingénieurs de la ville en 1932. Les"
    " habitants l'utilisent tous les jours pour traverser la rivière.",
    "he.txt": "הספרייה העירונית נפתחה בשנת 1954 ליד הנמל. יש בה אוסף גדול של מפות ים עתיקות.",
    "ja.txt": "この博物館は昭和三十年に建てられました。"
    "収蔵品は約二十万点で、郷土史の資料が充実しています。",
    "ko.txt": "이 등대는 1931년에 섬의 북쪽 끝에 세워졌다."
    " 등대지기는 작은 집에서 가족과 함께 살았다.",
    "ru.txt": "Старый маяк был построен на северном берегу озера в 1897 году. Его смотрители жили"
    " в небольшом доме рядом с башней.",
    "th.txt": "พิพิธภัณฑ์ผ้าไหมเปิดให้เข้าชมทุกวัน มีการสาธิตการทอผ้าด้วยมือโดยช่างฝีมือในหมู่บ้าน",
    "zh.txt": "这座天文台建于一九五八年，位于海拔三千米的山顶。"
    "研究人员用望远镜观测遥远的星系和彗星。",
}
QUESTIONS = {
    "ar.txt": "متى تأسست المكتبات العامة؟",
    "de.txt": "Wann wurde das alte Haus am Marktplatz errichtet?",
    "en.txt": "Who restored the water mills?",
    "fr.txt": "Qui a construit les ponts suspendus de l'ingenieur ?",
    "he.txt": "מתי נפתחה הספרייה העירונית?",
    "ja.txt": "博物館の収蔵品は何点ですか？",
    "ko.txt": "등대를 언제 세웠나?",
    "ru.txt": "Когда построили старые маяки на берегах озера?",
    "th.txt": "พิพิธภัณฑ์ผ้าไหมเปิดวันไหน",
    "zh.txt": "天文台用什么观测星系？",
}
TOLD = {"ar", "de", "fr", "ru"}  # of these, stemmed in a way of their own

_LATIN = st.one_of(
    st.characters(max_codepoint=0x2FF),
    st.characters(min_codepoint=0x2000, max_codepoint=0x20CF),
    st.characters(min_codepoint=0x2100, max_codepoint=0x2BFF),
)
_ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
_MIXED = st.lists(
    st.one_of(_ANY, st.sampled_from([*DOCUMENTS.values(), "don't", "3.14", " ", "e\u0301", "🙂"])),
    max_size=8,
).map("".join)


def write(folder: Path, documents: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in documents.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def rows(index: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(index / "catalog.sqlite")) as db:
        return db.execute(query).fetchall()


def state(index: Path) -> object:
    """What search reads of words, apart from the numbers that history leaves."""
    notes = "SELECT key, value FROM meta WHERE key IN ('terms', 'languages', 'total_terms')"
    passages = (
        "SELECT path, start, length, terms, counts, metadata FROM passage JOIN document"
        " ON document.id = document ORDER BY path, start"
    )
    terms = "SELECT id, passages FROM term ORDER BY id"
    return [rows(index, query) for query in (notes, passages, terms)]


def ranked(assistant: Assistant) -> list[list[tuple[str, float]]]:
    """Every document's question, and what it finds."""
    answers = [assistant.ask(question, k=20) for question in QUESTIONS.values()]
    return [
        [(str(one.citation), one.scores.lexical) for one in answer.passages or answer.nearest]
        for answer in answers
    ]


@pytest.fixture(name="mixed")
def _mixed(tmp_path: Path, cache: Path) -> Iterator[Assistant]:
    """Give an assistant over documents of ten languages."""
    corpus = write(tmp_path / "corpus", DOCUMENTS)
    with Assistant(corpus, tmp_path / "index", cache=str(cache)) as one:
        yield one


# --- terms ---------------------------------------------------------------------------------


def test_the_terms_of_english_are_those_of_every_index_that_there_is() -> None:
    text = "Don't re-open state_of 3.14 cafés — the U.S. Houses’ running naïve ²x µm"
    assert analyse(text) == ("don t re open state of 3 14 cafe the u s hous run naiv 2x µm".split())
    ids = passage_terms("", "cafés running", [Span(0, 13)]).ids.tolist()
    assert ids == [4906073613197128536, -7673071330638607365]


@given(st.text(alphabet=_LATIN, max_size=80))
def test_latin_text_has_the_same_terms_beside_text_of_another_script(text: str) -> None:
    assert is_plain(text)
    assert analyse(f"{text} 漢字")[:-1] == analyse(text)


def test_every_character_of_plain_text_parts_words_alike_beside_another_script() -> None:
    for code in (*range(0x300), *range(0x1E00, 0x1F00), *range(0x2000, 0x2C00)):
        if is_plain(chr(code)):
            text = f"{chr(code)} ab{chr(code)}cd"
            assert analyse(f"{text} 漢字")[:-1] == analyse(text), hex(code)


@given(_MIXED)
def test_a_text_has_as_many_terms_in_every_language(text: str) -> None:
    counts = {len(analyse(text, language)) for language in ("", *STEMMED)}
    assert counts == {len(words_of(text))}


@given(_MIXED)
def test_what_is_spaced_once_stays_as_it_is_but_for_pairs(text: str) -> None:
    words = spaced(text).split(" ")
    assert all(words) or words == [""]
    assert not any(piece.isspace() for word in words for piece in word)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("水的沸点", "水的 的沸 沸点"),
        ("水", "水"),
        ("日本語のﾃｽﾄ", "日本 本語 語の のテ テス スト"),
        ("東京tower2020年", "東京 tower2020 年"),
        ("학교에서", "학교 교에 에서"),
        ("ผ้าไหม", "ผ้า าไ ไห หม"),
        ("हिन्दी में", "हिन्दी में"),
        ("שָׁלוֹם מُحَمَّد", "שלום מحمد"),
        ("ΑΘΉΝΑ ёлка край", "αθηνα елка край"),
        ("cafe\u0301 café CAFE", "cafe cafe cafe"),
        ("می\u200cخواهم", "میخواهم"),
        ("👩\u200d🚀🙂", ""),
    ],
)
def test_words_of_other_scripts_are_cut_and_folded(text: str, terms: str) -> None:
    assert analyse(text) == terms.split()


def test_a_word_of_several_scripts_and_endless_marks_is_cut_or_left_out() -> None:
    assert analyse("漢" + "\u0301" * 500 + "字x") == ["x"]  # over 64 bytes
    assert analyse("ab漢字cd字") == ["ab", "漢字", "cd", "字"]


def test_a_megabyte_without_a_space_is_cut_into_pairs() -> None:
    assert len(analyse("漢字仮名" * 90_000)) == 360_000 - 1


def test_each_language_is_stemmed_in_its_way_with_accents_or_without() -> None:
    assert analyse("Häuser", "de") == analyse("hauser", "de") == analyse("Haus", "de")
    assert analyse("маяки", "ru") == analyse("маяка", "ru")
    assert analyse("chevaux", "fr") == analyse("cheval", "fr") != analyse("chevaux")
    assert analyse("houses", "pl") == analyse("houses")  # no rules of Polish: as English


def test_stop_words_are_those_of_the_language() -> None:
    assert content_terms("die Stadt und das Land", "de") == ["stadt", "land"]
    assert content_terms("die Stadt und das Land") == ["die", "stadt", "und", "das", "land"]
    assert content_terms("the die", "ar") == ["the", "die"]  # no list of Arabic ones


# --- questions -----------------------------------------------------------------------------


def test_a_question_is_as_it_was_where_all_documents_are_english() -> None:
    asked = question_terms("Who built the old houses of the old town?")
    assert asked.names == ["built", "old", "hous", "old", "town"]
    assert asked.all == ["built", "old", "hous", "town"]


def test_a_question_has_each_word_as_documents_of_each_language_have_it() -> None:
    asked = question_terms("Who started the war in Zürich?", ["de", "fr"])
    assert asked.names == ["start", "war", "zurich"]
    assert asked.variants["start"] == ("start", "started")


def test_a_question_in_another_language_drops_that_ones_small_words() -> None:
    asked = question_terms("Wann wurde die Stadt gegründet?", ["de"])
    assert asked.names == ["stadt", "gegrundet"]
    assert "gegrund" in asked.all


def test_words_that_are_one_in_some_language_are_one_term() -> None:
    asked = question_terms("Häuser Haus", ["de"])
    assert asked.names == ["hauser", "hauser"]
    assert asked.variants == {"hauser": ("hauser", "haus")}


@given(_MIXED, st.lists(st.sampled_from(sorted(STEMMED)), unique=True, max_size=4))
def test_every_term_of_a_question_has_a_name_and_no_form_has_two(
    question: str, languages: list[str]
) -> None:
    asked = question_terms(question, languages)
    assert set(asked.names) == set(asked.variants)
    assert all(forms for forms in asked.variants.values())
    assert len(asked.all) == len(set(asked.all))


def test_candidates_take_other_names_for_their_terms() -> None:
    terms = np.array([1, 2, 3, 2], np.int64)
    ragged = Ragged.of(terms, np.array([3, 1]))
    tokens = Ragged.of(np.array([7], np.uint32), np.array([1, 0]))
    codes = np.zeros((2, 1), np.int8)
    ones = np.ones(2, np.float32)
    candidates = Candidates(
        *([1, 2], ["a", "b"], np.ones((2, 1), np.float32), np.array([1, 1]), codes, ones),
        *(ragged, ragged, np.array([3, 1]), tokens),
    )
    assert candidates.with_terms({}) is candidates
    renamed = candidates.with_terms({2: 9, 3: 2})
    assert renamed.terms.values.tolist() == renamed.parts.values.tolist() == [1, 9, 2, 9]
    assert terms.tolist() == [1, 2, 3, 2]


# --- which language ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("de", "de"), ("de-AT", "de"), ("DE_de.UTF-8", "de"), ("German", "de"), ("ger", "de")),
        *(("nb-NO", "no"), ("zh-Hant-TW", "zh"), ("en-GB, de", "en"), ("iw", "he"), ("yue", "zh")),
        *(("", ""), ("klingon", ""), ("--", ""), ("42", "")),
    ],
)
def test_a_language_is_known_by_what_documents_call_it(name: str, code: str) -> None:
    assert code_of(name) == code


def test_documents_tell_their_language_or_have_it_told() -> None:
    for name, text in DOCUMENTS.items():
        assert language_of([text]) == name[:2].replace("en", "")
    german = [DOCUMENTS["de.txt"]]
    assert told(with_language({"lang": "sv"}, "markdown", german)) == "sv"
    assert with_language({"language": "en"}, "html", german) == {"language": "en"}
    assert with_language({"title": "x"}, "plain", german) == {"title": "x", "language": "de"}
    assert with_language({}, "code", german) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Müller",
        "x " * 500,
        "1 2 3 " * 100,
        "Shopping list: eggs, milk, bread, cheese, tomatoes, onions, garlic",
        "Garcia Martinez Rodriguez Lopez Hernandez",
        "Sourdough bread rises through wild yeast. Knead it for ten minutes.",
        "\u0301\u0301\u0301 🙂🙂🙂 \x00\x00",
    ],
)
def test_no_language_is_told_of_what_does_not_tell_it(text: str) -> None:
    assert not language_of([text])


# --- the index -----------------------------------------------------------------------------


def test_questions_of_ten_languages_find_their_documents_by_words(mixed: Assistant) -> None:
    for document, question in QUESTIONS.items():
        answer = mixed.ask(question)
        found = answer.passages or answer.nearest
        lexical = sorted((one.scores.lexical, one.citation.document) for one in found)
        assert lexical[-1][1] == document, question
        assert lexical[-1][0] > 0.3, question
        assert not answer.corrected or document == "fr.txt"
        for one in found:
            for citation in (one.citation, one.evidence.citation):
                text = DOCUMENTS[citation.document]
                assert text[citation.start : citation.end] == citation.quote


def test_passages_say_what_language_was_told(mixed: Assistant) -> None:
    answer = mixed.ask(QUESTIONS["de.txt"])
    found = {one.citation.document: one.metadata for one in answer.passages or answer.nearest}
    assert found["de.txt"]["language"] == "de"
    assert "language" not in found.get("en.txt", {})


def test_a_history_of_languages_leaves_no_trace(mixed: Assistant, tmp_path: Path) -> None:
    corpus, index = tmp_path / "corpus", tmp_path / "index"
    rest = ["fr.txt", "ru.txt", "de.txt"]
    for name in rest:
        (corpus / name).rename(tmp_path / name)
    mixed.refresh()
    [(languages,)] = rows(index, "SELECT value FROM meta WHERE key = 'languages'")
    assert json.loads(str(languages)) == {"ar": 1}
    (corpus / "en.txt").write_text(DOCUMENTS["de.txt"], "utf-8")
    mixed.refresh()
    (corpus / "en.txt").write_text(DOCUMENTS["en.txt"], "utf-8")
    for name in reversed(rest):
        (tmp_path / name).rename(corpus / name)
    mixed.refresh()
    with Assistant(corpus, tmp_path / "other", cache=mixed.settings.cache) as other:
        other.refresh()
        assert state(index) == state(tmp_path / "other")
        assert ranked(mixed) == ranked(other)


def test_an_index_of_earlier_rules_takes_its_terms_again_without_embedding(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, index = write(tmp_path / "corpus", DOCUMENTS), tmp_path / "index"
    with monkeypatch.context() as before:
        before.setattr(qa.words.terms, "is_plain", lambda _: True)
        before.setattr(qa.indexing.pieces, "with_language", lambda metadata, *_: metadata)
        before.setattr(qa.store.transaction, "VERSION", "1")
        with Assistant(corpus, index, cache=str(cache)) as old:
            assert old.refresh().encoded == len(DOCUMENTS)
    english = "SELECT terms, scored_sum FROM passage JOIN document ON document.id = document"
    english += " WHERE path = 'en.txt'"
    as_it_was = rows(index, english)
    with Assistant(corpus, index, cache=str(cache)) as one:
        done = one.refresh()
        assert (done.encoded, done.added, done.changed) == (0, 0, 0)
        assert rows(index, english) == as_it_was
        with Assistant(corpus, tmp_path / "other", cache=str(cache)) as other:
            other.refresh()
            assert state(index) == state(tmp_path / "other")
            assert ranked(one) == ranked(other)
    assert check_integrity(index) == []
    changes = rows(index, "SELECT value FROM meta WHERE key = 'changes'")
    with Assistant(corpus, index, cache=str(cache)) as again:
        again.refresh()
    assert rows(index, "SELECT value FROM meta WHERE key = 'changes'") == changes


def test_languages_that_no_writer_noted_are_damage(tmp_path: Path, mixed: Assistant) -> None:
    mixed.refresh()
    mixed.close()
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as db:
        notes = dict(db.execute("SELECT key, value FROM meta WHERE key != 'check'"))
        notes |= {"languages": '{"xx": "many"}'}
        notes["check"] = meta_check(notes.items())
        db.executemany("REPLACE INTO meta VALUES (?, ?)", notes.items())
        db.commit()
    again = Assistant(tmp_path / "corpus", tmp_path / "index", cache=mixed.settings.cache)
    with again, pytest.raises(QaError, match="damaged"):
        again.ask("water mill")


# --- evidence and sentences ----------------------------------------------------------------


def test_in_other_languages_figures_alone_are_marked() -> None:
    text = "Am 3. Oktober 1897 kamen Hundert Leute nach Köln, 45 % davon im May 2020年."
    place = Span(0, len(text))

    def found(question: str, *, is_english: bool) -> list[str]:
        return [text[m.start : m.end] for m in marks(question, text, place, is_english=is_english)]

    assert found("When was it?", is_english=False) == ["1897", "2020"]
    assert found("How many came?", is_english=False) == ["3", "1897", "45 %", "2020"]
    assert found("Who came?", is_english=False) == []
    assert "Köln" in found("Who came?", is_english=True)


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        ("de", "Am 3. Oktober kam z. B. Dr. Meier. Er blieb.", 2),
        ("ja", "これは文です。二つ目。", 2),
        ("ar", "هل هذا سؤال؟ نعم. هذا جواب.", 3),
        ("hi", "यह एक वाक्य है। यह दूसरा है।", 2),
        ("xx", "One. Two.", 2),
    ],
)
def test_sentences_end_as_those_of_their_language(language: str, text: str, sentences: int) -> None:
    found = sentences_of(text, Block(0, len(text), BlockKind.PROSE), language)
    assert len(found) == sentences


@given(_MIXED, st.sampled_from(["de", "fr", "ru", "ar", "he", "hi", "ja", "zh", "th", "my", "km"]))
def test_sentences_of_any_language_hold_every_character_once(text: str, language: str) -> None:
    found = sentences_of(text, Block(0, len(text), BlockKind.PROSE), language)
    held = "".join(text[start:end] for start, end in found)
    assert "".join(held.split()) == "".join(text.split())


# --- what a person sees --------------------------------------------------------------------


def test_right_to_left_text_reaches_the_terminal_exactly_and_without_controls(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    hidden = "\u202e\u2066\u200f"
    documents = {"he.txt": DOCUMENTS["he.txt"].replace("1954", f"1954{hidden}")}
    write(tmp_path / "corpus", documents | {"ar.txt": DOCUMENTS["ar.txt"]})
    status, out, _ = run("ask", QUESTIONS["he.txt"])
    assert status == 0
    assert "הספרייה העירונית נפתחה בשנת 1954" in out
    assert not set(hidden) & set(out)
    status, out, _ = run("ask", QUESTIONS["ar.txt"])
    assert status == 0
    assert DOCUMENTS["ar.txt"][:48] in out
