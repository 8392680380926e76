"""The English–French corpus that comes with the course: its splits, its gold links, its French."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.datasets.generated.english_french import (
    FEATURES,
    SPLIT_SIZES,
    AlignedPair,
    english_french,
    join_words,
)


@pytest.fixture(scope="module")
def splits():
    return {split: english_french(split) for split in SPLIT_SIZES}


@pytest.fixture(scope="module")
def train(splits):
    return splits["train"]


def linked_source(pair, j):
    """The English words that the French word j links with."""
    return [pair.source[i] for i, at in sorted(pair.alignment) if at == j]


@given(st.lists(st.text(alphabet="abé'", min_size=1, max_size=5), max_size=9))
def test_join_words_only_drops_spaces_after_apostrophes(tokens):
    joined = join_words(tokens)
    assert joined.replace(" ", "") == "".join(tokens)
    assert "' " not in joined


def test_join_words_reads_well():
    assert join_words(["l'", "homme", "n'", "est", "pas", "ici", "."]) == "l'homme n'est pas ici ."
    assert join_words(["aujourd'hui", ",", "il", "dort"]) == "aujourd'hui , il dort"
    assert join_words("the neighbor 's dog".split()) == "the neighbor 's dog"


def test_sizes_and_lengths(splits):
    assert {split: len(pairs) for split, pairs in splits.items()} == SPLIT_SIZES
    for split, pairs in splits.items():
        low, high = (25, 40) if split == "long" else (3, 22)
        assert {len(pair.source) for pair in pairs} == set(range(low, high + 1))
    lengths = [len(pair.source) for pair in splits["train"]]
    assert 9.5 < sum(lengths) / len(lengths) < 11.5
    assert sum(length >= 18 for length in lengths) >= 0.06 * len(lengths)


def test_splits_share_no_sentence(splits):
    sources = [pair.source for pairs in splits.values() for pair in pairs]
    assert len(set(sources)) == len(sources)


def test_words_outside_training_are_words_of_training(splits):
    for side in ("source", "target"):
        known = {word for pair in splits["train"] for word in getattr(pair, side)}
        for split in ("valid", "test", "long"):
            assert {word for pair in splits[split] for word in getattr(pair, side)} <= known
    assert len(known) < 1520  # French: small enough for a model of words


def test_same_english_same_french(splits):
    french = {}
    for pairs in splits.values():
        for pair in pairs:
            key = tuple(pair.source)
            assert french.setdefault(key, pair.target) == pair.target


def test_smaller_sizes_are_prefixes(splits):
    for split, pairs in splits.items():
        assert english_french(split, size=7) == pairs[:7]


def test_unknown_split_size_and_seed():
    with pytest.raises(ValueError, match="'dev': choose one of train, valid, test, long"):
        english_french("dev")
    for size in (0, -3, 501):
        with pytest.raises(ValueError, match=f"size = {size}: choose 1 to 500, .*'long'"):
            english_french("long", size)
    with pytest.raises(ValueError, match="seed = 4: only .* seed 0 .*--seed 4 --out FOLDER"):
        english_french("valid", seed=4)


def test_a_caller_may_change_the_list(splits):
    pairs = english_french("valid")
    pairs.clear()
    assert english_french("valid") == splits["valid"]


tokens = st.lists(st.text("aé'-?", min_size=1, max_size=4), min_size=1, max_size=5)
indices = st.integers(0, 30)


@given(
    tokens,
    tokens,
    st.frozensets(st.tuples(indices, indices)),
    st.frozensets(st.sampled_from(FEATURES)),
)
def test_a_pair_survives_its_line(source, target, alignment, features):
    pair = AlignedPair(tuple(source), tuple(target), alignment, features)
    assert AlignedPair.from_line(pair.to_line()) == pair


def test_a_line_has_the_links_of_pharaoh():
    pair = AlignedPair(("a", "b"), ("x", "y"), frozenset({(10, 0), (0, 1)}), frozenset({"past"}))
    assert pair.to_line() == "a b\tx y\t0-1 10-0\tpast"


def test_links_are_inside_and_punctuation_is_linked(splits):
    for pairs in splits.values():
        for pair in pairs:
            ends = len(pair.source) - 1, len(pair.target) - 1
            assert all(0 <= i <= ends[0] and 0 <= j <= ends[1] for i, j in pair.alignment)
            assert ends in pair.alignment
            assert (
                pair.source[-1] == pair.target[-1] == ("?" if "question" in pair.features else ".")
            )
            assert all(token == token.lower() and " " not in token for token in pair.source)
            assert all(token == token.lower() and " " not in token for token in pair.target)


def test_most_words_are_linked(train):
    english = french = total_english = total_french = 0
    for pair in train:
        english += len({i for i, _ in pair.alignment})
        french += len({j for _, j in pair.alignment})
        total_english += len(pair.source)
        total_french += len(pair.target)
    assert english / total_english > 0.97
    assert french / total_french > 0.97


def test_unlinked_words_are_the_ones_of_the_conventions(train):
    english, french = Counter(), Counter()
    for pair in train:
        linked = {i for i, _ in pair.alignment}, {j for _, j in pair.alignment}
        english.update(word for i, word in enumerate(pair.source) if i not in linked[0])
        french.update(word for j, word in enumerate(pair.target) if j not in linked[1])
    assert set(english) == {"do", "does", "did", "on", "in"}
    assert set(french) == {"à", "le", "la", "l'", "les"}


def test_nothing_is_left_to_elide_or_contract(splits):
    forbidden = {("de", "le"), ("de", "les"), ("à", "le"), ("à", "les")}
    for pairs in splits.values():
        for pair in pairs:
            for this, following in zip(pair.target, pair.target[1:], strict=False):
                assert (this, following) not in forbidden, pair
                if this in ("le", "la", "ne", "de", "que", "je", "me"):
                    vowel = following[0] in "aeiouéèêàâîôûœy" or following[:2] in ("ho", "hô", "hi")
                    vowel = vowel and not following.startswith("hibou")
                    assert not vowel, pair
                if this.endswith("'"):
                    assert following[0] in "aeiouéèêàâîôûœyh", pair


def test_ne_has_its_second_half_and_both_have_one_source(train):
    seen = Counter()
    for pair in train:
        for j, word in enumerate(pair.target):
            if word not in ("ne", "n'"):
                continue
            rest = pair.target[j + 1 : j + 6]
            [second] = [one for one in rest if one in ("pas", "jamais", "plus")][:1]
            at = j + 1 + rest.index(second)
            assert linked_source(pair, j) == linked_source(pair, at)
            assert " ".join(linked_source(pair, j)) in ("not", "never", "no longer")
            seen[second] += 1
    assert min(seen["pas"], seen["jamais"], seen["plus"]) > 50


def test_contractions_link_with_article_and_preposition(train):
    seen = Counter()
    for pair in train:
        for j, word in enumerate(pair.target):
            if word in ("du", "au", "aux"):
                linked = linked_source(pair, j)
                # "the neighbor 's dog" has no article for "le chien": du links with "of" alone
                expected = (
                    {"the", "all", "some"} if "genitive" not in pair.features else set(linked)
                )
                assert expected & set(linked), pair
                seen[word, tuple(linked)] += 1
    assert seen["du", ("from", "the")] > 10
    assert seen["du", ("'s", "the")] + seen["du", ("the", "'s")] > 50
    assert seen["du", ("some",)] > 50
    assert seen["au", ("at", "the")] > 50
    assert seen["aux", ("to", "the")] > 20
    assert seen["aux", ("the",)] > 20  # gives the boys a book: the à has no English word


def test_every_feature_is_there(train):
    count = Counter(feature for pair in train for feature in pair.features)
    assert set(count) == set(FEATURES)
    for feature in FEATURES:
        assert count[feature] >= 0.01 * len(train), feature


def test_gold_links_cross_in_many_sentences(train):
    def crosses(pair):
        return any(
            i < other_i and j > other_j
            for i, j in pair.alignment
            for other_i, other_j in pair.alignment
        )

    share = sum(map(crosses, train[:4000])) / 4000
    assert share > 0.4
