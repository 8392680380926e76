"""The door for text: one normalisation, and sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.text import is_complete, normaliser, sentences
from course_utils.vocabulary import Vocabulary
from tools.tiny import TEXTS, quick

ALIKE = [
    ("don’t", "don't"),
    ("don´t", "don't"),
    ("don\u0092t", "don't"),
    ("„Hund“ und «Hund»", '"hund" und "hund"'),
    ("\ufeffEin Hund", "ein hund"),
    ("Wiesen\u00adblume", "wiesenblume"),
    ("Park\u200b", "park"),
    ("ﬁlm", "film"),
    ("ein Hund …", "ein hund ..."),
    ("gro\u0308ße", "größe"),
    ("gut<br /><br/>schlecht", "gut schlecht"),
    ("ein\u00a0Hund\u3000läuft", "ein hund läuft"),
    ("Ｈｕｎｄ", "hund"),
    ("Hund – Katze", "hund - katze"),
    ("5 − 3", "5 - 3"),
    ("ein\x00Hund\x1b", "ein hund"),
    ("  \t ein \n Hund ", "ein hund"),
    ("", ""),
    ("\u00ad", ""),
]


@pytest.mark.parametrize("typed,plain", ALIKE)
def test_texts_that_look_alike_are_one_text(typed, plain):
    assert normaliser().normalize_str(typed).strip() == plain


@pytest.mark.parametrize("typed,plain", ALIKE)
def test_texts_that_look_alike_have_the_same_ids(typed, plain):
    texts = [*TEXTS, *(plain for _, plain in ALIKE)]
    for vocabulary in (
        Vocabulary.bpe(texts * 2, 200),
        Vocabulary.words(texts),
        Vocabulary.words(texts, punctuation=True),
    ):
        assert vocabulary.encode(typed) == vocabulary.encode(plain)


def test_the_normalisation_is_saved_with_the_vocabulary(tmp_path):
    Vocabulary.bpe(TEXTS, 120).save(tmp_path / "vocabulary.json")
    loaded = Vocabulary.load(tmp_path / "vocabulary.json")
    assert loaded.encode("„Hund“\u00ad") == loaded.encode('"hund"')


def test_a_piece_keeps_its_place_in_the_text_as_typed():
    typed = "\ufeff Gut<br />“Ein ﬁlm” …"
    vocabulary = Vocabulary.words(['gut "ein film" ...'], punctuation=True)
    found = [typed[start:end] for start, end in vocabulary.spans(typed)]
    assert found[0] == "Gut" and found[1:5] == ["“", "Ein", "ﬁlm", "”"]
    assert found[5:] == ["…", "", ""]


@given(st.text(max_size=40))
@quick
def test_normalising_twice_changes_nothing(text):
    once = normaliser().normalize_str(text)
    assert normaliser().normalize_str(once) == once


@pytest.mark.parametrize(
    "parts",
    [
        ["Ein Mann spielt Gitarre. ", "Eine Frau singt."],
        ["Um 15:30 Uhr sitzen 3 Männer im Park."],
        ["Dr. Müller geht z. B. um ca. 5 Uhr spazieren. ", "Er lacht!"],
        ["Ein Hund rennt... und springt? ", '"Ja!" ruft er. ', "Der 3. Mann winkt."],
        ["ein hund bellt. ", "es ist z. b. 5 uhr. ", "eine frau singt."],
        ["„Komm her.“ ", "Er geht.  "],
        ["Am 3. Mai 2020 regnet es. ", "Wer ist das? ", "😀 Ja"],
        ["\ufeffJa.\u00a0", "Nein.\n"],
        ["Ein Mann singt.<br />", "Ein Hund bellt… ", "Er rennt.\u00ad ", "Sie lacht．"],
        ["Ein Mann singt. ", "3 Frauen tanzen am 4. April. ", "12. Juni."],
        ["1. Ein Mann singt. ", "2. Eine Frau tanzt. ", "3. Ein Kind malt."],
        ["Es ist 12. ", "Ein Mann sitzt im 3. Stock. ", "Er ist 5. ", "Das Kind lacht."],
        ["der hund ist 5. ", "ein mann lacht. ", "3 frauen tanzen."],
        ["Es kostet 100. ", "Er zahlt."],
        ["er rennt. ", "ßa lacht. ", "sie geht."],  # the capital of ß would be two letters
        [],
    ],
)
def test_a_text_is_cut_at_the_ends_of_its_sentences(parts):
    assert sentences("".join(parts)) == parts
    assert sentences(" \n") == []


@given(st.text("aB. !?\n3„“…é😀ß", max_size=40))
@quick
def test_no_character_is_lost_between_sentences(text):
    found = sentences(text)
    assert "".join(found) == (text if text.strip() else "")
    assert all(part.strip() for part in found)


@pytest.mark.parametrize("mark", ["\n", "„", "'", "`", "«", "<br>", "1. ", "\u200b"])
def test_the_time_for_a_long_text_is_not_quadratic(mark):
    sentences(mark * 100_000)  # minutes, if it were


def test_a_complete_sentence_ends_in_a_mark():
    for text in (
        "Ja.",
        "Ja!",
        "Ja? ",
        '"Ja."',
        "(Ja.)",
        "„Ja.“",
        "Ja …",
        "Er sagt:",
        "„Ja. “",
        "»Ja.«\u200b",
        "Ja．",
    ):
        assert is_complete(text), text
    for text in ("Ja", "Ja,", "(Ja)", "", '"'):
        assert not is_complete(text), text
