"""Padding, and batches of similar lengths."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils.batches import BucketedBatches, Example, make_batch, pad
from course_utils.vocabulary import BOS, EOS, PAD
from tools.tiny import quick, random_examples

LENGTHS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60)


def numbered(lengths):
    """Examples that can be told apart: the first id of the source is the number."""
    return [Example([10 + i] + [5] * s, [6] * t) for i, (s, t) in enumerate(lengths)]


# --- one batch --------------------------------------------------------------------------------


def test_make_batch():
    batch = make_batch([Example([5, 6, 7], [8]), Example([9], [4, 5]), Example([], [])])
    assert batch.source.tolist() == [[5, 6, 7], [9, PAD, PAD], [PAD, PAD, PAD]]
    assert batch.source_lengths.tolist() == [3, 1, 1]  # packing needs one position at least
    assert batch.target.tolist() == [[BOS, 8, EOS, PAD], [BOS, 4, 5, EOS], [BOS, EOS, PAD, PAD]]
    assert batch.target_in.tolist() == [[BOS, 8, EOS], [BOS, 4, 5], [BOS, EOS, PAD]]
    assert batch.target_out.tolist() == [[8, EOS, PAD], [4, 5, EOS], [EOS, PAD, PAD]]
    assert batch.target_tokens == 6
    moved = batch.to("meta")
    assert moved.source.device.type == moved.target.device.type == "meta"
    assert moved.source_lengths.device.type == "cpu"


def test_make_batch_of_tensors():
    """Sound and pictures: only the first dimension may differ, and zeros fill it up."""
    long, short = torch.ones(5, 3), torch.full((2, 3), 7.0)
    batch = make_batch([Example(long, [4]), Example(short, [5, 6])])
    assert batch.source.shape == (2, 5, 3)
    assert batch.source[1].tolist() == [[7.0] * 3] * 2 + [[0.0] * 3] * 3
    assert batch.source_lengths.tolist() == [5, 2]
    image = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4)
    batch = make_batch([Example(image, []), Example(image + 1, [])])
    assert batch.source.dtype == torch.uint8
    assert torch.equal(batch.source, torch.stack([image, image + 1]))
    with pytest.raises(ValueError, match=r"\(5, 3\), \(5, 4\)"):
        make_batch([Example(long, []), Example(torch.ones(5, 4), [])])
    with pytest.raises(ValueError, match="at least 1"):
        make_batch([Example(torch.ones(0, 3), [])])


def test_pad():
    assert pad([[7, 8], [], [9]]).tolist() == [[7, 8], [PAD, PAD], [9, PAD]]
    assert pad([[7], [9]], width=3).tolist() == [[7, PAD, PAD], [9, PAD, PAD]]
    assert pad([]).shape == (0, 0)
    assert pad([[7]]).dtype == torch.long
    with pytest.raises(ValueError, match="3 ids .* width of 2"):
        pad([[7, 8, 9]], width=2)


# --- epochs -----------------------------------------------------------------------------------


@given(lengths=LENGTHS, tokens=st.integers(1, 40), pool=st.integers(1, 30), seed=st.integers(0, 99))
@quick
def test_an_epoch_has_each_example_once_in_batches_of_limited_size(lengths, tokens, pool, seed):
    batches = BucketedBatches(numbered(lengths), tokens, seed, pool)
    epoch = batches.epoch(0)
    assert sorted(i for batch in epoch for i in batch) == list(range(len(lengths)))
    for indices in epoch:
        width = max(lengths[i][1] for i in indices) + 1  # with EOS
        assert len(indices) * width <= tokens or len(indices) == 1
    made = list(islice(batches.forever(), len(epoch)))
    for batch, indices in zip(made, epoch, strict=True):
        assert batch.source[:, 0].tolist() == [10 + i for i in indices]
        assert batch.target_out.numel() <= tokens or len(indices) == 1


@given(lengths=LENGTHS, skip=st.integers(0, 80), tokens=st.integers(5, 40))
@quick
def test_skip_is_the_later_part_of_the_same_stream(lengths, skip, tokens):
    batches = BucketedBatches(numbered(lengths), tokens, seed=3, pool=11)
    whole = list(islice(batches.forever(), skip + 5))
    later = list(islice(batches.forever(skip), 5))
    for expected, found in zip(whole[skip:], later, strict=True):
        assert torch.equal(expected.source, found.source)
        assert torch.equal(expected.target, found.target)


def test_epochs_and_seeds_differ_and_repeat():
    examples = random_examples([(i % 7 + 1, i % 5 + 1) for i in range(100)])

    def epoch(seed, number):
        return BucketedBatches(examples, 20, seed, pool=30).epoch(number)

    assert epoch(0, 0) == epoch(0, 0)
    assert epoch(0, 0) != epoch(0, 1)
    assert epoch(0, 0) != epoch(1, 0)
    # Not only the order of the batches differs, but also what is in them.
    assert {tuple(sorted(b)) for b in epoch(0, 0)} != {tuple(sorted(b)) for b in epoch(0, 1)}
    # Seed 1 in epoch 2 is not seed 2 in epoch 1.
    assert epoch(1, 2) != epoch(2, 1)


def test_batches_have_similar_lengths():
    lengths = [(i * 7 % 20 + 1, i * 7 % 20 + 1) for i in range(400)]
    examples = numbered(lengths)

    def padding(indices_of_batches):
        cells = real = 0
        for indices in indices_of_batches:
            targets = [len(examples[i].target) + 1 for i in indices]
            cells += max(targets) * len(targets)
            real += sum(targets)
        return 1 - real / cells

    shuffled = BucketedBatches(examples, 60, pool=1).epoch(0)
    assert padding(BucketedBatches(examples, 60).epoch(0)) < 0.1
    as_they_come = [list(range(i, i + 5)) for i in range(0, 400, 5)]
    assert padding(as_they_come) > 0.3
    assert sum(len(b) for b in shuffled) == 400
    # Short and long batches come mixed, not one after the other.
    widths = [len(examples[b[-1]].target) for b in BucketedBatches(examples, 60).epoch(0)]
    assert widths != sorted(widths)


def test_other_tasks_bring_their_own_collate():
    batches = BucketedBatches(numbered([(1, 1)] * 4), 100, collate=lambda examples: len(examples))
    assert next(batches.forever()) == 4


def test_errors():
    with pytest.raises(ValueError, match="no examples"):
        BucketedBatches([], 100)
    with pytest.raises(ValueError, match="tokens=0"):
        BucketedBatches(numbered([(1, 1)]), 0)
    with pytest.raises(ValueError, match="at least one example"):
        make_batch([])


# --- other sources ----------------------------------------------------------------------------


def with_others(picture, question, story, target):
    return Example(torch.full((picture, 3), 7.0), target, {"question": question, "story": story})


def test_other_sources_are_padded_each_on_its_own():
    batch = make_batch([with_others(2, [5, 6, 7], [], [8]), with_others(4, [9], [4, 4], [])])
    assert batch.source.shape == (2, 4, 3) and batch.source_lengths.tolist() == [2, 4]
    question, story = batch.others["question"], batch.others["story"]
    assert question.rows.tolist() == [[5, 6, 7], [9, PAD, PAD]]
    assert question.lengths.tolist() == [3, 1]
    assert story.rows.tolist() == [[PAD, PAD], [4, 4]] and story.lengths.tolist() == [1, 2]
    moved = batch.to("meta")
    assert moved.source.device.type == moved.others["story"].rows.device.type == "meta"
    assert moved.others["story"].lengths.device.type == "cpu"


def test_another_source_can_be_read_like_the_first():
    batch = make_batch([with_others(2, [5, 6, 7], [], [8]), with_others(4, [9], [4, 4], [])])
    asked = batch.reading("question")
    assert torch.equal(asked.source, batch.others["question"].rows)
    assert asked.source_lengths.tolist() == [3, 1]
    assert torch.equal(asked.target, batch.target) and asked.others == batch.others
    with pytest.raises(KeyError, match="'answer'.*'question', 'story'"):
        batch.reading("answer")
    with pytest.raises(KeyError, match="none"):
        make_batch([Example([5], [6])]).reading("question")


def test_other_sources_of_a_tensor():
    frames = [Example([5], [], {"sound": torch.ones(n, 2)}) for n in (3, 1)]
    sound = make_batch(frames).others["sound"]
    assert sound.rows.shape == (2, 3, 2) and sound.lengths.tolist() == [3, 1]
    assert not sound.rows[1, 1:].any()
    with pytest.raises(ValueError, match=r"sources 'sound'.*\(3, 2\), \(3, 4\)"):
        make_batch([frames[0], Example([5], [], {"sound": torch.ones(3, 4)})])


def test_examples_of_a_batch_have_the_same_sources():
    with pytest.raises(ValueError, match=r"example 0 has \['question'\], example 1 has \[\]"):
        make_batch([Example([5], [6], {"question": [7]}), Example([5], [6])])
    with pytest.raises(ValueError, match="sources of one batch.*got 1 tensors among 2"):
        make_batch([Example([5], [6]), Example(torch.ones(2, 3), [6])])


def test_epochs_with_other_sources_keep_them_with_their_examples():
    examples = [Example([10 + i], [6], {"question": [10 + i] * (i % 4 + 1)}) for i in range(50)]
    batches = BucketedBatches(examples, 10, pool=30)
    number = len(batches.epoch(0))
    seen = []
    for batch in islice(batches.forever(), number):
        question = batch.others["question"]
        assert torch.equal(question.rows[:, 0], batch.source[:, 0])
        assert question.lengths.tolist() == [(i - 10) % 4 + 1 for i in batch.source[:, 0].tolist()]
        seen += batch.source[:, 0].tolist()
    assert sorted(seen) == list(range(10, 60))
    # Equal in all else, they are sorted by the lengths of their questions.
    widths = [[len(examples[i].others["question"]) for i in b] for b in batches.epoch(0)]
    assert sum(max(w) - min(w) for w in widths) <= 8  # of about 30


# --- what is not ids --------------------------------------------------------------------------


def test_ids_are_whole_numbers():
    """A fraction would be cut to a whole number without a word."""
    for wrong in ([[1.5, 2.0]], [[5], [True, False]], [torch.rand(3)], [[[4, 5]]]):
        with pytest.raises(TypeError, match="ids are a list of integers"):
            pad(wrong)
    assert pad([np.array([4, 5]), torch.tensor([6]), (), [7]]).tolist() == [
        [4, 5],
        [6, 0],
        [0, 0],
        [7, 0],
    ]
    with pytest.raises(TypeError, match="ids are a list of integers, got torch.float32"):
        make_batch([Example([4, 5], [6.5])])


@pytest.mark.parametrize("source", ["abc", np.ones((3, 2)), 7, None, {4, 5}])
def test_a_source_is_ids_or_a_tensor(source):
    with pytest.raises(TypeError, match="sources are lists of ids or tensors"):
        make_batch([Example(source, [5])])
    with pytest.raises(TypeError, match="sources 'question' are lists of ids or tensors"):
        make_batch([Example([4], [5], {"question": source})])


def test_a_source_without_positions():
    for source in (torch.tensor(3.0), torch.zeros(0, 4)):
        with pytest.raises(ValueError, match="first dimension, which is at least 1"):
            make_batch([Example(source, [5])])


def test_examples_may_come_from_a_generator():
    batches = BucketedBatches((Example([4] * n, [5] * n) for n in range(1, 9)), 12)
    assert sorted(i for batch in batches.epoch(0) for i in batch) == list(range(8))
    assert batches.epoch(0) == batches.epoch(0)
