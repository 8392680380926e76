"""Summarisation: briefings, the extended vocabulary, the pointer, measures, and the command."""

import hashlib
import io
import json
import math
import sys
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.__main__ import main
from course_utils.batches import Example, make_batch
from course_utils.checkpoints import save_checkpoint
from course_utils.datasets import registry as registry_module
from course_utils.datasets.generated.briefings import (
    DAYS,
    FACTS,
    KINDS,
    SPLITS,
    THINGS,
    VERBS,
    briefings,
    known_words,
)
from course_utils.datasets.public.aeslc import aeslc
from course_utils.datasets.registry import Content, DataError, PublicDataset, RemoteFile
from course_utils.models.pointer import (
    PointerDecoder,
    PointerEncoder,
    build_summarizer,
    coverage_loss,
    pointer_distribution,
)
from course_utils.search import beam_search, greedy_search
from course_utils.tasks.summarization import baselines, measures, studies
from course_utils.tasks.summarization.data import (
    SummarizationData,
    aeslc_data,
    generated_briefings,
    proper_nouns,
)
from course_utils.tasks.summarization.extended import extend, to_example, words_of, written
from course_utils.tasks.summarization.studies import (
    copied,
    measure_briefings,
    measure_subjects,
)
from course_utils.tasks.summarization.summarizer import Summarizer, summary_loss
from course_utils.training import train_step
from course_utils.vocabulary import EOS, PAD, UNK, Vocabulary
from tools.tiny import few, quick

# --- briefings --------------------------------------------------------------------------------


def test_briefings_are_the_same_everywhere():
    text = "\n".join(f"{b.text}\t{b.summary_text}\t{b.places}" for b in briefings("test", 50))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == BRIEFINGS, f"the generated briefings have changed: {digest}"
    assert briefings("test", 7) == briefings("test")[:7]
    assert briefings("test", 7) != briefings("test", 7, seed=1)


BRIEFINGS = "108f21a68af184a97ea4e4af5bff1bcb12c75ad2b565dbfeb822a06166142664"


@pytest.mark.parametrize("split", SPLITS)
def test_every_word_of_a_summary_is_where_it_says(split):
    known = set(known_words())
    fewest, most = FACTS[split]
    for b in briefings(split, 200):
        assert len(b.summary) == len(b.places) == len(b.kinds)
        for word, place, kind in zip(b.summary, b.places, b.kinds, strict=True):
            assert kind in KINDS and (place is None) == (kind == "generated")
            assert (word in known) == (kind != "new")
            if place is None:
                assert word not in b.words
            else:
                assert b.words[place] == word
        facts = " ".join(b.summary).split(" ; ")
        assert fewest <= len(facts) <= most
        for fact in facts:
            who, verb, number, thing, day = fact.split()
            assert who.isalpha() and number.isdigit() and verb in VERBS
            assert thing in THINGS and day in DAYS
            # New words and things occur once, so there is one right place.
            assert all(b.words.count(word) == 1 for word in (who, number, thing))
        # The words of one fact come from one sentence.
        ends = [i for i, word in enumerate(b.words) if word == "."]
        for start in range(0, len(b.summary), 6):
            places = [p for p in b.places[start : start + 5] if p is not None]
            assert len({sum(end < p for end in ends) for p in places}) == 1


def test_no_new_word_is_in_two_splits():
    known = set(known_words())
    new = {split: {w for b in briefings(split) for w in b.words} - known for split in SPLITS}
    for split in ("valid", "test", "long"):
        assert len(new[split]) > 500 and not new[split] & new["train"]
    assert not set(VERBS) & {w for b in briefings("train", 500) for w in b.words}
    for wrong in (("dev",), ("test", -1)):
        with pytest.raises(ValueError, match="one of|negative"):
            briefings(*wrong)


# --- AESLC, from an archive made here ---------------------------------------------------------


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A made-up archive in place of AESLC: pack({member: text})."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)

    def pack(members):
        with zipfile.ZipFile(tmp_path / "AESLC-master.zip", "w") as archive:
            for name, text in members.items():
                archive.writestr(f"AESLC-master/enron_subject_line/{name}", text)
        manifest = (Content("*", len(members)),)
        file = RemoteFile("AESLC-master.zip", "http://nowhere.invalid/x", manifest=manifest)
        entry = PublicDataset("aeslc", "t", (file,), "l", "c")
        monkeypatch.setattr(registry_module, "REGISTRY", {"aeslc": entry})

    return pack


def test_subjects_are_read(packed):
    packed(
        {
            "train/b_2.subject": "One\ntwo.\n\n@subject\nThe  subject\n",
            "train/a_1.subject": "Write to a@subject now\r\n\r\n@subject\r\nFirst\r\n",
            "dev/c_1.subject": "Text\n\n@subject\nTheirs\n\n@ann0\nOther\n\n@ann1\nThird\n",
            "test/d.subject": b"caf\xe9\n\n@subject\nX",
            "test/notes.txt": "no e-mail",
        }
    )
    assert aeslc("train") == [("Write to a@subject now", "First"), ("One two.", "The subject")]
    assert aeslc("valid") == [("Text", "Theirs")]
    assert aeslc("test") == [("caf\ufffd", "X")]
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        aeslc("dev")


def test_damaged_subjects(packed):
    packed({"train/a.subject": "no subject", "dev/readme": ""})
    with pytest.raises(DataError, match="has no subject line.*data get aeslc"):
        aeslc("train")
    with pytest.raises(DataError, match="no e-mails of the part “valid”"):
        aeslc("valid")


def test_names_are_no_words():
    texts = [
        "We met Petra and the will of Zoe. Thanks to petra@norvalta.com for the gas",
        "I wrote to Petra on Monday. Gas is sold in May, he will see; Yours",
    ]
    is_name = proper_nouns(texts)
    names = "petra zoe norvalta yours thanks".split()
    assert all(map(is_name, names[:3])) and is_name("yours")
    assert not any(map(is_name, "met the will gas monday may i i'm and".split()))
    assert proper_nouns(["to Gas , to gas , to Gas"], 0.6)("gas")
    assert not proper_nouns(["to Gas , to gas , to Gas"], 0.7)("gas")


def test_the_vocabulary_of_emails_has_no_names_and_numbers(packed, monkeypatch):
    text = "We met Petra of Norvalta in room 4217 , and she is well.\n\n@subject\nMeeting Petra 7\n"
    packed({"train/a.subject": text, "dev/b.subject": text, "test/c.subject": text})
    data = aeslc_data()
    pieces = set(data.vocabulary.pieces(range(4, len(data.vocabulary))))
    assert {"met", "room", ",", "she"} <= pieces
    assert not {"petra", "norvalta", "4217", "7"} & pieces
    assert data.valid_batches[0].target.max() >= len(data.vocabulary), "Petra is copied"


# --- the extended vocabulary ------------------------------------------------------------------

KNOWN = Vocabulary.words(["the gas contract moves to monday , says"], punctuation=True)


@quick
@given(
    words=st.lists(st.sampled_from(["gas", "to", ",", "zoe", "7", "norvalta"]), max_size=9),
    said=st.lists(st.sampled_from(["gas", "zoe", "7", "adam"]), max_size=5),
)
def test_ids_of_unknown_words(words, said):
    unknown = []
    ids = extend(KNOWN, words, unknown, grow=True)
    new = [w for w in dict.fromkeys(words) if w in ("zoe", "7", "norvalta")]
    assert unknown == new and written(KNOWN, ids, unknown) == words
    assert all((i >= len(KNOWN)) == (w in new) for i, w in zip(ids, words, strict=True))
    target = extend(KNOWN, said, unknown)
    assert unknown == new, "a summary does not extend the vocabulary"
    back = written(KNOWN, target, unknown)
    assert back == [w if w in words or w == "gas" else "<unk>" for w in said]


def test_words_are_normalised_and_keep_their_place():
    text = "The GAS—contract’s 〈Norvalta〉… <eos> ﬁn"
    words = words_of(KNOWN, text)
    assert [w for w, _ in words][:4] == ["the", "gas", "-", "contract's"]
    assert "norvalta" in [w for w, _ in words] and "fin" in [w for w, _ in words]
    for word, (start, end) in words:
        assert word and 0 <= start <= end <= len(text)
    places = {word: text[start:end] for word, (start, end) in words}
    assert (places["gas"], places["norvalta"], places["fin"]) == ("GAS", "Norvalta", "ﬁn")


def test_special_pieces_in_a_text_are_words():
    plain = Vocabulary.words(["a b"])
    example, unknown = to_example(plain, "a <eos> <pad> b <unk>", "<eos> b <bos>", 9)
    assert unknown == ["<eos>", "<pad>", "<unk>"] and min(example.source) > UNK
    assert example.target == [example.source[1], example.source[3], UNK]


def test_only_the_first_words_are_read():
    example, unknown = to_example(KNOWN, "gas zoe monday adam", "adam zoe", 3)
    assert len(example.source) == 3 and unknown == ["zoe"]
    assert example.target == [UNK, len(KNOWN)]


# --- the pointer ------------------------------------------------------------------------------

V = 11


@few
@given(seed=st.integers(0, 99), ends=st.sampled_from([None, 0.0, 1.0]))
def test_the_mixture_is_a_distribution(seed, ends):
    generator = torch.Generator().manual_seed(seed)
    B, Tt, Tk, extra = 2, 3, 5, 4
    generated = torch.rand(B, Tt, V, generator=generator).softmax(dim=-1)
    weights = torch.rand(B, Tt, Tk, generator=generator).softmax(dim=-1)
    weights[0, :, 3:] = 0
    weights = weights / weights.sum(dim=-1, keepdim=True)
    ids = torch.randint(0, V + extra, (B, Tk), generator=generator)
    p_gen = torch.rand(B, Tt, 1, generator=generator)
    p_gen = p_gen if ends is None else torch.full_like(p_gen, ends)
    mixed = pointer_distribution(generated, weights, ids, p_gen)
    assert mixed.shape == (B, Tt, max(V, int(ids.max()) + 1)) and bool((mixed >= 0).all())
    torch.testing.assert_close(mixed.sum(dim=-1), torch.ones(B, Tt))
    for b, t, w in ((0, 0, int(ids[0, 0])), (1, 2, int(ids[1, 4])), (1, 1, 2)):
        copied_here = sum(float(weights[b, t, i]) for i in range(Tk) if ids[b, i] == w)
        p = float(p_gen[b, t])
        expected = p * (float(generated[b, t, w]) if w < V else 0) + (1 - p) * copied_here
        assert float(mixed[b, t, w]) == pytest.approx(expected, abs=1e-6)


def test_the_mixture_checks_its_sizes():
    generated, weights = torch.rand(2, 3, V), torch.rand(2, 3, 5)
    ids, p_gen = torch.zeros(2, 5, dtype=torch.long), torch.rand(2, 3, 1)
    for wrong in (
        (generated, weights[:1], ids, p_gen),
        (generated, weights, ids[:, :4], p_gen),
        (generated, weights, ids, p_gen[..., 0]),
        (generated, weights, ids.float(), p_gen),
    ):
        with pytest.raises(ValueError, match="weights|ids|p_gen"):
            pointer_distribution(*wrong)


def tiny(train=False, **settings):
    torch.manual_seed(0)
    sizes = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 8, "attention_dim": 7}
    model = build_summarizer(V, **sizes | {"dropout": 0.0} | settings)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model.train(train)


def examples():
    return [
        Example([4, V, 5, V + 1, V], [V + 1, 4, V]),
        Example([6, 7, V], [V, 8]),
        Example([5, 9, 4, 8, 7, 6, V], [5, 9]),
    ]


SCORES = ("additive", "coverage", "general")


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("copies", [True, False])
def test_steps_give_what_reading_at_once_gives(score, copies):
    settings = {"attention_dim": None} if score == "general" else {}
    model = tiny(score=score, copies=copies, **settings)
    batch = make_batch(examples())
    with torch.no_grad():
        log_probs, weights = model(batch)
        state = model.decoder.start(model.remember(batch))
        for t, tokens in enumerate(batch.target_in.unbind(dim=1)):
            step, state, looked = model.decoder.step(state, tokens)
            torch.testing.assert_close(step, log_probs[:, t], atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(looked, weights[:, t], atol=1e-5, rtol=1e-5)
    total = log_probs.exp().sum(dim=-1)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-5, rtol=0)
    assert log_probs.shape[-1] == (V + 2 if copies else V)


def test_a_text_does_not_depend_on_its_neighbours():
    model = tiny(score="coverage")
    together = model(make_batch(examples()))[0]
    for row, example in enumerate(examples()):
        alone = model(make_batch([example]))[0][0]
        width, steps = alone.shape[-1], len(example.target) + 1
        torch.testing.assert_close(together[row, :steps, :width], alone, atol=1e-5, rtol=1e-5)


def test_new_words_are_read_as_unknown_and_still_told_apart():
    model = tiny()
    first, second = (Example([4, new, 5], [new]) for new in (V, V + 3))
    one, other = (model.remember(make_batch([e])) for e in (first, second))
    torch.testing.assert_close(one.keys, other.keys)
    assert one.ids.tolist() == [[4, V, 5]] and other.ids.tolist() == [[4, V + 3, 5]]
    a, b = (model(make_batch([e]))[0][0, 0] for e in (first, second))
    assert a[V].item() == pytest.approx(b[V + 3].item())
    assert b[V].item() < math.log(1e-11), "no such word in the second text"


@pytest.mark.parametrize("bias", [200.0, -200.0])
def test_a_switch_of_exactly_one_or_zero(bias):
    model = tiny(train=True)
    torch.nn.init.zeros_(model.decoder.switch.weight)
    torch.nn.init.constant_(model.decoder.switch.bias, bias)
    batch = make_batch(examples())
    state = model.decoder.start(model.remember(batch))
    reading, _ = model.decoder.read(state, batch.target_in)
    assert set(reading.p_gen.unique().tolist()) == {float(bias > 0)}
    probability = reading.log_probs.detach().exp()
    if bias > 0:
        assert float(probability[..., V:].max()) < 1e-11
    else:  # 3 and 10 are in no text
        assert float(probability[..., [UNK, 10]].max()) < 1e-11
    loss = summary_loss(model, batch)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.parametrize("score", SCORES)
def test_beam_search_scores_what_it_writes(score):
    model = tiny(score=score, **({"attention_dim": None} if score == "general" else {}))
    memory = model.remember(make_batch(examples()))
    greedy = greedy_search(model.decoder, memory, 9)
    found = beam_search(model.decoder, memory, 4, 9, best=3)
    assert [h.tokens for h in beam_search(model.decoder, memory, 1, 9)[0]] == [greedy[0].tokens]
    assert any(t >= V for hypotheses in found for h in hypotheses for t in h.tokens)
    for example, hypotheses in zip(examples(), found, strict=True):
        for h in hypotheses:
            again = make_batch([Example(example.source, h.tokens)])
            log_probs = model(again)[0].gather(2, again.target_out[..., None])[0, :, 0]
            counted = log_probs if h.finished else log_probs[:-1]
            assert h.log_prob == pytest.approx(float(counted.sum().detach()), abs=1e-4)


def test_unwritable_words_in_the_loss():
    unknown = [Example([4, V, 5], [4, UNK, V]), Example([6, 7], [8])]
    batch = make_batch(unknown)
    for copies in (True, False):
        model = tiny(copies=copies)
        log_probs, _ = model(batch)
        targets = batch.target_out.clone()
        if not copies:
            targets[targets >= V] = UNK
        counts = (targets != PAD) & ((targets != UNK) | (not copies))
        right = log_probs.gather(2, targets[..., None])[..., 0]
        expected = -right[counts].mean()
        torch.testing.assert_close(summary_loss(model, batch), expected)
        weighted = tiny(copies=copies, coverage_weight=0.7)
        extra = 0.7 * coverage_loss(weighted(batch)[1], batch.target_out)
        torch.testing.assert_close(summary_loss(weighted, batch), expected + extra)


def test_the_coverage_loss():
    weights = torch.tensor([[[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]], [[1.0, 0.0]] * 3])
    targets = torch.tensor([[5, 6, EOS], [5, EOS, PAD]])
    assert float(coverage_loss(weights, targets)) == pytest.approx((0 + 0.9 + 1 + 0 + 1) / 5)
    for wrong in ((weights[0], targets), (weights, targets[:, :2]), (weights, targets.float())):
        with pytest.raises(ValueError, match="weights|targets"):
            coverage_loss(*wrong)


def test_settings_that_cannot_be():
    for wrong in ({"coverage_weight": -0.1}, {"coverage_weight": math.nan}, {"longest": 0}):
        with pytest.raises(ValueError, match="coverage_weight|longest"):
            tiny(**wrong)
    assert isinstance(tiny().encoder, PointerEncoder) and isinstance(tiny().decoder, PointerDecoder)


@pytest.mark.slow
def test_a_pointer_learns_to_copy_and_attention_alone_does_not():
    data = generated_briefings()
    data.train = [pair for pair in data.train if ";" not in pair[1]][:400]  # one fact
    shares = {}
    for copies in (True, False):
        torch.manual_seed(0)
        model = build_summarizer(
            len(data.vocabulary),
            copies=copies,
            score="coverage",
            embedding_dim=32,
            memory_dim=64,
            hidden_dim=48,
            attention_dim=24,
            dropout=0.0,
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        stream = data.batches(400).forever()
        for _ in range(80):
            train_step(model, next(stream), optimizer, loss=summary_loss)
        given = [b for b in briefings("valid") if ";" not in b.summary]
        outputs = Summarizer(model, data.vocabulary).predict([b.text for b in given])
        shares[copies] = copied(outputs, given)
    assert shares[True] > 0.3 and shares[False] == 0


# --- measures and baselines -------------------------------------------------------------------


def test_rouge():
    outputs, references = ["The meeting moved", ""], ["meetings move to friday", "x"]
    scores = measures.rouge_scores(outputs, references, "rouge1")
    assert scores == pytest.approx([100 * 2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4), 0])
    assert measures.rouge2(outputs, references).score == pytest.approx(100 * 0.4 / 2)
    score = measures.rouge_l(outputs, references)
    assert score.score == pytest.approx(scores.mean())
    assert "rougeL F1" in score.signature and "rouge-score:0." in score.signature
    for wrong in (([], [], "rouge1"), (["a"], ["a", "b"], "rouge1"), (["a"], ["a"], "rouge9")):
        with pytest.raises(ValueError, match="needs one|unknown kind"):
            measures.rouge_scores(*wrong)
    with pytest.raises(TypeError, match="outputs"):
        measures.rouge1("a b", ["a"])


def test_repeated_ngrams():
    texts = ["a b a b a", "c c", ""]
    assert measures.repeated_ngrams(texts, 1) == pytest.approx((3 + 1) / 7)
    assert measures.repeated_ngrams(texts, 2) == pytest.approx(2 / 5)
    assert measures.repeated_ngrams(texts, 6) == 0.0
    with pytest.raises(ValueError, match="n=0"):
        measures.repeated_ngrams(texts, 0)


def test_pointer_accuracy():
    weights = [np.array([[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]), np.array([[0.3, 0.7]])]
    assert measures.pointer_accuracy(weights, [[1, 1, None], [1]]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="3 rows of weights for 2 words"):
        measures.pointer_accuracy(weights, [[1, 1], [1]])
    with pytest.raises(ValueError, match="no word"):
        measures.pointer_accuracy(weights[1:], [[None]])


def test_paired_difference():
    generator = np.random.default_rng(1)
    hard = generator.normal(0, 10, size=200)  # texts differ much more than the two ways
    first, second = hard + 1 + generator.normal(0, 0.5, 200), hard
    mean, low, high = measures.paired_difference(first, second)
    assert mean == pytest.approx((first - second).mean()) and 0.8 < low < mean < high < 1.2
    assert measures.paired_difference(first, second) == (mean, low, high)
    assert measures.paired_difference(second, first)[0] == pytest.approx(-mean)
    for wrong in (
        ([1.0], [2.0]),
        ([1.0, 2.0], [1.0, 2.0, 3.0]),
        (np.ones((2, 2)), np.ones((2, 2))),
    ):
        with pytest.raises(ValueError, match="two scores of each text"):
            measures.paired_difference(*wrong)


def test_summaries_without_a_network():
    text = "Dear Petra. The gas contract moves to Monday. We sign the contract on Monday. Bye."
    assert baselines.lead(text) == "Dear Petra." and baselines.first_words(text, 3) == (
        "Dear Petra. The"
    )
    assert "contract" in baselines.textrank(text) and baselines.textrank(text) in text
    for blank in ("", "  \n"):
        assert (baselines.lead(blank), baselines.textrank(blank)) == ("", "")
        assert baselines.first_words(blank, 4) == ""
    assert baselines.textrank("Yes. No. Perhaps.") == "Yes."
    with pytest.raises(ValueError, match="negative"):
        baselines.first_words(text, -1)
    known = [("gas contract signed", "contract"), ("lunch at noon", "lunch")]
    asked = ["who signed the gas contract", "noon", "gas gas"] * 100
    assert baselines.nearest(asked, known) == ["contract", "lunch", "contract"] * 100
    replaced = baselines.replace_unknown(
        ["<unk>", "pays", "<unk>"], [[0.1, 0.9], [1.0, 0.0], [0.6, 0.4]], ["7", "zoe"]
    )
    assert replaced == ["zoe", "pays", "7"]


def test_typical_words_are_those_of_summaries_rather_than_of_texts():
    typical = baselines.TypicalWords(
        [
            ("the gas contract and the gas price", "Gas contract"),
            ("the lunch at noon and the contract", "lunch at noon"),
        ]
    )
    text = "Gas, gas: the contract at NOON, says Petra"  # gas 0.85, contract 0.5, at and noon 1
    found = ["", "at", "at noon", "gas at noon", "gas contract at noon", "gas contract at noon"]
    assert [typical(text, count) for count in range(6)] == found
    assert typical("Petra says the", 3) == typical("", 3) == ""


def test_subjects_are_measured_beside_rivals(monkeypatch):
    """What each way writes, and what of it is in the e-mail; the split decides nothing else."""
    emails = [
        ("Zoe moves the gas contract to monday. Bye.", "zoe moves the gas contract"),
        ("now says Adam the contract moves .", "adam says now"),
        ("now says Adam the contract moves .", "something else"),
    ]
    parts = {"train": emails[1:], "valid": emails[:2], "test": emails}
    monkeypatch.setattr(studies, "aeslc", parts.get)
    found = measure_subjects(summarizer())["test"]
    assert found["new words"] == 2  # Zoe and Adam
    assert found["writes"]["lead"] == {"words": 6.33, "new words written": 1.0}
    assert found["writes"]["first words"]["words"] <= found["writes"]["ours"]["words"]
    assert found["from the e-mail"]["true"] == round(8 / 10, 4)
    assert found["known e-mails"] == 2 and found["fresh"]["e-mails"] == 1
    assert set(found["ahead"]) == set(found["writes"]) - {"ours"}


# --- the summariser and its command -----------------------------------------------------------

VOCABULARY = Vocabulary.words(["the gas contract moves to monday , says now ."], punctuation=True)


def summarizer(seed=0, **settings):
    torch.manual_seed(seed)
    sizes = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 8, "attention_dim": 7}
    model = build_summarizer(len(VOCABULARY), **sizes, longest=12, **settings).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
        model.decoder.output_bias[EOS] -= 1
    return Summarizer(model, VOCABULARY)


TEXTS = [
    "Petra says the gas contract moves.",
    "",
    "Norvalta, Norvalta, now!",
    "monday " * 40,
    " \u200b ",
    "<eos> <unk> ﬁn … 😀",
]


@few
@given(order=st.permutations(range(len(TEXTS))), beam=st.sampled_from([1, 3]))
def test_a_summary_does_not_depend_on_the_other_texts(order, beam):
    reader = summarizer()
    alone = [reader.summarize([text], beam=beam)[0] for text in TEXTS]
    together = reader.summarize([TEXTS[i] for i in order], beam=beam, batch_size=2)
    assert [s.source for s in together] == [TEXTS[i] for i in order]
    assert [s.output for s in together] == [alone[i].output for i in order]
    for s in together:
        assert s.attention.shape == ((len(s.output), len(s.words)) if s.words else (0, 0))
        assert len(s.words) == len(s.spans) <= 12
    assert together[list(order).index(1)].text == "" == together[list(order).index(4)].text


def test_copied_words_keep_their_spelling():
    reader = summarizer()
    (summary,) = reader.summarize(["NORVALTA moves to Monday , Petra ( 7 )"])
    words = ["norvalta", "moves", "to", "monday", ",", "now", "(", "petra", ")", "."]
    changed = type(summary)(summary.source, summary.words, summary.spans, words, None)
    assert changed.text == "NORVALTA moves to Monday, now (Petra)."


def test_tracing_reads_what_is_given():
    reader = summarizer()
    pairs = [("Petra says now", "petra now"), ("gas", "the gas contract")]
    traces = reader.trace(pairs)
    assert [t.weights.shape for t in traces] == [(2, 3), (3, 1)]
    for (text, summary), trace in zip(pairs, traces, strict=True):
        np.testing.assert_allclose(trace.weights.sum(axis=1), 1, atol=1e-5)
        (alone,) = reader.trace([(text, summary)])
        np.testing.assert_allclose(alone.p_gen, trace.p_gen, atol=1e-5)
        assert (
            len(trace.right) == len(summary.split())
            and ((0 <= trace.p_gen) & (trace.p_gen <= 1)).all()
        )
    assert summarizer(copies=False).trace(pairs)[0].p_gen.tolist() == [1, 1]


def test_measuring_briefings(monkeypatch):
    from course_utils.tasks.summarization import studies

    monkeypatch.setattr(studies, "briefings", lambda split: briefings(split, 6))
    data = generated_briefings()
    torch.manual_seed(0)
    model = build_summarizer(len(data.vocabulary), embedding_dim=6, memory_dim=10, hidden_dim=8)
    found = measure_briefings(Summarizer(model.eval(), data.vocabulary))
    assert set(found) == {"test", "long"} and json.loads(json.dumps(found)) == found
    for scores in found.values():
        assert set(scores["p_gen"]) == set(scores["right"]) == set(KINDS)
        assert 0 <= scores["pointer"] <= 1 and 0 <= scores["repeated"] <= 1


def test_batches_hold_what_their_texts_need():
    pairs = [("gas " * n + "zoe", "zoe says") for n in range(1, 30)]
    data = SummarizationData(pairs, pairs[:3], VOCABULARY, longest=20)
    stream = data.batches(60)
    for indices in stream.epoch(0):
        size = max(len(data.examples[i].source) + 3 for i in indices)
        assert size * len(indices) <= 60 or len(indices) == 1
    assert max(len(e.source) for e in data.examples) == 20
    assert data.examples[0].target[0] == len(VOCABULARY)
    assert data.examples[-1].target[0] == UNK, "the name was cut off"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The checkpoint of a tiny, untrained summariser."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    reader = summarizer()
    settings = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 8, "attention_dim": 7}
    settings |= {"size": len(VOCABULARY), "longest": 12}
    card = {"name": "tiny", "search": {"beam": 2, "alpha": 1.0}}
    save_checkpoint(
        folder, reader.model, VOCABULARY, builder="summarizer", settings=settings, card=card, log=[]
    )
    return folder


def run(monkeypatch, capsysbinary, *words, given=b""):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    status = main(["summarize", *map(str, words)])
    found = capsysbinary.readouterr()
    return status, found.out.decode(), found.err.decode()


def test_the_command_answers_every_line(folder, monkeypatch, capsysbinary, tmp_path):
    reader = Summarizer.load(folder)
    assert reader.search.beam == 2 and reader.model.encoder.longest == 12
    text = "\n".join(t.strip() for t in TEXTS) + "\n"
    status, out, err = run(monkeypatch, capsysbinary, "--checkpoint", folder, given=text.encode())
    assert status == 0 and not err
    lines = out.split("\n")[:-1]
    assert len(lines) == len(TEXTS) and lines[1] == lines[4] == ""
    expected = reader.summarize([t.strip() for t in TEXTS], beam=2)
    assert [line.removesuffix(" …") for line in lines] == [s.text for s in expected]
    assert [line.endswith(" …") for line in lines] == [not s.finished for s in expected]
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("gas\n"), bad.write_bytes(b"\xff\xfe\n")
    status, out, err = run(
        monkeypatch, capsysbinary, "--checkpoint", folder, bad, tmp_path / "none", good
    )
    assert status == 1 and len(out.split("\n")) == 2 and len(err.strip().split("\n")) == 2


def test_the_command_draws_where_it_looked(folder, monkeypatch, capsysbinary, tmp_path):
    place = tmp_path / "look.png"
    options = ("--checkpoint", folder, "--attention", place)
    long = " ".join(f"w{i}" for i in range(40))
    assert run(monkeypatch, capsysbinary, *options, given=f"gas\n\n{long}\n".encode())[0] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["look-1.png", "look-3.png"]
    assert run(monkeypatch, capsysbinary, *options, given=b"gas contract\n")[0] == 0
    assert place.read_bytes().startswith(b"\x89PNG")
    status, out, err = run(
        monkeypatch, capsysbinary, "--attention", tmp_path / "no" / "x.png", given=b"gas\n"
    )
    assert status == 1 and not out and len(err.strip().split("\n")) == 1


def test_the_benchmark_measures_only_a_checkpoint_that_is_there():
    from course_utils.tasks.summarization.benchmarks import summarization_rows

    (row,) = summarization_rows("missing-subjects")
    assert (row.value, row.beside) == ("not measured", "no checkpoint missing-subjects")
    (row,) = summarization_rows(count=2)
    assert row.value.endswith(" texts/s") and "words in each" in row.beside
