"""Text ↔ pieces ↔ ids."""

import json
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from course_utils.vocabulary import BOS, EOS, PAD, SPECIAL, UNK, Vocabulary
from tools.tiny import TEXTS, quick, tiny_vocabulary

BPE = tiny_vocabulary()
EXOTIC = [
    "Größe, Straße!",
    "e\u0301te\u0301 \u00e9t\u00e9",
    "日本 語。",
    "שלום 😀 👩‍👩‍👧",
    "ﬁn Ⅷ İI",
]
WIDE = Vocabulary.bpe(EXOTIC * 2 + TEXTS, 300)
CASED = Vocabulary.bpe(EXOTIC * 2, 300, lowercase=False)
WORDS = Vocabulary.words(["the dog sees the cat .", "The dog's cat , the bird"])

SPACES = [" ", "\t", "\n", "\r", "\u2028", "\x0b", "\x85", "\u3000", "\u00a0"]


def alphabet(texts):
    """Every character of the texts as the vocabulary sees them."""
    return sorted(set("".join(folded(text, lowercase=False) for text in texts)) - {" "})


def folded(text, lowercase=True):
    """What a round trip may change: what looks alike, white space and, by default, capitals."""
    text = text.translate(str.maketrans("„“’‘", "\"\"''", "\u200d\xad"))
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return text.lower() if lowercase else text


# --- round trip -------------------------------------------------------------------------------


@given(text=st.text(st.sampled_from(alphabet(EXOTIC) + SPACES), max_size=25))
@quick
def test_bpe_round_trip_with_capitals(text):
    ids = CASED.encode(text)
    assert CASED.decode(ids) == folded(text, lowercase=False)
    assert UNK not in ids


LOWER = alphabet(t.lower() for t in EXOTIC) + SPACES


@given(text=st.text(st.sampled_from(LOWER), max_size=25))
@quick
def test_bpe_round_trip_in_lower_case(text):
    # A letter and a combining accent may compose to a letter that the vocabulary has never seen.
    assume(set(folded(text)) <= set(LOWER) | {" "})
    assert WIDE.decode(WIDE.encode(text)) == folded(text)


@pytest.mark.parametrize("text", [*TEXTS, "Größe,  STRASSE !", "e\u0301te\u0301"])
def test_bpe_round_trip_of_sentences(text):
    assert WIDE.decode(WIDE.encode(text)) == folded(text)


@given(text=st.text(max_size=30))
@quick
def test_any_text_has_ids_and_comes_back_as_text(text):
    for vocabulary in (BPE, CASED, WORDS):
        ids = vocabulary.encode(text)
        assert all(UNK <= i < len(vocabulary) for i in ids)
        assert vocabulary.encode_all([text, "the dog", text]) == [
            ids,
            vocabulary.encode("the dog"),
            ids,
        ]
        assert isinstance(vocabulary.decode(ids), str)
        if not text.strip("".join(SPACES)):
            assert ids == [] and vocabulary.decode(ids) == ""


def test_unknown_characters_become_unknown_pieces():
    ids = BPE.encode("ein ☃ hund")
    assert ids.count(UNK) == 1
    assert BPE.decode(ids) == "ein <unk> hund"
    assert [i == UNK for i in WORDS.encode("the fish sees the DOG")] == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("special", SPECIAL)
def test_special_pieces_in_a_text_are_only_text(special):
    learnt_from_it = [f"the {special} dog", f"the {special.upper()} dog"] * 3
    for vocabulary in (
        BPE,
        WORDS,
        Vocabulary.words(learnt_from_it),
        Vocabulary.bpe(learnt_from_it, 30),
    ):
        assert vocabulary.pieces(range(4)) == SPECIAL
        ids = vocabulary.encode(f"the {special} dog")
        assert not {PAD, BOS, EOS} & set(ids)
        assert vocabulary.encode_all([special]) == [vocabulary.encode(special)]


# --- pieces -----------------------------------------------------------------------------------


def test_special_ids_are_the_same_everywhere():
    for vocabulary in (BPE, WIDE, CASED, WORDS):
        assert vocabulary.pieces([PAD, BOS, EOS, UNK]) == ["<pad>", "<bos>", "<eos>", "<unk>"]
        assert vocabulary.decode([BOS, PAD, EOS]) == ""
        assert vocabulary.decode([UNK]) == "<unk>"


def test_bpe_has_the_size_asked_for_and_learns_frequent_words():
    assert len(BPE) == 120
    assert BPE.pieces(BPE.encode("hund")) == ["▁hund"]
    assert len(BPE.encode("die hunde")) < len("die hunde")
    assert len(BPE.encode("wiesenblume")) > 1


def test_punctuation_never_joins_letters():
    for vocabulary in (BPE, WIDE):
        for i in range(4, len(vocabulary)):
            (piece,) = vocabulary.pieces([i])
            letters = [c for c in piece.strip("▁") if unicodedata.category(c)[0] in "LNM"]
            assert len(letters) in (0, len(piece.strip("▁")))


def test_an_id_outside_the_vocabulary_has_no_piece():
    for wrong in (len(BPE), -1):
        with pytest.raises(ValueError, match=f"120 pieces, so none has the id {wrong}"):
            BPE.pieces([4, wrong])


def test_words_are_split_at_spaces_only():
    assert WORDS.pieces(WORDS.encode("The dog's cat ,")) == ["the", "dog's", "cat", ","]
    assert len(WORDS) == 4 + len({"the", "dog", "sees", "cat", ".", "dog's", ",", "bird"})
    keeps = Vocabulary.words(["The the"], lowercase=False)
    assert len(keeps) == 6


@pytest.mark.parametrize(
    "text,words",
    [
        ("ein hund", ["ein", "hund"]),
        ("ein hund läuft.", ["ein", "hund", "läuft", "."]),
        ("„wer ist da ?“, fragt", ['"', "wer", "ist", "da", "?", '"', ",", "fragt"]),
        ("?", ["?"]),
        (". .", [".", "."]),
        ("hund.hund", ["hund", ".", "hund"]),
        ("„ hund “", ['"', "hund", '"']),
        ("xylophon ball", ["<unk>lophon", "ball"]),  # no x and y in the training texts
        ("...", [".", ".", "."]),
        ("", []),
    ],
)
def test_words_of_pieces(text, words):
    ids = BPE.encode(text)
    numbers = BPE.words_of_pieces(ids)
    assert len(numbers) == len(ids)
    joined = [""] * (max(numbers, default=-1) + 1)
    for piece, number in zip(BPE.pieces(ids), numbers, strict=True):
        joined[number] += piece.strip("▁")
    assert joined == words


@given(
    parts=st.lists(
        st.sampled_from(["hund", "park", "felsen", "klettert", ",", ".", "?", "„", "“"]), max_size=8
    )
)
@quick
def test_words_of_pieces_finds_the_words_again(parts):
    numbers = BPE.words_of_pieces(BPE.encode(" ".join(parts)))
    assert sorted(set(numbers)) == list(range(len(parts)))
    assert numbers == sorted(numbers)


def test_each_piece_of_a_word_vocabulary_is_a_word():
    assert WORDS.words_of_pieces(WORDS.encode("the dog's cat , fish")) == [0, 1, 2, 3, 4]


def test_words_of_pieces_starts_inside_a_word():
    ids = BPE.encode("wiesenblume ball")
    inside = BPE.words_of_pieces(ids[1:])  # where a long text may be cut
    assert inside[0] == 0 and inside[-1] == 1


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vocabulary", [BPE, CASED, WORDS], ids=["bpe", "cased", "words"])
def test_saved_and_loaded_vocabulary_is_the_same(vocabulary, tmp_path):
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    again = Vocabulary.load(path)
    assert again.kind == vocabulary.kind and len(again) == len(vocabulary)
    for text in [*TEXTS, *EXOTIC, "☃ <eos>", ""]:
        ids = vocabulary.encode(text)
        assert again.encode(text) == ids
        assert again.decode(ids) == vocabulary.decode(ids)
        assert again.words_of_pieces(ids) == vocabulary.words_of_pieces(ids)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_learning_is_deterministic(tmp_path):
    for name in ("one", "two"):
        tiny_vocabulary().save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("make", [Vocabulary.words, lambda texts: Vocabulary.bpe(texts, 9)])
def test_one_text_is_not_a_list_of_texts(make):
    """Letter by letter, it would become a vocabulary of letters."""
    for texts, found in (("ein hund", "one str"), ({"a", "b"}, "one set"), (3, "one int")):
        with pytest.raises(TypeError, match=f"texts must be a list of texts, got {found}"):
            make(texts)
    with pytest.raises(TypeError, match="number 1 is a NoneType"):
        make(["ein hund", None])
    assert len(make(text for text in ["ein hund"])) > 4
    with pytest.raises(TypeError, match=r"got one str; write \[text\]"):
        make(["ein hund"]).encode_all("ein hund")


@pytest.mark.parametrize("size", [0, 3, -1])
def test_a_vocabulary_holds_its_special_pieces(size):
    for make in (Vocabulary.words, Vocabulary.bpe):
        with pytest.raises(ValueError, match=f"at least the 4 special pieces, got size={size}"):
            make(["ein hund"], size=size)
    assert len(Vocabulary.words(["ein hund"], size=4)) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: json.dumps({"kind": "bpe"}),
        lambda text: json.dumps({"kind": "bpe", "tokenizer": {"model": 3}}),
        lambda text: text.replace('"BPE"', '"XYZ"'),
    ],
)
def test_damaged_file(damage, tmp_path):
    path = tmp_path / "vocabulary.json"
    BPE.save(path)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match="vocabulary.json is not a vocabulary .* damaged"):
        Vocabulary.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "nothing.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="binary.json"):
        Vocabulary.load(tmp_path / "binary.json")


# --- BPE-dropout ------------------------------------------------------------------------------


@given(parts=st.lists(st.sampled_from([*LOWER, "≈", "<eos>", "7", "."]), max_size=25))
@quick
def test_without_dropout_nothing_is_sampled(parts):
    text = "".join(parts)
    assert WIDE.sample_all([text], dropout=0.0) == [WIDE.encode(text)]


@given(
    text=st.text(st.sampled_from(LOWER), max_size=25),
    dropout=st.floats(0, 1),
    seed=st.integers(0, 9),
)
@quick
def test_sampled_pieces_still_spell_the_text(text, dropout, seed):
    assume(set(folded(text)) <= set(LOWER) | {" "})
    (ids,) = WIDE.sample_all([text], dropout, seed)
    assert WIDE.decode(ids) == folded(text)


def test_dropout_of_one_spells_letter_by_letter_and_more_dropout_gives_more_pieces():
    text = TEXTS[0].lower().replace(" ", "▁")
    (letters,) = BPE.sample_all([TEXTS[0]], dropout=1.0)
    assert "".join(BPE.pieces(letters)) == "▁" + text and len(letters) == len(text) + 1
    counts = [
        sum(map(len, BPE.sample_all(TEXTS * 20, dropout, seed=3))) for dropout in (0, 0.1, 0.5, 1)
    ]
    assert counts == sorted(set(counts))


def test_samples_depend_on_the_seed_alone():
    first, second = (BPE.sample_all(TEXTS, 0.5, seed) for seed in (1, 2))
    assert first == BPE.sample_all(TEXTS, 0.5, seed=1) != second


@pytest.mark.parametrize("dropout", [-0.1, 1.1, float("nan")])
def test_dropout_is_a_probability(dropout):
    with pytest.raises(ValueError, match=r"from 0 to 1"):
        BPE.sample_all(TEXTS, dropout)


def test_a_vocabulary_of_words_has_no_merges():
    with pytest.raises(ValueError, match="no merges"):
        WORDS.sample_all(TEXTS, 0.1)
