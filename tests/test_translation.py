"""`Translator` and the command ``python -m course_utils translate``."""

import io
import os
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.__main__ import main
from course_utils.batches import make_batch
from course_utils.paths import REPO
from course_utils.search import beam_search
from course_utils.tasks.inference import search_in_batches
from course_utils.tasks.translation import command
from course_utils.tasks.translation.data import TranslationData, with_numerals
from course_utils.tasks.translation.translator import Translator
from course_utils.text import normaliser
from course_utils.vocabulary import EOS, Vocabulary
from tools.tiny import (
    TEXTS,
    few,
    tiny_checkpoint,
    tiny_translator,
    tiny_vocabulary,
)

SPACES = [c for c in map(chr, range(0x3001)) if c.isspace() and c not in "\x1c\x1d\x1e\x1f"]
ODD_LINES = [
    "ein hund\u2028läuft",  # these end a line for str.splitlines, not for us
    "ein\x0bhund\x0c\x1c\x1d\x1eläuft\x85\u2029",
    "日本語 שלום 😀 e\u0301 \u200b\ufeff ☃",
    "\x00\x01\x7f",
    "<pad> <bos> <eos> <unk>",
    "▁▁ ▁hund",
    "HUND hund Hund",
    "..., !?",
    "\ufeffein hund",
    "a\rb",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint of a tiny, untrained translator: what it writes is nonsense."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    tiny_checkpoint(folder)
    return folder


@pytest.fixture(scope="module")
def translator(folder):
    return Translator.load(folder)


# --- Translator -------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 3])
def test_neighbours_do_not_influence_a_text(translator, beam):
    together = translator.translate(TEXTS, beam=beam)
    assert len({t.text for t in together}) > 3  # the nonsense depends on the input
    small_batches = translator.translate(TEXTS[::-1], beam=beam, batch_size=2)[::-1]
    for text, found, other in zip(TEXTS, together, small_batches, strict=True):
        (alone,) = translator.translate([text], beam=beam)
        assert found.source == text
        assert alone.text == found.text == other.text
        for different in (alone, other):
            np.testing.assert_allclose(
                different.only.attention, found.only.attention, atol=1e-5, rtol=1e-4
            )
            np.testing.assert_allclose(
                different.only.word_attention, found.only.word_attention, atol=1e-5, rtol=1e-4
            )


def test_beam_is_the_beam_search_of_the_model(translator):
    text = TEXTS[2].rstrip(".") + "."
    ids = translator.vocabulary.encode(text)
    memory = translator.model.encoder.encode(torch.tensor([ids]), torch.tensor([len(ids)]))
    ((expected,),) = beam_search(
        translator.model.decoder, memory, 4, 2 * len(ids) + 10, 0.5, max_repeats=4
    )
    (found,) = translator.translate([text], beam=4, alpha=0.5)
    assert found.only.hypothesis.tokens == expected.tokens
    assert found.text == translator.vocabulary.decode(expected.tokens)
    assert translator.predict([text], 4, 0.5) == [found.text]


def test_segment_names_rows_and_columns(translator):
    for found in translator.translate(TEXTS):
        segment = found.only
        words = "".join(segment.source_pieces).replace("▁", " ").split()
        plain = normaliser().normalize_str(found.source)
        assert words == (plain + "." * segment.completed).split()
        assert segment.attention.shape == (len(segment.target_pieces), len(segment.source_pieces))
        np.testing.assert_allclose(segment.attention.sum(axis=1), 1, atol=1e-5)
        assert (segment.target_pieces[-1] == "<eos>") == segment.hypothesis.finished
        words = segment.word_attention
        of_source = translator.vocabulary.words_of_pieces(segment.source_ids)
        of_target = translator.vocabulary.words_of_pieces(segment.hypothesis.tokens)
        assert words.shape == (max(of_target) + 1, max(of_source) + 1)
        np.testing.assert_allclose(words.sum(axis=1), 1, atol=1e-5)


def test_finished_and_unfinished_outputs(translator):
    bias = translator.model.decoder.output_bias
    kept = bias.detach().clone()
    try:
        with torch.no_grad():
            bias[EOS] = -torch.inf
        (endless,) = translator.translate(["ein hund"])
        pieces = len(endless.only.source_ids)
        written = endless.only.hypothesis.tokens
        looping = any(written[-5 * n :] == written[-n:] * 5 for n in range(1, 5))
        assert not endless.finished and (looping or len(written) == 2 * pieces + 10)
        assert "<eos>" not in endless.only.target_pieces
        with torch.no_grad():
            bias[EOS] = 1e6
        (nothing,) = translator.translate(["ein hund"])
        assert nothing.text == "" and nothing.only.target_pieces == ["<eos>"]
        assert nothing.only.word_attention.shape == (0, 3)  # "ein hund.": a full stop was added
        assert nothing.finished
    finally:
        with torch.no_grad():
            bias.copy_(kept)


def test_blank_texts_and_no_texts(translator):
    assert translator.translate([]) == []
    found = translator.translate(["", TEXTS[0], " \t\u2028\u3000"])
    assert [t.text for t in found] == ["", translator.predict([TEXTS[0]])[0], ""]
    assert [len(t.segments) for t in found] == [0, 1, 0]
    with pytest.raises(ValueError, match="in 0 segments, not one"):
        _ = found[0].only


@given(texts=st.lists(st.text(max_size=12), max_size=4))
@few
def test_any_text_translates(translator, texts):
    found = translator.translate(texts)
    assert [t.source for t in found] == texts
    assert all(isinstance(t.text, str) and "<pad>" not in t.text for t in found)


@given(
    words=st.lists(st.sampled_from([*" ".join(TEXTS).split(), "wiesenblumen"]), max_size=60),
    longest=st.integers(1, 20),
)
@few
def test_cutting_loses_nothing(translator, words, longest):
    cutter = Translator(translator.model, translator.vocabulary, longest)
    ids = translator.vocabulary.encode(" ".join(words))
    parts = cutter.cut(ids)
    assert [i for part in parts for i in part] == ids
    assert all(1 <= len(part) <= longest for part in parts)


def test_long_texts_are_cut_after_punctuation():
    vocabulary = tiny_vocabulary()
    cutter = Translator(tiny_translator(), vocabulary, longest_segment=12)

    def parts(text):
        return [vocabulary.decode(ids) for ids in cutter.cut(vocabulary.encode(text))]

    assert parts("ein hund läuft.") == ["ein hund läuft."]
    # After the last sentence end that fits, rather than after a later comma.
    assert parts("ein hund läuft. die frau, ein mann, ein kinder.")[0] == "ein hund läuft."
    assert parts("ein hund läuft, die frau läuft mit einem ball im park")[0] == "ein hund läuft,"
    # A mark inside a word or before a closing quote does not end a sentence.
    assert parts("ein hund.hund läuft über die wiese mit einem")[0] != "ein hund."
    assert parts("„wer ist da?“ fragt die frau mit einem ball")[0] != "„wer ist da?"
    # Without any mark: between words, where one ends.
    pieces = [" ".join(["wiese"] * 30), " ".join(["hund klettert"] * 15)]
    for text in pieces:
        assert " ".join(parts(text)) == text
        assert len(parts(text)) > 2


def test_each_sentence_is_translated_as_if_it_stood_alone(translator):
    first, second = "Ein Hund läuft.", "Wer ist da?"
    (both,) = translator.translate([f"{first} {second}"], beam=2)
    apart = translator.translate([first, second], beam=2)
    assert both.text == f"{apart[0].text} {apart[1].text}"
    assert len(both.segments) == 2 and both.finished == all(t.finished for t in apart)
    assert both.source_pieces == apart[0].source_pieces + apart[1].source_pieces
    assert both.target_pieces == apart[0].target_pieces + apart[1].target_pieces
    rows, columns = apart[0].attention.shape
    np.testing.assert_allclose(both.attention[:rows, :columns], apart[0].attention, atol=1e-5)
    np.testing.assert_allclose(both.attention[rows:, columns:], apart[1].attention, atol=1e-5)
    assert not both.attention[:rows, columns:].any() and not both.attention[rows:, :columns].any()


def test_a_missing_full_stop_changes_nothing_but_the_full_stop(translator):
    for text in ("Ein Hund läuft", "Ein Hund läuft im Park,", "„Ein Hund läuft“"):
        (without,) = translator.translate([text])
        (with_stop,) = translator.translate([text.rstrip(",") + "."])
        assert without.only.hypothesis.tokens == with_stop.only.hypothesis.tokens
        assert without.text == with_stop.text.removesuffix(".").rstrip()
        assert without.only.completed and not with_stop.only.completed
    for invisible in ("\u00ad", "\u200b \u200b"):  # nothing to complete
        assert translator.segments(invisible) == []
    cutter = Translator(translator.model, translator.vocabulary, longest_segment=5)
    added = [completed for _, completed in cutter.segments("ein hund läuft im park")]
    assert len(added) > 1 and added == [False] * (len(added) - 1) + [True]  # only the last one
    (whole,) = translator.translate([TEXTS[0]])
    dots = replace(whole.only.hypothesis, tokens=translator.vocabulary.encode("wer ist da..."))
    assert replace(whole.only, hypothesis=dots, completed=True).text == "wer ist da.."
    generated = Translator(translator.model, Vocabulary.words(["ein hund läuft . "]))
    assert generated.segments("ein hund läuft") == [
        (generated.vocabulary.encode("ein hund läuft"), False)
    ]


def test_sentences_are_those_of_the_language(translator):
    text = "Er geht bzw. Hunde gehen."
    german, english = (
        Translator(translator.model, translator.vocabulary, language=language).segments(text)
        for language in ("de", "en")
    )
    assert len(german) == 1 and len(english) > 1


def test_numerals_are_the_same_in_both_languages():
    pairs = [(f"Zwei Hunde sehen Ball {i}.", f"Two dogs see ball {i}.") for i in range(400)]
    pairs += [("Drei Hunde und drei Bälle", "Three dogs and three balls")]
    pairs += [("Ein Mann", "Two men")]
    copies = with_numerals(pairs, share=0.5)
    assert copies == with_numerals(pairs, share=0.5) and copies != with_numerals(pairs, 0.5, seed=1)
    times = [pair for pair in copies if "Uhr" in pair[0]]
    counts = [pair for pair in copies if "Uhr" not in pair[0]]
    assert 10 <= len(times) <= 35 and 150 <= len(counts) <= 250
    for german, english in times:
        hour, minute = re.search(r" um (\d+):(\d\d) Uhr\.$", german).groups()
        assert english.endswith(f" at {hour}:{minute}.") and int(hour) < 24 and int(minute) < 60
    for german, english in counts:
        numeral = german.split()[0]
        assert re.fullmatch(r"[1-9]\d{0,3}(\.\d)?", numeral)
        assert english == f"{numeral} dogs see ball {german.split()[-1]}"
    assert with_numerals(pairs, share=0.0) == []
    unclear = [("Drei Hunde und drei Bälle", "Three dogs and three balls"), ("Zwei", "Two of two")]
    unclear += [("Zweifellos ein Hund", "A dog, two meters away"), ("Ein Mann", "Two men")]
    assert with_numerals(unclear, share=1.0) == []


def test_long_texts_come_back_in_order(translator):
    sentences = [text for text in TEXTS for _ in range(3)]
    cutter = Translator(translator.model, translator.vocabulary, longest_segment=30)
    (found,) = cutter.translate([" ".join(sentences)])
    assert len(found.segments) > 3
    texts = [cutter.vocabulary.decode(s.source_ids) for s in found.segments]
    assert " ".join(texts) == cutter.vocabulary.decode(cutter.vocabulary.encode(found.source))
    outputs = [cutter.vocabulary.decode(s.hypothesis.tokens) for s in found.segments]
    assert found.text == " ".join(output for output in outputs if output)
    for segment in found.segments:  # each as if it stood alone
        (alone,) = cutter.translate([cutter.vocabulary.decode(segment.source_ids)])
        assert alone.only.source_ids == segment.source_ids
        assert alone.only.hypothesis.tokens == segment.hypothesis.tokens
    with pytest.raises(ValueError, match="segments, not one"):
        _ = found.only


def test_translating_does_not_change_the_mode_of_the_model(translator):
    model = tiny_translator(source_size=120, target_size=None, train=True)
    in_training = Translator(model, translator.vocabulary)
    first = in_training.predict(TEXTS)
    assert model.training and in_training.predict(TEXTS) == first  # no dropout while it translates
    in_training.attention_of([(TEXTS[0], TEXTS[1])])
    assert model.training
    model.eval()
    in_training.predict(TEXTS[:1])
    assert not model.training


def test_attention_of_given_pairs(translator):
    pairs = [(TEXTS[0], TEXTS[1]), (TEXTS[2], "ein hund läuft."), ("hund", "zwei"), ("ball", "")]
    found = translator.attention_of(pairs, batch_size=3)
    vocabulary = translator.vocabulary
    for (source, target), weights in zip(pairs, found, strict=True):
        source_ids, target_ids = vocabulary.encode(source), vocabulary.encode(target)
        (example,) = TranslationData([], [], vocabulary).to_examples([(source, target)])
        assert (example.source, example.target) == (source_ids, target_ids)
        with torch.no_grad():
            pieces = translator.model(make_batch([example]))[1][0]
        of_source = vocabulary.words_of_pieces(source_ids)
        of_target = vocabulary.words_of_pieces(target_ids)
        assert weights.shape == (max(of_target, default=-1) + 1, max(of_source) + 1)
        for t, s in np.ndindex(weights.shape):
            rows = [
                sum(float(pieces[i, j]) for j in range(len(of_source)) if of_source[j] == s)
                for i in range(len(of_target))
                if of_target[i] == t
            ]
            assert weights[t, s] == pytest.approx(sum(rows) / len(rows), abs=1e-5)


def test_translation_data():
    pairs = [("ein hund läuft .", "zwei kinder"), ("ein ball .", "die frau läuft ."), ("hund", "")]
    data = TranslationData(pairs, pairs[::-1], tiny_vocabulary())
    assert data.vocabulary.decode(data.examples[1].target) == "die frau läuft ."
    (batch,) = data.valid_batches
    lengths = (batch.target_out != 0).sum(dim=1).tolist()
    assert lengths == sorted(lengths)
    assert sorted(i for b in data.batches(10).epoch(0) for i in b) == [0, 1, 2]


def test_word_vocabulary_translates_too():
    vocabulary = Vocabulary.words(["the dog sees the cat", "le chien voit le chat"])
    model = tiny_translator(source_size=len(vocabulary), target_size=None)
    (found,) = Translator(model, vocabulary).translate(["the cat sees the bird"])
    assert found.only.source_pieces == ["the", "cat", "sees", "the", "<unk>"]
    assert found.only.word_attention.shape[1] == 5


# --- the command, called directly -------------------------------------------------------------


def run_command(data: bytes, *arguments) -> tuple[int, bytes]:
    """Run the command with bytes as standard input: exit status and output bytes."""
    standard_input, output = io.TextIOWrapper(io.BytesIO(data)), io.BytesIO()
    standard_output = io.TextIOWrapper(output)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", standard_input)
        patch.setattr(sys, "stdout", standard_output)
        status = main(["translate", *map(str, arguments)])
    standard_output.flush()
    return status, output.getvalue()


@pytest.fixture
def translate(folder, capsys):
    """Run the command on bytes: exit status, output bytes, error text."""

    def run(data: bytes, *options, checkpoint=folder):
        status, output = run_command(data, "--checkpoint", checkpoint, *options)
        return status, output, capsys.readouterr().err

    return run


def expected_output(translator, texts, **search):
    found = translator.translate(texts, **search)
    return [" ".join(t.text.split()) + ("" if t.finished else " …") for t in found]


def lines(output: bytes):
    assert output.endswith(b"\n")
    return output.decode("utf-8")[:-1].split("\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_line_in_one_line_out(translate, translator, end):
    data = "".join(text + end for text in TEXTS).encode()
    status, output, errors = translate(data)
    assert (status, errors) == (0, "")
    assert lines(output) == expected_output(translator, TEXTS)
    assert b"\r" not in output
    # Without an end of the last line the output is the same.
    assert translate(data.removesuffix(end.encode())) == (0, output, "")


def test_only_newline_ends_a_line(translate, translator):
    status, output, errors = translate("\n".join(ODD_LINES).encode() + b"\n")
    assert (status, errors) == (0, "")
    assert lines(output) == expected_output(translator, ODD_LINES)
    assert len(lines(output)) == len(ODD_LINES)


@given(texts=st.lists(st.text(max_size=10), min_size=1, max_size=5))
@few
def test_any_unicode_keeps_the_number_of_lines(folder, texts):
    texts = [text.replace("\n", " ") for text in texts]
    data = "".join(text + "\n" for text in texts).encode()
    status, output = run_command(data, "--checkpoint", folder)
    found = lines(output)
    assert status == 0
    assert len(found) == len(texts)
    for text, line in zip(texts, found, strict=True):
        if not text.strip("".join(SPACES)):
            assert line == ""


def test_blank_lines_stay_blank(translate, translator):
    data = "\n\nein hund\n \n\t \u3000\n\r\nball\n\n".encode()
    status, output, errors = translate(data)
    assert (status, errors) == (0, "")
    dog, ball = expected_output(translator, ["ein hund", "ball"])
    assert lines(output) == ["", "", dog, "", "", "", ball, ""]
    assert translate(b"\n") == (0, b"\n", "")


def test_empty_input_gives_empty_output(translate):
    assert translate(b"") == (0, b"", "")


def test_more_lines_than_one_chunk(translate, translator, monkeypatch):
    monkeypatch.setattr("course_utils.commands.lines.CHUNK", 4)
    expected = expected_output(translator, TEXTS)
    for number in (4, 6):
        _, output, _ = translate("\n".join(TEXTS[:number]).encode())
        assert lines(output) == expected[:number]


def test_beam(translate, translator):
    status, output, _ = translate("\n".join(TEXTS).encode(), "--beam", 3)
    assert status == 0
    assert lines(output) == expected_output(translator, TEXTS, beam=3)
    assert lines(output) != expected_output(translator, TEXTS)


def test_a_translation_without_an_end_is_marked(translate, translator, monkeypatch):
    one, two = translator.translate(["ein hund läuft.", "wer ist da?"])
    endless = replace(one.only.hypothesis, finished=False)
    cut = replace(one, segments=[replace(one.only, hypothesis=endless)])
    whole = replace(two, segments=[replace(two.only, hypothesis=replace(endless, finished=True))])
    monkeypatch.setattr(Translator, "translate", lambda *given, **search: [cut, whole])
    _, output, _ = translate(b"a\nb\n")
    assert [line.endswith(" …") for line in lines(output)] == [True, False]


def test_a_picture_shows_as_many_sentences_as_are_legible(translator):
    drawn = []
    for count in (1, 3, 400):
        (translation,) = translator.translate(["Ein Hund läuft. " * count])
        drawn.append(command.picture(translation))
    columns = [len(figure.axes[0].get_xticks()) for figure in drawn]
    alone = columns[0]
    assert columns[1] == 3 * alone and alone < columns[2] <= 100
    plt.close("all")


def test_very_long_lines(translate, monkeypatch):
    seen = []

    def search(model, sources, *arguments, **settings):
        seen.extend(len(ids) for ids in sources)
        return search_in_batches(model, sources, *arguments, **settings)

    monkeypatch.setattr("course_utils.tasks.translation.translator.search_in_batches", search)
    words = " ".join(TEXTS).split()
    long = " ".join(words[i % len(words)] for i in range(5000))
    one_word = "wiesenblumen" * 2000
    status, output, errors = translate(f"{long}\nhund\n{one_word}\n".encode())
    assert (status, errors) == (0, "")
    assert len(lines(output)) == 3 and len(lines(output)[0]) > 1000
    assert max(seen) <= 80, "an uncut line would take minutes"


def test_cutting_a_long_line_copies_it_once(translator):
    """Cutting off the front of what is left would copy a long line again for each segment."""

    class Counted(list):
        copied = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            Counted.copied += len(found) if isinstance(key, slice) else 0
            return Counted(found) if isinstance(key, slice) else found

    (ids,) = translator.vocabulary.encode_all(["wiesenblumen" * 2000])
    parts = translator.cut(Counted(ids))
    assert [i for part in parts for i in part] == ids and len(parts) > 100
    assert max(map(len, parts)) <= 80 and Counted.copied < 3 * len(ids)


def test_output_is_one_line_whatever_the_model_writes(translate, monkeypatch):
    monkeypatch.setattr(Vocabulary, "decode", lambda self, ids: "a\nb\u2028c\r")
    status, output, errors = translate(b"hund\nball\n")
    assert (status, errors) == (0, "")
    assert [line.removesuffix(" …") for line in lines(output)] == ["a b c"] * 2


# --- what goes wrong --------------------------------------------------------------------------


def one_line(errors):
    assert errors.endswith("\n") and errors.count("\n") == 1 and "Traceback" not in errors
    return errors


@pytest.mark.parametrize(
    "data,place",
    [
        (b"ein hund\nsch\xf6n\n", "line 2 .*byte 4"),
        (b"\xff\xfe\n", "line 1 .*byte 1 "),
        (b"hund\n\nab\xed\xa0\x80", "line 3 .*byte 3"),  # half of a surrogate pair
        (b"hund \xe2\x82", "line 1 .*byte 6"),  # a character cut off
    ],
)
def test_invalid_utf8(translate, data, place):
    status, _, errors = translate(data)
    assert status == 1
    assert re.search(place, one_line(errors)) and "UTF-8" in errors


def test_unknown_checkpoint(translate):
    status, output, errors = translate(b"hund\n", checkpoint="no-such\nthing")
    assert (status, output) == (1, b"")
    assert "no checkpoint" in one_line(errors)


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "card.json"])
@pytest.mark.parametrize("how", ["cut", "missing"])
def test_damaged_checkpoint(translate, tmp_path, name, how):
    tiny_checkpoint(tmp_path / "broken")
    path = tmp_path / "broken" / name
    if how == "cut":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.unlink()
    status, output, errors = translate(b"hund\n", checkpoint=tmp_path / "broken")
    assert (status, output) == (1, b"")
    assert "broken" in one_line(errors)


def test_impossible_options(translate, tmp_path):
    status, _, errors = translate(b"hund\n", "--beam", 0)
    assert status == 1 and "--beam must be at least 1" in one_line(errors)
    status, _, errors = translate(b"hund\n", "--attention", tmp_path / "no" / "heat.png")
    assert status == 1 and "does not exist" in one_line(errors)
    status, _, errors = translate(b"hund\n", "--attention", f"{tmp_path}/new/")
    assert status == 1 and "is a folder; it must be the name of a file" in one_line(errors)
    assert not (tmp_path / "new").exists()
    status, _, errors = translate(b"hund\n", "--attention", tmp_path / "heat.xyz")
    assert status == 1 and "xyz" in one_line(errors)


# --- heat maps --------------------------------------------------------------------------------


def is_picture(path):
    picture = plt.imread(path)
    return picture.shape[0] > 100 and picture.shape[1] > 100 and picture[..., :3].std() > 0.01


def test_heat_map_of_one_line(translate, tmp_path):
    plt.close("all")
    status, output, errors = translate(b"\nein hund.\n\n", "--attention", tmp_path / "heat.png")
    assert (status, errors) == (0, "") and len(lines(output)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["heat.png"]
    assert is_picture(tmp_path / "heat.png")
    assert not plt.get_fignums()


def test_heat_maps_of_several_lines(translate, tmp_path, monkeypatch):
    monkeypatch.setattr("course_utils.commands.lines.CHUNK", 2)
    data = "ein hund, der läuft .\n\nball\n".encode()
    status, _, errors = translate(data, "--attention", tmp_path / "heat.png")
    assert (status, errors) == (0, "")
    # The number is that of the line; a blank line has no picture.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heat-1.png", "heat-3.png"]
    assert all(is_picture(path) for path in tmp_path.iterdir())


def test_heat_map_of_a_long_line_and_of_no_line(translate, tmp_path):
    assert translate(b"\n", "--attention", tmp_path / "heat.png") == (0, b"\n", "")
    assert not list(tmp_path.iterdir())
    data = " ".join(TEXTS * 3).encode()
    assert translate(data, "--attention", tmp_path / "long")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["long.png"]


# --- the command as a program -----------------------------------------------------------------


def test_as_a_program(folder, translator, tmp_path):
    """One real run: bytes through real pipes, in another folder, with the locale of 1970."""
    texts = [*TEXTS, *ODD_LINES, ""]
    run = subprocess.run(
        [sys.executable, "-m", "course_utils", "translate", "--checkpoint", folder],
        input="".join(text + "\r\n" for text in texts).encode(),
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": str(REPO)},
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, b"")
    assert lines(run.stdout) == expected_output(translator, texts)


def test_a_reader_that_leaves_early(folder):
    """``translate < many lines | head -1`` ends without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "course_utils", "translate", "--checkpoint", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPO,
    )
    process.stdout.close()  # the reader is gone before the first line
    _, errors = process.communicate(b"ein hund\n" * 300, timeout=60)
    assert errors == b"" and process.returncode == 1
