"""Translation scores, alignment error rate, intervals and word times."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.metrics import (
    WordErrors,
    accuracy,
    alignment_error_rate,
    alignment_from_attention,
    attention_times,
    bleu,
    bootstrap_interval,
    cer,
    chance_alignment_error,
    chrf,
    cider,
    diagonal_alignment,
    exact_match,
    monotonicity,
    score_by_bucket,
    time_errors,
    wer,
    word_errors,
    words_from_pieces,
)
from tools.tiny import quick

# --- text -------------------------------------------------------------------------------------


def test_bleu_of_a_case_computed_by_hand():
    outputs = ["the cat sat on the mat", "a small dog"]
    references = ["the cat sat on the rug", "a small dog"]
    # 1-grams: 5 of 6 and 3 of 3; 2-grams: 4 of 5 and 2 of 2; 3: 3 of 4, 1 of 1; 4: 2 of 3, 0 of 0.
    precisions = [8 / 9, 6 / 7, 4 / 5, 2 / 3]
    expected = 100 * float(np.prod(precisions)) ** (1 / 4)
    assert bleu(outputs, references).score == pytest.approx(expected)
    # Too short: the brevity penalty is exp(1 − reference length / output length).
    short = bleu(["the cat sat on the"], ["the cat sat on the rug"]).score
    assert short == pytest.approx(100 * np.exp(1 - 6 / 5))


def test_signatures_and_case():
    score = bleu(["The cat sat on it"], ["the cat sat on it"])
    assert score.score < 100 and "case:mixed" in score.signature
    folded = bleu(["The cat sat on it"], ["the cat sat on it"], lowercase=True)
    assert folded.score == pytest.approx(100)
    for part in ("nrefs:1", "case:lc", "tok:13a", "smooth:exp", "version:"):
        assert part in folded.signature
    assert str(folded) == f"100.0 ({folded.signature})"
    characters = chrf(["the cat"], ["the cat"])
    assert characters.score == pytest.approx(100)
    for part in ("nrefs:1", "nc:6", "nw:0"):
        assert part in characters.signature


def test_chrf_of_a_case_computed_by_hand():
    # "abcd" for "abce": 1-grams 3 of 4, 2-grams 2 of 3, 3-grams 1 of 2, 4-grams 0 of 1, the same
    # for precision and recall, so the F-score is their mean; longer ones do not exist.
    assert chrf(["abcd"], ["abce"]).score == pytest.approx(
        100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4, abs=1e-3
    )


def test_outputs_come_first():
    outputs, references = ["a b c d e"], ["a b c d e f g h"]
    assert bleu(outputs, references).score == pytest.approx(100 * np.exp(1 - 8 / 5))


def test_exact_match_folds_white_space():
    assert exact_match(["a  b ", "c", "D", "e"], ["a b", "c", "d", "e f"]).score == 0.5


def test_several_references():
    """Any one of them will do; n-grams match if one reference has them."""
    outputs = ["a b c d", "e f g h"]
    references = [["a b x y", "z b c d"], ["e f g h", "q"]]
    assert exact_match(outputs, references).score == 0.5
    one_each = [texts[0] for texts in references]
    assert bleu(outputs, references).score > bleu(outputs, one_each).score
    assert bleu(["a b c d e"], [["x y z u v", "a b c d e"]]).score == pytest.approx(100)
    assert "nrefs:2" in bleu(outputs, references).signature
    assert chrf(["abcd"], [["xy", "abcd"]]).score == pytest.approx(100)
    with pytest.raises(ValueError, match="same number of references"):
        bleu(outputs, [["a"], ["b", "c"]])


@pytest.mark.parametrize("metric", [bleu, chrf, exact_match])
def test_wrong_numbers_of_texts(metric):
    with pytest.raises(ValueError, match="2 outputs for 1 references"):
        metric(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no outputs"):
        metric([], [])


TEXT_METRICS = [bleu, chrf, cider, exact_match, accuracy, wer, cer, word_errors]


@pytest.mark.parametrize("metric", TEXT_METRICS)
def test_one_text_is_not_a_list_of_texts(metric):
    """Read letter by letter, it would get a score."""
    for outputs, references in (("abc", ["a", "b", "c"]), (["a", "b", "c"], "abc")):
        with pytest.raises(TypeError, match=r"got one str; write \[text\]"):
            metric(outputs, references)
    for wrong in (["a", None], ["a", 3], ["a", b"b"], [["a"], "b"]):
        with pytest.raises(TypeError, match="outputs must be texts, but number"):
            metric(wrong, ["a", "b"])
    for wrong in ({"a", "b"}, {"a": "b"}, b"ab", None):
        with pytest.raises(TypeError, match="must be a list of texts"):
            metric(["a", "b"], wrong)


@pytest.mark.parametrize("metric", [wer, cer, word_errors, accuracy])
def test_an_output_with_one_reference_takes_no_list(metric):
    with pytest.raises(TypeError, match="references must be texts, but number 0 is a list"):
        metric(["a b"], [["a b"]])


@pytest.mark.parametrize("metric", [bleu, chrf, cider, exact_match])
def test_an_output_with_several_references_has_at_least_one(metric):
    with pytest.raises(ValueError, match="output 1 has no reference"):
        metric(["a", "b"], [["a"], []])
    with pytest.raises(TypeError, match="the references of output 1 must be texts"):
        metric(["a", "b"], [["a"], [["b"]]])


@pytest.mark.parametrize("metric", [bleu, exact_match, wer])
def test_arrays_and_generators_are_lists(metric):
    outputs, references = ["a b c d", "e f"], ["a b c x", "e f"]
    expected = metric(outputs, references)
    assert metric(np.array(outputs), np.array(references)) == expected
    assert metric(iter(outputs), iter(references)) == expected


# --- from attention to links ------------------------------------------------------------------


def test_subwords_are_summed_over_the_source_and_averaged_over_the_target():
    weights = [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.0, 0.9, 0.1]]
    found = words_from_pieces(weights, source_words=[0, 0, 1], target_words=[0, 1, 1])
    assert found == pytest.approx(np.array([[0.3, 0.7], [0.75, 0.25]]))
    assert words_from_pieces(weights) == pytest.approx(np.array(weights))
    assert words_from_pieces(weights, source_words=[0, 0, 1])[1] == pytest.approx([0.6, 0.4])
    assert words_from_pieces(weights, target_words=[0, 1, 1])[1] == pytest.approx([0.15, 0.6, 0.25])
    # The sum decides for a word in two pieces that neither piece would win alone.
    assert alignment_from_attention(found) == {(1, 0), (0, 1)}


@given(
    source=st.lists(st.integers(0, 1), min_size=1, max_size=7),
    target=st.lists(st.integers(0, 1), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
@quick
def test_words_from_pieces_by_loops(source, target, seed):
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(source)), size=len(target))
    # 1 = a new word begins here.
    source_words, target_words = np.cumsum(source) - source[0], np.cumsum(target) - target[0]
    found = words_from_pieces(weights, source_words.tolist(), target_words.tolist())
    assert found.shape == (target_words[-1] + 1, source_words[-1] + 1)
    for t, s in np.ndindex(found.shape):
        rows = [
            sum(weights[i, j] for j in range(len(source)) if source_words[j] == s)
            for i in range(len(target))
            if target_words[i] == t
        ]
        assert found[t, s] == pytest.approx(sum(rows) / len(rows))
    assert found.sum(axis=1) == pytest.approx(np.ones(len(found)))  # still a distribution


def test_words_from_pieces_of_an_empty_output():
    assert words_from_pieces(np.zeros((0, 3)), [0, 0, 1], []).shape == (0, 2)
    assert words_from_pieces(np.zeros((3, 0)), [], [0, 1, 1]).shape == (2, 0)
    assert words_from_pieces(np.zeros((0, 0)), [], []).shape == (0, 0)


def test_whole_numbers_become_weights():
    for words in (None, [0, 1]):
        found = words_from_pieces([[1, 3], [0, 2]], words, words)
        assert found.dtype == float and found.tolist() == [[1, 3], [0, 2]]


def test_words_without_pieces_get_no_attention():
    found = words_from_pieces([[0.25, 0.75], [1.0, 0.0]], [0, 2], [0, 2])
    assert found.tolist() == [[0.25, 0, 0.75], [0, 0, 0], [1, 0, 0]]


def test_words_from_pieces_errors():
    with pytest.raises(ValueError, match=r"\(3, 2\).* for 3 source pieces.*end mark"):
        words_from_pieces(np.zeros((3, 2)), source_words=[0, 1, 2])
    with pytest.raises(ValueError, match=r"\(3, 2\).* for 2 target pieces.*end mark"):
        words_from_pieces(np.zeros((3, 2)), target_words=[0, 1])
    with pytest.raises(ValueError, match=r"matrix .*\(4,\)"):
        words_from_pieces(np.zeros(4))


def test_each_target_word_links_to_its_largest_weight():
    weights = [[0.2, 0.5, 0.3], [0.9, 0.1, 0.0], [0.0, 0.0, 0.0], [0.1, 0.1, 0.8]]
    assert alignment_from_attention(weights) == {(1, 0), (0, 1), (2, 3)}
    assert alignment_from_attention(np.zeros((2, 0))) == set()


# --- alignment error rate ---------------------------------------------------------------------


def test_error_rate_of_a_case_computed_by_hand():
    gold = [{(0, 0), (1, 2), (2, 2)}, {(0, 1), (1, 0)}]  # (source, target)
    predicted = [{(0, 0), (0, 1), (2, 2)}, {(0, 1), (0, 0)}]
    # Sentence 1: target word 1 has no gold link, so (0, 1) is not counted; (0, 0) and (2, 2) are
    # right. Sentence 2: (0, 1) is right. |A ∩ G| = 3, |A| = 4, |G| = 5.
    score = alignment_error_rate(predicted, gold)
    assert score.error_rate == pytest.approx(1 - 2 * 3 / (4 + 5))
    assert (score.precision, score.recall) == (pytest.approx(3 / 4), pytest.approx(3 / 5))


LINKS = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=6)
CHOICES = st.lists(st.integers(0, 4), min_size=4, max_size=4)


@given(sentences=st.lists(st.tuples(CHOICES, LINKS), min_size=1, max_size=4))
@quick
def test_error_rate_by_its_definition(sentences):
    gold = [links for _, links in sentences]
    predicted = [{(s, t) for t, s in enumerate(choices)} for choices, _ in sentences]
    if not any(gold):
        with pytest.raises(ValueError, match="contain no links"):
            alignment_error_rate(predicted, gold)
        return
    right = counted = total = 0
    for (choices, links), _ in zip(sentences, gold, strict=True):
        total += len(links)
        for t in range(4):
            if any(target == t for _, target in links):  # an unaligned word has no right answer
                counted += 1
                right += (choices[t], t) in links
    assert alignment_error_rate(predicted, gold).error_rate == pytest.approx(
        1 - 2 * right / (counted + total)
    )


def test_error_rate_ends():
    gold = [{(0, 0), (1, 1)}, {(2, 0)}]
    assert alignment_error_rate(gold, gold).error_rate == 0
    assert alignment_error_rate([{(1, 0), (0, 1)}, {(0, 0)}], gold).error_rate == 1
    nothing = alignment_error_rate([set(), set()], gold)
    assert (nothing.error_rate, nothing.precision, nothing.recall) == (1, 0, 0)
    # Links of words that are unaligned in truth change nothing.
    more = [links | {(4, 7), (0, 9)} for links in gold]
    assert alignment_error_rate(more, gold).error_rate == 0
    # "du" for "of the": one link of two at most, so a little error is left even at the best.
    assert alignment_error_rate([{(0, 0)}], [{(0, 0), (1, 0)}]).error_rate == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="1 predicted alignments for 2 gold alignments"):
        alignment_error_rate([set()], gold)


def test_chance_is_what_random_links_get():
    gold = [{(0, 0), (1, 2), (2, 2)}, {(0, 1), (1, 0)}, {(6, 3)}]
    lengths, targets = [3, 2, 7], [4, 2, 5]
    generator = random.Random(0)
    rates = [
        alignment_error_rate(
            [
                {(generator.randrange(length), t) for t in range(target)}
                for length, target in zip(lengths, targets, strict=True)
            ],
            gold,
        ).error_rate
        for _ in range(4000)
    ]
    assert chance_alignment_error(gold, lengths) == pytest.approx(np.mean(rates), abs=0.012)
    with pytest.raises(ValueError, match="contain no links"):
        chance_alignment_error([set()], [3])
    with pytest.raises(ValueError, match="2 source lengths for 3 gold"):
        chance_alignment_error(gold, lengths[:2])


@given(source=st.integers(1, 12), target=st.integers(1, 12))
@quick
def test_diagonal(source, target):
    links = sorted(diagonal_alignment(source, target), key=lambda link: link[1])
    assert [t for _, t in links] == list(range(target))
    places = [s for s, _ in links]
    assert places == sorted(places) and 0 <= places[0] and places[-1] < source
    for s, t in links:  # the middle of target word t lies inside source word s
        assert s <= (t + 0.5) * source / target <= s + 1
    if source == target:
        assert places == list(range(source))


def test_diagonal_of_nothing():
    assert diagonal_alignment(3, 0) == diagonal_alignment(0, 3) == set()


# --- score by length --------------------------------------------------------------------------


def test_score_by_bucket():
    lengths = [3, 9, 4, 5, 20]
    asked = []

    def score(indices):
        asked.append(indices)
        return 10.0 * len(indices)

    found = score_by_bucket(lengths, [(1, 4), (5, 9), (10, 19), (20, 30)], score)
    assert found == [(3.5, 20.0, 2), (7.0, 20.0, 2), (20.0, 10.0, 1)]  # the empty one is left out
    assert asked == [[0, 2], [1, 3], [4]]


def test_buckets_include_both_ends():
    found = score_by_bucket([3, 5, 6, 8, 2, 9], [(3, 5), (6, 8)], lambda indices: tuple(indices))
    assert found == [(4.0, (0, 1), 2), (7.0, (2, 3), 2)]


# --- labels and words -------------------------------------------------------------------------


def test_accuracy():
    score = accuracy(["good", "bad", "Good"], ["good", "good", "good"])
    assert (score.score, score.signature) == (1 / 3, "share of right labels")
    assert accuracy(["good", "bad", "Good"], ["good"] * 3, lowercase=True).score == 2 / 3


def test_exact_match_is_case_sensitive_unless_folded():
    assert exact_match(["A b"], [["c", "a B"]]).score == 0
    found = exact_match(["A b"], [["c", "a B"]], lowercase=True)
    assert (found.score, found.signature) == (1, "share of outputs equal to a reference")


def test_error_rates_say_what_was_counted():
    words, letters = wer(["a C"], ["a b"]), cer(["a C"], ["a b"], lowercase=True)
    assert words.signature == "word errors per 100 reference words, jiwer, cased"
    assert letters.signature == "letter errors per 100 reference letters, lowercased"
    assert (words.score, letters.score) == (50, pytest.approx(100 / 3))
    words, letters = wer(["A c"], ["a b"], lowercase=True), cer(["a C"], ["a b"])
    assert words.signature == "word errors per 100 reference words, jiwer, lowercased"
    assert letters.signature == "letter errors per 100 reference letters, cased"
    assert (words.score, letters.score) == (50, pytest.approx(100 / 3))


def test_cider_compares_words_without_punctuation():
    pytest.importorskip("pycocoevalcap")
    references = [["a dog runs", "the dog is fast"], ["two cats sleep"], ["one bird sings"]]
    outputs = ["a dog runs", "two cats sing", "birds"]
    plain = cider(outputs, references)
    assert plain.score > 0
    assert plain.signature == "CIDEr-D|case:mixed|tok:words without punctuation|pycocoevalcap"
    marked = cider(["a, dog runs!", '"two" cats - sing', "birds."], references)
    assert marked.score == pytest.approx(plain.score)
    shouted = [text.upper() for text in outputs]
    assert cider(shouted, references).score == 0
    folded = cider(shouted, references, lowercase=True)
    assert folded.score == pytest.approx(plain.score)
    assert folded.signature == "CIDEr-D|case:lc|tok:words without punctuation|pycocoevalcap"


@pytest.mark.parametrize(
    "references", [[["a dog runs"]], [["a dog runs"], ["a dog runs"]], [["...", ""], ["!"]]]
)
def test_cider_is_undefined_where_nothing_is_rare(references):
    """0 would be the score of a perfect output, too."""
    pytest.importorskip("pycocoevalcap")
    for outputs in ([texts[0] for texts in references], ["cats"] * len(references)):
        with pytest.raises(ValueError, match=f"undefined for these {len(references)} inputs"):
            cider(outputs, references)


def test_cider_of_wrong_outputs_is_zero():
    pytest.importorskip("pycocoevalcap")
    assert cider(["fish", "fish"], ["a dog runs", "two cats sleep"]).score == 0


def test_errors_add_up():
    found = WordErrors(substitutions=1, deletions=2, insertions=4, words=20)
    assert (found.errors, found.rate) == (7, 35)
    counted = word_errors(["a x"], ["a b"])
    assert all(type(number) is int for number in (counted.substitutions, counted.words))


def test_letters_of_an_output_without_a_reference_are_insertions():
    found = word_errors(["ab c", "x"], ["", "xyz"], letters=True)
    assert (found.substitutions, found.deletions, found.insertions, found.words) == (0, 2, 4, 3)


# --- intervals --------------------------------------------------------------------------------


def test_errors_and_words_of_a_text_stay_together():
    """Every text has the same rate, so every resample has it too, unless the pairs are torn."""
    words = [1, 2, 3, 40]
    low, high = bootstrap_interval([w / 4 for w in words], words)
    assert (low, high) == (pytest.approx(25), pytest.approx(25))


def test_an_interval_is_of_the_ratio_of_sums():
    # Of two texts, resamples are both the first (1/4), both the second (1/4), or one of each (1/2).
    errors, words = [1, 0], [2, 8]
    assert bootstrap_interval(errors, words) == (0, 50)
    assert bootstrap_interval(errors, words, level=0.2) == (10, 10)  # not the mean of 50 and 0


def by_definition(errors, words, level, resamples, seed):
    """The percentile bootstrap, text by text."""
    generator, rates = np.random.default_rng(seed), []
    for drawn in generator.integers(len(errors), size=(resamples, len(errors))):
        rates.append(100 * sum(errors[i] for i in drawn) / sum(words[i] for i in drawn))
    return np.quantile(rates, (1 - level) / 2), np.quantile(rates, (1 + level) / 2)


def test_an_interval_by_its_definition():
    errors, words = [0, 2, 1, 0, 3, 0, 1], [4, 5, 3, 6, 4, 2, 5]
    for level, resamples, seed in ((0.95, 300, 0), (0.8, 500, 3)):
        expected = by_definition(errors, words, level, resamples, seed)
        assert bootstrap_interval(errors, words, level, resamples, seed) == pytest.approx(expected)
    expected = by_definition(errors, words, 0.95, 2000, 0)
    assert bootstrap_interval(errors, words) == pytest.approx(expected)


def test_resamples_without_words_have_no_errors():
    assert bootstrap_interval([0, 1], [0, 1]) == (0, 100)


@pytest.mark.parametrize(
    "errors,words",
    [([1], [1, 2]), ([1], [4]), ([[1, 0], [0, 1]], [[2, 3], [1, 4]]), ([0, 0], [0, 0])],
)
def test_no_interval(errors, words):
    with pytest.raises(ValueError, match="at least 2 texts; got shapes"):
        bootstrap_interval(errors, words)


# --- word times -------------------------------------------------------------------------------


def test_time_errors_are_milliseconds_to_the_middle():
    words = [(0.0, 0.1), (0.1, 0.2), (0.2, 0.4)]
    np.testing.assert_allclose(time_errors([0.04, 0.12, 0.0], words), [10, 30, 300])
    assert time_errors([], []).shape == (0,)
    with pytest.raises(ValueError, match=r"shape \(3,\) for 2 words; .*end mark"):
        time_errors([0.1, 0.2, 0.3], words[:2])


def test_attention_times_are_those_of_the_peaks():
    weights = [[0.1, 0.8, 0.1, 0.0], [0.0, 0.1, 0.2, 0.7], [0.6, 0.2, 0.1, 0.1]]
    assert attention_times(weights, [0.5, 1.5, 2.5, 4.0]).tolist() == [1.5, 4.0, 0.5]
    for wrong, times in ((weights, [0.5, 1.5, 2.5]), (weights[0], [0.5, 1.5, 2.5, 4.0])):
        with pytest.raises(ValueError, match="needs a time for each position"):
            attention_times(wrong, times)


def peaks(*places):
    return np.eye(6)[list(places)]


def test_monotonicity_counts_steps_over_all_matrices():
    assert monotonicity([peaks(0, 2, 2, 1), peaks(5, 4)]) == pytest.approx(2 / 4)
    assert monotonicity([peaks(3, 3)]) == 1 and monotonicity([peaks(3, 2)]) == 0
    assert monotonicity([np.zeros((0, 4)), peaks(2)]) == monotonicity([]) == 1
    with pytest.raises(ValueError, match=r"matrix .* got shape \(6,\)"):
        monotonicity([np.zeros(6)])


# --- numbers that are none --------------------------------------------------------------------

PEAKS = [[0.1, 0.9], [0.7, 0.3]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_type_are_numbers(dtype):
    weights = torch.tensor([[0.25, 0.75], [0.5, 0.25]], dtype=dtype, requires_grad=True)
    assert alignment_from_attention(weights) == {(1, 0), (0, 1)}
    assert words_from_pieces(weights, [0, 0]).tolist() == [[1.0], [0.75]]
    assert attention_times(weights, torch.tensor([1.0, 2.0])).tolist() == [2.0, 1.0]
    assert monotonicity([weights]) == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_have_no_largest(bad):
    weights = [[0.1, bad], [0.7, 0.3]]
    for use in (
        lambda: alignment_from_attention(weights),
        lambda: words_from_pieces(weights),
        lambda: attention_times(weights, [1.0, 2.0]),
        lambda: attention_times(PEAKS, [1.0, bad]),
        lambda: monotonicity([weights]),
        lambda: time_errors([bad], [(0.0, 0.1)]),
        lambda: bootstrap_interval([1, bad], [3, 4]),
    ):
        with pytest.raises(ValueError, match="not finite"):
            use()


def test_shapes_that_fit_by_accident_are_refused():
    with pytest.raises(ValueError, match=r"matrix \(target, source\), got shape \(1, 2, 2\)"):
        alignment_from_attention([PEAKS])
    with pytest.raises(ValueError, match=r"matrix \(target, source\), got shape \(2,\)"):
        alignment_from_attention(PEAKS[0])
    with pytest.raises(ValueError, match=r"\(words, 2\); got shape \(2, 4\)"):
        time_errors([0.1] * 4, [(0.0, 0.1, 0.1, 0.2)] * 2)
    with pytest.raises(ValueError, match="source words are numbered from 0, got -1"):
        words_from_pieces(PEAKS, source_words=[0, -1])
    with pytest.raises(ValueError, match="at least 0, got -1 and 2"):
        diagonal_alignment(-1, 2)
    for level in (0, 1, 95):
        with pytest.raises(ValueError, match=f"between 0 and 1, got {level}"):
            bootstrap_interval([1, 0], [2, 3], level)
    with pytest.raises(ValueError, match="not negative"):
        bootstrap_interval([1, -1], [2, 3])


def test_links_are_pairs_of_whole_numbers():
    links = np.array([[0, 0], [1, 2]])
    assert alignment_error_rate([links], [links.tolist()]).error_rate == 0
    for wrong in ([0, 1], [(0, 1, 2)], [(0.5, 1)], ["ab"]):
        for arguments in (([wrong], [{(0, 0)}]), ([{(0, 0)}], [wrong])):
            with pytest.raises(ValueError, match="a set of pairs"):
                alignment_error_rate(*arguments)
    with pytest.raises(ValueError, match=r"source word 3 \(counted from 0\) of 3"):
        chance_alignment_error([{(3, 0)}], [3])
    assert chance_alignment_error([{(0, 0)}, set()], [2, 0]) == 0.5


def test_lengths_may_come_from_a_generator():
    found = score_by_bucket((n for n in (3, 6)), [(1, 4), (5, 9)], len)
    assert found == [(3.0, 1, 1), (6.0, 1, 1)]
