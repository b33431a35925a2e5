"""E-mail and mailboxes: text, heading, metadata, members; broken MIME."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.reading.detect.charsets import decoded, header_text
from qa.reading.extracted import Extracted, UnreadableError
from qa.reading.mail import read_mail, read_mailbox
from qa.types import BlockKind

HEADERS = (
    b'From: "Alice Adams" <alice@example.org>\r\nTo: Bob <bob@example.org>\r\n'
    b"Cc: carol@example.org\r\nSubject: Harbour budget\r\n"
    b"Date: Tue, 5 Mar 2024 10:15:00 +0100\r\nMessage-ID: <1@example.org>\r\n"
)


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Harbour budget"
    mail["From"] = "Alice Adams <alice@example.org>"
    mail["Date"] = "Tue, 5 Mar 2024 10:15:00 +0100"
    return mail


def blocks_of(extracted: Extracted) -> list[str]:
    return [extracted.text[b.start : b.end] for s in extracted.sections for b in s.blocks]


def test_subject_day_and_sender_are_the_heading_and_the_metadata() -> None:
    extracted = read_mail(HEADERS + b"\r\nThe quay costs 400 euros.\r\n")
    assert [s.heading_path for s in extracted.sections] == [
        ("Harbour budget (2024-03-05, Alice Adams <alice@example.org>)",)
    ]
    assert blocks_of(extracted) == ["The quay costs 400 euros."]
    assert extracted.metadata == {
        "title": "Harbour budget",
        "author": "Alice Adams <alice@example.org>",
        "date": "Tue, 5 Mar 2024 10:15:00 +0100",
        "to": "Bob <bob@example.org>",
        "cc": "carol@example.org",
        "message-id": "<1@example.org>",
    }


def test_quotes_list_items_and_the_signature_are_blocks_of_their_own() -> None:
    body = (
        b"\nYes, see below.\n> When does the\n> ferry leave?\n>> Long ago\n> \n> And return?\n"
        b"At noon. Bring:\n- bread\n- cheese\n\n-- \nAlice\nHarbour office\n"
    )
    extracted = read_mail(HEADERS + body)
    assert blocks_of(extracted) == [
        "Yes, see below.",
        "> When does the\nferry leave?",
        ">> Long ago",
        "> And return?",
        "At noon. Bring:",
        "- bread",
        "- cheese",
        "-- \nAlice\nHarbour office",
    ]
    assert extracted.sections[-1].blocks[-1].kind is BlockKind.LINES


def test_encoded_words_and_charsets_are_decoded() -> None:
    raw = (
        b"Subject: =?utf-8?B?R3LDvMOf?= =?utf-8?B?ZQ==?= aus =?iso-8859-1?q?K=F6ln?=\n"
        b"From: =?koi8-r?B?6dfBzg==?= <ivan@example.org>\n"
        b"Content-Type: text/plain; charset=windows-1252\n\n\x84Gr\xfc\xdfe\x93 f\xfcr 5 \x80\n"
    )
    extracted = read_mail(raw)
    assert extracted.metadata["title"] == "Grüße aus Köln"
    assert extracted.metadata["author"] == "Иван <ivan@example.org>"
    assert blocks_of(extracted) == ["„Grüße“ für 5 €"]


@pytest.mark.parametrize("charset", ["", "no-such-charset", "us-ascii", "rot13", "hex", "idna"])
def test_a_charset_that_is_wrong_or_unknown_loses_no_text(charset: str) -> None:
    assert decoded("Größe".encode(), charset) == "Größe"


def test_attachments_are_members_and_inline_images_are_not() -> None:
    pytest.importorskip("qa.reading.html")
    mail = message()
    mail.set_content("See the plan.")
    mail.add_alternative("<p>See the plan.</p><img src='cid:a'>", subtype="html")
    page = list(mail.iter_parts())[1]
    assert isinstance(page, EmailMessage)
    page.add_related(b"\x89PNG", "image", "png", cid="<a>", filename="logo.png")
    mail.add_attachment(b"%PDF-1.7 plan", "application", "pdf", filename="Plän 1.pdf")
    mail.add_attachment(b"a,b\n1,2\n", "text", "csv", filename="../../tides.csv")
    mail.add_attachment(b"%PDF-1.7 other", "application", "pdf")
    mail.add_attachment(b"%PDF-1.7 third", "application", "pdf")
    extracted = read_mail(mail.as_bytes())
    assert blocks_of(extracted) == ["See the plan."]
    assert [(m.name, m.raw) for m in extracted.members] == [
        ("Plän 1.pdf", b"%PDF-1.7 plan"),
        ("tides.csv", b"a,b\n1,2\n"),
        ("unnamed.pdf", b"%PDF-1.7 other"),
        ("unnamed.pdf", b"%PDF-1.7 third"),
    ]


def test_an_attached_message_is_a_member_that_can_be_read_itself() -> None:
    inner = message()
    inner.replace_header("Subject", "Inner")
    inner.set_content("The lock opens at nine.\nFrom then on it stays open.\n")
    inner.add_attachment(b"deep", "application", "octet-stream", filename="deep.bin")
    outer = message()
    outer.set_content("Forwarded.")
    outer.add_attachment(inner)
    extracted = read_mail(outer.as_bytes())
    assert [m.name for m in extracted.members] == ["unnamed.eml"]
    again = read_mail(extracted.members[0].raw)
    assert again.metadata["title"] == "Inner"
    assert blocks_of(again) == ["The lock opens at nine.\nFrom then on it stays open."]
    assert [(m.name, m.raw) for m in again.members] == [("deep.bin", b"deep")]


def test_a_message_without_plain_text_is_read_as_a_web_page() -> None:
    pytest.importorskip("qa.reading.html")
    mail = message()
    mail.set_content(
        "<h1>News</h1><p>The lock is shut for Größe.</p><h2>Ferry</h2><p>It leaves at noon.</p>",
        subtype="html",
        charset="iso-8859-1",
    )
    extracted = read_mail(mail.as_bytes())
    top = "Harbour budget (2024-03-05, Alice Adams <alice@example.org>)"
    assert [s.heading_path for s in extracted.sections] == [(top, "News"), (top, "News", "Ferry")]
    assert blocks_of(extracted) == ["The lock is shut for Größe.", "It leaves at noon."]


def test_a_plain_text_that_only_points_to_the_web_page_gives_way_to_it() -> None:
    pytest.importorskip("qa.reading.html")
    mail = message()
    mail.set_content("Your program can't show this message.")
    mail.add_alternative(f"<p>{'The ferry leaves at noon every day. ' * 20}</p>", subtype="html")
    assert "ferry" in read_mail(mail.as_bytes()).text
    mail = message()
    mail.set_content("The ferry leaves at noon.")
    mail.add_alternative("<p>The <b>ferry</b> leaves at noon.</p>", subtype="html")
    assert blocks_of(read_mail(mail.as_bytes())) == ["The ferry leaves at noon."]


def test_several_texts_of_a_message_are_all_read() -> None:
    raw = HEADERS + (
        b'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\nFirst.\n--x\n'
        b"Content-Type: text/plain\n\nSecond.\n--x--\n"
    )
    assert blocks_of(read_mail(raw)) == ["First.", "Second."]


def test_a_report_of_delivery_is_read() -> None:
    raw = HEADERS + (
        b'Content-Type: multipart/report; boundary="x"\n\n--x\n\nNot delivered.\n--x\n'
        b"Content-Type: message/delivery-status\n\nFinal-Recipient: rfc822; dan@example.org\n"
        b"Status: 5.1.1\n\n--x--\n"
    )
    text = read_mail(raw).text
    assert "Not delivered." in text
    assert "Final-Recipient: rfc822; dan@example.org" in text


def test_an_encrypted_message_and_an_empty_one_are_reported() -> None:
    raw = HEADERS + (
        b'Content-Type: multipart/encrypted; boundary="x"\n\n--x\nContent-Type: '
        b"application/pgp-encrypted\n\nVersion: 1\n--x\nContent-Type: "
        b"application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\nabc\n--x--\n"
    )
    with pytest.raises(UnreadableError, match="encrypted"):
        read_mail(raw)
    with pytest.raises(UnreadableError, match="encrypted"):
        read_mail(HEADERS + b"Content-Type: application/pkcs7-mime; name=smime.p7m\n\nMIAGCS\n")
    with pytest.raises(UnreadableError, match="no text"):
        read_mail(b"\n\n")


@pytest.mark.parametrize(
    "body",
    [
        b'Content-Type: multipart/mixed; boundary="x"\n\nThe fact is here, without parts.\n',
        b'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\nThe fact is here\n',
        b"Content-Type: multipart/mixed\n\nThe fact is here\n",
        b"Content-Transfer-Encoding: nonsense\n\nThe fact is here\n",
        b'Content-Type: text/plain; charset="\n\nThe fact is here\n',
        b"Content-Type: ;;;\n\nThe fact is here\n",
        b"To: group: a@, ;;\n\nThe fact is here\n",
        b"Content-Transfer-Encoding: base64\n\nVGhlIGZhY3QgaXMgaGVyZQ=\n",
        b"Content-Type: text/plain; charset=utf-16\n\nThe fact is here!\n",
    ],
)
def test_broken_mime_loses_no_text(body: bytes) -> None:
    assert "The fact is here" in read_mail(HEADERS + body).text


_PIECES = st.sampled_from(
    [
        b"Subject: =?utf-8?B?\n",
        b"From: group: ;\n",
        b"Content-Type: multipart/mixed; boundary=x\n",
        b"Content-Type: multipart/alternative; boundary=\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: text/plain; charset*0*=\n",
        b"Content-Disposition: attachment; filename*=x''%ff\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Content-Transfer-Encoding: x-uuencode\n",
        b"\n",
        b"\n--x\n",
        b"\n--x--\n",
        b"> quoted\n",
        b"-- \n",
        b"\xff\xfe=E9=\n",
    ]
)


@given(st.lists(st.one_of(_PIECES, _PIECES, st.binary(max_size=20)), max_size=30).map(b"".join))
def test_no_message_makes_the_reader_fail(raw: bytes) -> None:
    try:
        extracted = read_mail(raw)
    except UnreadableError:
        return
    assert extracted == read_mail(raw)
    for member in extracted.members:
        assert member.name
        assert "/" not in member.name


@given(st.text(max_size=60))
def test_any_header_is_one_line(value: str) -> None:
    assert "\n" not in header_text(value)


def test_parts_nested_too_deep_are_a_member() -> None:
    raw = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(200)
    )
    assert read_mail(HEADERS + raw + b"\ntext\n").members


def test_each_message_of_a_mailbox_is_a_member() -> None:
    raw = (
        b"From alice Tue Mar  5 10:15:00 2024\n" + HEADERS.replace(b"\r\n", b"\n") + b"\nOne.\n"
        b">From here on, two.\n>>From there.\n\nFrom the sea we came.\n\n"
        b"From bob Tue Mar  5 10:16:00 2024\nSubject: Second\n\nTwo.\n"
    )
    extracted = read_mailbox(raw)
    assert extracted.sections == ()
    assert [m.name for m in extracted.members] == ["0001.eml", "0002.eml"]
    assert blocks_of(read_mail(extracted.members[0].raw)) == [
        "One.\nFrom here on, two.",
        "> From there.",
        "From the sea we came.",
    ]
    assert read_mail(extracted.members[1].raw).metadata["title"] == "Second"


def test_of_a_mailbox_of_very_many_messages_the_first_are_given_and_it_is_told() -> None:
    one = b"From a\nTo: b\n\nHello.\n\n"
    assert len(read_mailbox(one * 100_000).members) == 100_000
    assert not read_mailbox(one * 100_000).warnings
    extracted = read_mailbox(one * 100_002)
    assert len(extracted.members) == 100_000
    assert extracted.warnings == ("of 100,002 messages the first 100,000 are indexed",)


def test_what_is_no_mailbox_is_reported() -> None:
    with pytest.raises(UnreadableError, match="not a mailbox"):
        read_mailbox(b"Dear all,\n\nFrom me.\n")


@pytest.mark.skipif("QA_FORMATS" not in os.environ, reason="QA_FORMATS names no folder")
def test_real_messages_give_their_text() -> None:
    pytest.importorskip("qa.reading.html")
    files = [f for f in Path(os.environ["QA_FORMATS"]).rglob("*") if f.suffix == ".eml"]
    for file in files:
        extracted = read_mail(file.read_bytes())
        assert extracted.sections, file
