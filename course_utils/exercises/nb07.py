"""Exercises of notebook 07: p_gen, the extended vocabulary, coverage, ROUGE, no repeats."""

import random

import torch

from course_utils.exercises.cases import CheckFailed, case
from course_utils.exercises.comparing import difference
from course_utils.exercises.judging import exercise


@exercise(
    "07.1",
    "Which way is p_gen pulled?",
    r"""
    The right word $w$ has the probability

    $$P(w) = p_\text{gen} P_\text{vocab}(w) + (1 - p_\text{gen})\, a(w)$$

    where $a(w)$ is the attention on all its places in the text. Training makes $\log P(w)$ larger.
    Derive on paper how $\log P(w)$ changes with $p_\text{gen}$, and write
    `pull(generated, copied, p_gen)`.

    - `generated`: $P_\text{vocab}(w)$, `copied`: $a(w)$, `p_gen`: tensors of the same shape, values
      from 0 to 1.

    Return the derivative of $\log P(w)$ with respect to $p_\text{gen}$, in the same shape. Where
    $P(w) = 0$, return 0.

    **Predict first:** what is its sign for a name that the vocabulary does not contain? And for
    which words is it zero?
    """,
    prediction="negative, if the name gets attention: copying has to become more probable."
    " It is zero where the vocabulary and the attention give the word the same"
    " probability",
    minutes=10,
    kind="derive",
)
def pull(generated, copied, p_gen):
    """Derivative of log P(w) by p_gen; 0 where P(w) is 0. All tensors have the same shape."""
    probability = p_gen * generated + (1 - p_gen) * copied
    safe = probability.where(probability > 0, torch.ones_like(probability))
    return torch.where(probability > 0, (generated - copied) / safe, torch.zeros_like(safe))


@pull.cases
def _():
    yield case(
        torch.tensor([0.0]),
        torch.tensor([0.8]),
        torch.tensor([0.5]),
        expected=torch.tensor([-2.0]),
        label="a new name",
    )
    yield case(
        torch.tensor([0.6]),
        torch.tensor([0.2]),
        torch.tensor([0.75]),
        expected=torch.tensor([0.8]),
        label="a word that is generated rather than copied",
    )
    yield case(
        torch.tensor([0.4]),
        torch.tensor([0.4]),
        torch.tensor([0.9]),
        expected=torch.tensor([0.0]),
        label="both ways are equally good",
    )
    yield case(
        torch.tensor([0.0, 0.5, 0.0]),
        torch.tensor([0.0, 0.0, 0.7]),
        torch.tensor([0.3, 0.0, 1.0]),
        expected=torch.zeros(3),
        label="words that have the probability 0",
        hint="ask whether P(w) is 0, and return 0 there: 0.5 / 0 is infinite, not NaN, and with a "
        "clamp or a small number added it is huge",
    )
    yield case(
        torch.tensor([0.0, 0.0]),
        torch.tensor([0.0, 0.8]),
        torch.tensor([0.3, 0.5]),
        expected=torch.tensor([0.0, -2.0]),
        label="one word with the probability 0, one with another",
    )
    yield case(
        torch.tensor([0.0, 3e-7]),
        torch.tensor([1e-6, 1e-7]),
        torch.tensor([0.5, 0.25]),
        expected=torch.tensor([-2.0, 4 / 3]),
        label="small probabilities",
        hint="a probability may be small: only where P(w) is exactly 0 is the result 0, and "
        "nothing may be added to P(w)",
    )
    yield case(
        torch.tensor([0.5, 0.25]),
        torch.tensor([0.0, 1.0]),
        torch.tensor([1.0, 0.0]),
        expected=torch.tensor([1.0, -0.75]),
        label="p_gen of exactly 1 and 0",
    )
    for shape in ((4,), (2, 3), (3, 1, 5)):
        yield case(torch.rand(shape), torch.rand(shape), torch.rand(shape))


@pull.mistake("that is the derivative of P(w): the one of its logarithm is divided by P(w)")
def of_the_probability(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    return (generated - copied).where(probability > 0, torch.zeros_like(copied))


@pull.mistake("the sign: 1 − p_gen falls while p_gen grows, so it is a(w) that is subtracted")
def wrong_sign(generated, copied, p_gen):
    return -pull.solution(generated, copied, p_gen)


@pull.mistake("the second term depends on p_gen as well: its derivative is −a(w)")
def copying_forgotten(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    safe = probability.where(probability > 0, torch.ones_like(probability))
    return (generated / safe).where(probability > 0, torch.zeros_like(safe))


@pull.mistake("the derivative of the second term is −a(w), not a(w): do not add")
def added(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    safe = probability.where(probability > 0, torch.ones_like(probability))
    return ((generated + copied) / safe).where(probability > 0, torch.zeros_like(safe))


@pull.mistake("`p_gen` is ignored: P(w), by which you divide, depends on it")
def switch_ignored(generated, copied, p_gen):
    return pull.solution(generated, copied, torch.full_like(p_gen, 0.5))


@pull.mistake("where P(w) is 0, this divides by zero: return 0 there")
def divided_by_zero(generated, copied, p_gen):
    return (generated - copied) / (p_gen * generated + (1 - p_gen) * copied)


@pull.mistake("P(w) is the mixture with p_gen, not the sum of both probabilities")
def plain_sum(generated, copied, p_gen):
    total = generated + copied
    safe = total.where(total > 0, torch.ones_like(total))
    return (generated - copied) / safe


@pull.mistake("p_gen belongs to P_vocab and 1 − p_gen to the attention: here they are exchanged")
def exchanged(generated, copied, p_gen):
    return pull.solution(generated, copied, 1 - p_gen)


@pull.mistake("that is log P(w) itself: the question is how it changes with p_gen")
def log_probability(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    safe = probability.where(probability > 0, torch.ones_like(probability))
    return safe.log()


@pull.mistake("that is a difference of logarithms: take the derivative of the log of the mixture")
def difference_of_logs(generated, copied, p_gen):
    return generated.clamp_min(1e-12).log() - copied.clamp_min(1e-12).log()


@pull.mistake("that is the derivative by the input of the sigmoid: leave out p_gen (1 − p_gen)")
def through_the_sigmoid(generated, copied, p_gen):
    return p_gen * (1 - p_gen) * pull.solution(generated, copied, p_gen)


@pull.mistake("each word has a derivative of its own: do not take the mean")
def mean_of_all(generated, copied, p_gen):
    return pull.solution(generated, copied, p_gen).mean().expand(generated.shape)


@pull.mistake("each word has a P(w) of its own: one that is 0 does not make the others 0")
def any_zero_makes_all_zero(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    return pull.solution(generated, copied, p_gen) * (probability > 0).all()


@pull.mistake("a small P(w) is not 0: only where P(w) is exactly 0 is the result 0")
def small_is_zero(generated, copied, p_gen):
    probability = p_gen * generated + (1 - p_gen) * copied
    found = pull.solution(generated, copied, p_gen)
    return found.where(probability >= 1e-3, torch.zeros_like(found))


@pull.mistake("that is the sign alone: how strong the pull is depends on P(w)")
def sign_only(generated, copied, p_gen):
    return pull.solution(generated, copied, p_gen).sign()


@pull.mistake("that says only which way is better: how strong the pull is depends on P(w)")
def sign_of_the_difference(generated, copied, p_gen):
    return (generated - copied).sign()


@pull.check
def _(answer):
    generator = torch.Generator().manual_seed(3)
    generated, copied, p_gen = (
        0.1 + 0.8 * torch.rand(6, generator=generator, dtype=torch.double) for _ in range(3)
    )
    p_gen.requires_grad_()
    (p_gen * generated + (1 - p_gen) * copied).log().sum().backward()
    if difference(answer(generated, copied, p_gen.detach()), p_gen.grad):
        raise CheckFailed(
            "the derivative differs from the one that PyTorch finds",
            input=case(generated, copied, p_gen.detach()),
        )


@exercise(
    "07.2",
    "Ids for words that nobody knows",
    r"""
    Write `extended_ids(text, summary, vocabulary)`.

    - `text`, `summary`: lists of words. `vocabulary`: a dict from words to ids, 0 to V − 1, with
      V = `len(vocabulary)`; the id of `"<unk>"` is `vocabulary["<unk>"]`.

    A word of the *text* that is not in the vocabulary gets an id of its own, for this text alone:
    the first such word gets V, the next new one V + 1, and so on; the same word always gets the
    same id. A word of the *summary* gets its id in this extended vocabulary, or that of `"<unk>"`
    if it is neither in the vocabulary nor in the text.

    Return two lists of ids: those of the text and those of the summary.

    **Predict first:** can two texts of a batch use the same id for different words?
    """,
    prediction="yes: in each text, V is its own first word that the vocabulary does not contain",
    minutes=10,
    kind="implement",
)
def extended_ids(text, summary, vocabulary):
    """Ids of the words of a text and of its summary in the extended vocabulary: two lists."""
    extended = dict(vocabulary)
    for word in text:
        if word not in extended:
            extended[word] = len(extended)
    unknown = vocabulary["<unk>"]
    return [extended[w] for w in text], [extended.get(w, unknown) for w in summary]


VOCABULARY = {"<pad>": 0, "<unk>": 1, "on": 2, "monday": 3, "pays": 4}


@extended_ids.cases
def _():
    yield case(
        ["zoe", "pays", "on", "monday"],
        ["zoe", "pays"],
        VOCABULARY,
        expected=([5, 4, 2, 3], [5, 4]),
        label="one new word",
    )
    yield case(
        ["adam", "pays", "on"],
        ["adam"],
        VOCABULARY,
        expected=([5, 4, 2], [5]),
        label="another text, with another new word",
        hint="the ids of new words are those of one text alone: begin with V again in each call, "
        "and change neither the vocabulary nor a global or default argument",
    )
    yield case(
        ["zoe", "pays", "adam", "zoe"],
        ["adam", "pays", "zoe"],
        VOCABULARY,
        expected=([5, 4, 6, 5], [6, 4, 5]),
        label="the same name twice",
    )
    yield case(
        ["on", "monday", "zoe"],
        ["karl", "pays", "zoe"],
        VOCABULARY,
        expected=([2, 3, 5], [1, 4, 5]),
        label="a name that only the summary has",
    )
    yield case(
        ["pays"],
        ["karl", "karl", "zoe"],
        VOCABULARY,
        expected=([4], [1, 1, 1]),
        label="no new word in the text",
    )
    yield case(["zoe"], [], VOCABULARY, expected=([5], []), label="an empty summary")
    yield case([], ["zoe", "on"], VOCABULARY, expected=([], [1, 2]), label="an empty text")
    yield case(
        ["b", "a", "c", "a", "b", "<unk>"],
        ["c", "<unk>", "a", "d"],
        {"<unk>": 0, "x": 1},
        expected=([2, 3, 4, 3, 2, 0], [4, 0, 3, 0]),
        label="another vocabulary, and <unk> in the text",
    )
    yield case(
        ["May", "on", "may", "Monday"],
        ["monday", "Monday", "May"],
        VOCABULARY,
        expected=([5, 2, 6, 7], [3, 7, 5]),
        label="capitals",
    )


@extended_ids.hidden
def _():
    for length in (5, 9, 14):
        text, summary = random.choices("abcdefgh", k=length), random.choices("cdefghij", k=7)
        vocabulary = {word: i for i, word in enumerate(["<unk>", *random.sample("abcdef", 3)])}
        yield case(text, summary, vocabulary, label="other words")


@extended_ids.mistake("the same word always gets the same id: look whether it has one already")
def new_id_each_time(text, summary, vocabulary):
    count, ids, last = len(vocabulary), [], {}
    for word in text:
        if word not in vocabulary:
            last[word] = count
            count += 1
        ids.append(vocabulary.get(word, last.get(word)))
    unknown = vocabulary["<unk>"]
    return ids, [vocabulary.get(w, last.get(w, unknown)) for w in summary]


@extended_ids.mistake("only the words of the text extend the vocabulary: elsewhere they are <unk>")
def summary_extends(text, summary, vocabulary):
    extended = dict(vocabulary)
    for word in [*text, *summary]:
        extended.setdefault(word, len(extended))
    return [extended[w] for w in text], [extended[w] for w in summary]


@extended_ids.mistake("new words count from V on: ids below V belong to the vocabulary")
def from_zero(text, summary, vocabulary):
    new = list(dict.fromkeys(w for w in text if w not in vocabulary))
    ids = vocabulary | {w: i for i, w in enumerate(new)}
    return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("the first new word gets V, not V + 1: the vocabulary ends at V − 1")
def one_too_many(text, summary, vocabulary):
    new = list(dict.fromkeys(w for w in text if w not in vocabulary))
    ids = vocabulary | {w: len(vocabulary) + 1 + i for i, w in enumerate(new)}
    return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("count the new words, not the places: an id is V plus the number of the word")
def by_place(text, summary, vocabulary):
    new = {w: len(vocabulary) + text.index(w) for w in text if w not in vocabulary}
    ids = vocabulary | new
    return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("new words are numbered in the order of the text, not of the alphabet")
def alphabetical(text, summary, vocabulary):
    new = sorted({w for w in text if w not in vocabulary})
    ids = vocabulary | {w: len(vocabulary) + i for i, w in enumerate(new)}
    return [ids[w] for w in text], [ids.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("new words of the text became <unk>: then there is nothing to copy")
def all_unknown(text, summary, vocabulary):
    unknown = vocabulary["<unk>"]
    return [vocabulary.get(w, unknown) for w in text], [vocabulary.get(w, unknown) for w in summary]


@extended_ids.mistake("the summary uses the extended vocabulary, too: copied words have their ids")
def summary_not_extended(text, summary, vocabulary):
    ids, _ = extended_ids.solution(text, summary, vocabulary)
    return ids, [vocabulary.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("return the ids of the text first, then those of the summary")
def other_way_round(text, summary, vocabulary):
    ids, said = extended_ids.solution(text, summary, vocabulary)
    return said, ids


def _unknown_as(number, text, summary, vocabulary):
    ids, said = extended_ids.solution(text, summary, vocabulary)
    known = {*vocabulary, *text}
    return ids, [i if w in known else number for w, i in zip(summary, said, strict=True)]


@extended_ids.mistake("ask the dict for the id of <unk>: it is not 1 in every vocabulary")
def unknown_is_one(text, summary, vocabulary):
    return _unknown_as(1, text, summary, vocabulary)


@extended_ids.mistake("every word of the summary has a place in the result, even an unknown one")
def unknown_left_out(text, summary, vocabulary):
    ids, said = extended_ids.solution(text, summary, vocabulary)
    return ids, [i for w, i in zip(summary, said, strict=True) if w in vocabulary or w in text]


@extended_ids.mistake("the words of the summary do not extend the vocabulary first: the text does")
def summary_first(text, summary, vocabulary):
    extended = dict(vocabulary)
    for word in [*(w for w in summary if w in text), *text]:
        extended.setdefault(word, len(extended))
    return [extended[w] for w in text], [extended.get(w, vocabulary["<unk>"]) for w in summary]


@extended_ids.mistake("take the words as they are: `May` and `may` are two words")
def lower_cased(text, summary, vocabulary):
    return extended_ids.solution(
        [w.lower() for w in text], [w.lower() for w in summary], vocabulary
    )


@extended_ids.mistake("the new words of the *text* need ids of their own as well, not <unk>")
def unknown_in_the_text(text, summary, vocabulary):
    unknown = vocabulary["<unk>"]
    said = extended_ids.solution(text, summary, vocabulary)[1]
    return [vocabulary.get(w, unknown) for w in text], said


@extended_ids.mistake("known words of the text keep their ids: only unknown ones are extended")
def nothing_but_unknown(text, summary, vocabulary):
    said = extended_ids.solution(text, summary, vocabulary)[1]
    return [vocabulary["<unk>"]] * len(text), said


@extended_ids.mistake("ask the dict for the id of <unk>: it is not 0 in every vocabulary")
def unknown_is_zero(text, summary, vocabulary):
    return _unknown_as(0, text, summary, vocabulary)


@extended_ids.mistake("return two lists, not one: the ids of the text, and those of the summary")
def one_list(text, summary, vocabulary):
    ids, said = extended_ids.solution(text, summary, vocabulary)
    return ids + said


@extended_ids.mistake("ids are whole numbers: return lists, not strings joined by spaces")
def joined_strings(text, summary, vocabulary):
    found = extended_ids.solution(text, summary, vocabulary)
    return tuple(" ".join(map(str, ids)) for ids in found)


@extended_ids.mistake("return lists of ids, not one string")
def one_string(text, summary, vocabulary):
    return " ".join(str(i) for ids in extended_ids.solution(text, summary, vocabulary) for i in ids)


@extended_ids.mistake("ids are whole numbers, not strings: leave out `str`")
def strings(text, summary, vocabulary):
    found = extended_ids.solution(text, summary, vocabulary)
    return tuple([str(i) for i in ids] for ids in found)


@exercise(
    "07.3",
    "A coverage loss that cannot be zero",
    r"""
    This function should say how much attention goes to places that were read
    before: $\sum_i \min(\alpha_{ti}, c_{ti})$ with $c_t = \sum_{t' < t} \alpha_{t'}$, the mean over
    all steps that count.

    ```python
    def read_again(weights, counts):
        coverage = weights.cumsum(dim=1)
        again = torch.minimum(weights, coverage).sum(dim=2)
        return (again * counts).mean()
    ```

    But it returns 1 even if no place is read twice, and it changes when the batch is padded with
    more steps. Repair both: write `read_again(weights, counts)`.

    - `weights` (B, Tt, Tk). `counts` (B, Tt), boolean: whether a step counts; padding does not.

    Return one number, a tensor: this is a loss, so its gradient has to reach the weights. If no
    step counts, return 0.

    **Predict first:** what is the loss of two steps that both look at one place only, the same one?
    """,
    prediction="½: the first step reads nothing again and the second everything, and the"
    " loss is their mean",
    minutes=10,
    kind="repair",
)
def read_again(weights, counts):
    """Mean over the steps that count of Σ_i min(α_ti, c_ti); one number, 0 without any step.

    weights: (B, Tt, Tk). counts: (B, Tt) boolean.
    """
    coverage = weights.cumsum(dim=1) - weights
    again = torch.minimum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


def _ones(*shape):
    return torch.ones(shape, dtype=torch.bool)


@read_again.cases
def _():
    yield case(
        torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]),
        _ones(1, 2),
        expected=torch.tensor(0.5),
        label="the same place twice",
    )
    yield case(
        torch.tensor([[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]),
        _ones(1, 2),
        expected=torch.tensor(0.0),
        label="no place twice",
    )
    yield case(
        torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]]),
        torch.tensor([[True, True, False], [True, False, False]]),
        expected=torch.tensor(1 / 3),
        label="padded steps",
    )
    yield case(
        torch.full((2, 3, 4), 0.25),
        torch.zeros(2, 3, dtype=torch.bool),
        expected=torch.tensor(0.0),
        label="no step counts",
    )
    yield case(
        torch.tensor([[[0.6, 0.4], [0.5, 0.5], [0.1, 0.9]]]),
        _ones(1, 3),
        expected=torch.tensor((0.0 + 0.9 + 1.0) / 3),
        label="shared attention",
    )
    yield case(
        torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]]),
        torch.tensor([[False, True, True]]),
        expected=torch.tensor(0.5),
        label="a step that does not count has still been read",
    )
    yield case(
        torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]),
        torch.tensor([[True, True], [False, False]]),
        expected=torch.tensor(0.5),
        label="a text without any step that counts, beside another",
    )
    yield case(
        torch.tensor([[[0.2, 0.5, 0.3]], [[1.0, 0.0, 0.0]]]),
        _ones(2, 1),
        expected=torch.tensor(0.0),
        label="a single step",
    )
    for shape in ((2, 5, 3), (3, 4, 7), (1, 6, 2)):
        yield case(torch.rand(shape).softmax(dim=2), torch.rand(shape[:2]) < 0.7)


@read_again.check
def _(answer):
    weights = torch.rand((2, 4, 3), generator=torch.Generator().manual_seed(4)).softmax(dim=2)
    counts = torch.tensor([[True, True, True, True], [True, True, True, False]])
    gradients = []
    for function in (read_again.solution, answer):
        given = weights.clone().requires_grad_()
        found = function(given, counts)
        if not (torch.is_tensor(found) and found.requires_grad):
            raise CheckFailed(
                "the loss is right, but no gradient reaches the weights",
                hint="return a tensor, and leave out `detach`, `item`, `float`, `tolist` and "
                "`no_grad`: they cut the loss off from the weights",
            )
        gradients.append(torch.autograd.grad(found, given)[0])
    if difference(*gradients):
        raise CheckFailed(
            "the loss is right, but its gradient is not",
            hint="a part of it is cut off from the weights: is there a `detach` on the coverage?",
        )


@read_again.mistake("coverage is what was read *before*: take this step's weights out of the sum")
def with_itself(weights, counts):
    again = torch.minimum(weights, weights.cumsum(dim=1)).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("divide by the number of steps that count, not by all of them")
def mean_of_all_steps(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    return (torch.minimum(weights, coverage).sum(dim=2) * counts).mean()


@read_again.mistake("both faults are still there: the sum includes this step, and padding counts")
def unrepaired(weights, counts):
    return (torch.minimum(weights, weights.cumsum(dim=1)).sum(dim=2) * counts).mean()


@read_again.mistake("the mean over the steps that count: divide the sum by their number")
def sum_of_steps(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    return (torch.minimum(weights, coverage).sum(dim=2) * counts).sum()


@read_again.mistake("what was read *before* is in the earlier steps, not in the later ones")
def later_steps(weights, counts):
    coverage = weights.sum(dim=1, keepdim=True) - weights.cumsum(dim=1)
    again = torch.minimum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("padded steps must not count: multiply by `counts`")
def padding_counts(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    return torch.minimum(weights, coverage).sum(dim=2).mean()


@read_again.mistake("without any step that counts you divide by zero: `clamp_min(1)`")
def divided_by_none(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    again = torch.minimum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum()


@read_again.mistake("coverage sums over the steps (dim 1), not over the places")
def summed_over_places(weights, counts):
    coverage = weights.cumsum(dim=2) - weights
    again = torch.minimum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("coverage is the sum of all steps before, not only of the last one")
def last_step_only(weights, counts):
    coverage = torch.cat([torch.zeros_like(weights[:, :1]), weights[:, :-1]], dim=1)
    again = torch.minimum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("take the smaller of the two, not the larger")
def larger_of_both(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    again = torch.maximum(weights, coverage).sum(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("the minimum, not the product, of weight and coverage")
def product_of_both(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    return ((weights * coverage).sum(dim=2) * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("sum over the places: the mean makes it smaller the longer the text is")
def mean_over_places(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    again = torch.minimum(weights, coverage).mean(dim=2)
    return (again * counts).sum() / counts.sum().clamp_min(1)


@read_again.mistake("one number for the batch: a mean for each text first weighs short texts more")
def mean_for_each_text(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    again = (torch.minimum(weights, coverage).sum(dim=2) * counts).sum(dim=1)
    return (again / counts.sum(dim=1).clamp_min(1)).mean()


@read_again.mistake("what was read in a step that does not count has been read: mask the result")
def masked_first(weights, counts):
    kept = weights * counts[..., None]
    again = torch.minimum(kept, kept.cumsum(dim=1) - kept).sum(dim=2)
    return again.sum() / counts.sum().clamp_min(1)


def _mean(again, counts):
    return (again * counts).sum() / counts.sum().clamp_min(1)


def _smaller(weights, coverage, counts):
    return _mean(torch.minimum(weights, coverage).sum(dim=2), counts)


@read_again.mistake("it is 0 only if *no* step of the whole batch counts: one text may have none")
def zero_if_one_text_is_empty(weights, counts):
    return read_again.solution(weights, counts) * counts.any(dim=1).all()


@read_again.mistake("a single step reads nothing again, and neither does the first one: that is 0")
def one_for_a_single_step(weights, counts):
    found = read_again.solution(weights, counts)
    return torch.ones_like(found) if weights.shape[1] == 1 else found


@read_again.mistake("`roll` brings the last step to the front: before the first step, c is 0")
def rolled(weights, counts):
    return _smaller(weights, weights.cumsum(dim=1).roll(1, dims=1), counts)


@read_again.mistake("`roll` brings the last step to the front; put zeros before the first step")
def rolled_first(weights, counts):
    return _smaller(weights, weights.roll(1, dims=1).cumsum(dim=1), counts)


@read_again.mistake("the first step counts as well, although nothing has been read before it")
def first_step_left_out(weights, counts):
    coverage = (weights.cumsum(dim=1) - weights)[:, 1:]
    return _smaller(weights[:, 1:], coverage, counts[:, 1:])


@read_again.mistake("divide by the number of steps that count, the first included: not by one less")
def one_step_less(weights, counts):
    again = torch.minimum(weights, weights.cumsum(dim=1) - weights).sum(dim=2)
    return (again * counts).sum() / (counts.sum() - 1).clamp_min(1)


@read_again.mistake("sum over the places: the largest of them alone is not enough")
def largest_place(weights, counts):
    coverage = weights.cumsum(dim=1) - weights
    return _mean(torch.minimum(weights, coverage).amax(dim=2), counts)


@read_again.mistake("coverage adds up the weights of the steps before: `cummax` keeps the largest")
def largest_before(weights, counts):
    before = torch.cat([torch.zeros_like(weights[:, :1]), weights[:, :-1]], dim=1)
    return _smaller(weights, before.cummax(dim=1).values, counts)


@read_again.mistake("coverage is the sum of the steps before, not their mean")
def mean_before(weights, counts):
    steps = torch.arange(weights.shape[1]).clamp_min(1)[:, None]
    return _smaller(weights, (weights.cumsum(dim=1) - weights) / steps, counts)


@read_again.mistake("coverage is a sum: do not divide it by the number of the step")
def coverage_by_step(weights, counts):
    steps = torch.arange(1, weights.shape[1] + 1)[:, None]
    return _smaller(weights, (weights.cumsum(dim=1) - weights) / steps, counts)


@exercise(
    "07.4",
    "ROUGE, once by hand",
    r"""
    Write `rouge(output, reference, n)` for two lists of words.

    An n-gram is n words in a row; n may be any number from 1 on, and words are equal only with the
    same capitals. Count those of the output and those of the reference. An n-gram
    matches as often as it occurs in *both*: `min` of its two counts, summed over all n-grams.
    Precision is matches / n-grams of the output, recall is matches / n-grams of the reference.
    ROUGE-n is their F1,

    $$\frac{2 \cdot \text{precision} \cdot \text{recall}}{\text{precision} + \text{recall}}$$

    and 0 if nothing matches, or if one of the two has no n-grams.

    **Predict first:** a summary exchanges the names of two people. What does ROUGE-1 say?
    """,
    prediction="1, as if nothing were wrong: the single words are the same, only their order"
    " is not",
    minutes=15,
    kind="measure",
)
def rouge(output, reference, n):
    """F1 of the n-grams of two lists of words, 0 to 1."""
    from collections import Counter

    def grams(words):
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    found, right = grams(output), grams(reference)
    matches = (found & right).total()
    return 2 * matches / (found.total() + right.total()) if matches else 0.0


def _words(text):
    return text.split()


@rouge.cases
def _():
    yield case(_words("a b c"), _words("a b d e"), 1, expected=4 / 7, label="two of three words")
    yield case(_words("a b c"), _words("a b d e"), 2, expected=2 / 5, label="one pair of words")
    yield case(_words("a a a"), _words("a b"), 1, expected=2 / 5, label="one word, three times")
    yield case(_words("a b"), _words("a a a"), 1, expected=2 / 5, label="repeated in the reference")
    yield case(_words("b a"), _words("a b"), 1, expected=1.0, label="another order, single words")
    yield case(_words("b a"), _words("a b"), 2, expected=0.0, label="another order, pairs")
    yield case(_words("a"), _words("a b c"), 2, expected=0.0, label="shorter than n")
    yield case(_words("a"), _words("a"), 2, expected=0.0, label="equal, but shorter than n")
    yield case([], _words("a b"), 1, expected=0.0, label="an empty output")
    yield case(_words("a b"), [], 1, expected=0.0, label="an empty reference")
    yield case(
        _words("a b a b c"), _words("a b c a b"), 2, expected=0.75, label="a pair twice in both"
    )
    yield case(_words("a b c d"), _words("b c d"), 3, expected=2 / 3, label="three in a row")
    yield case(_words("ab c"), _words("a bc"), 1, expected=0.0, label="other words, same letters")


@rouge.cases
def _():
    yield case(
        ["a", "bc"], ["ab", "c"], 2, expected=0.0, label="other pairs, the same letters in a row"
    )
    yield case(_words("a b c d"), _words("a b c e"), 4, expected=0.0, label="four in a row")
    yield case(_words("a b c d e f"), _words("a b c d e g"), 5, expected=0.5, label="five in a row")
    yield case([], [], 1, expected=0.0, label="two empty lists")
    yield case(_words("May pays"), _words("may pays"), 1, expected=0.5, label="a capital")


@rouge.hidden
def _():
    for length in (6, 11, 17):
        output, reference = random.choices("abc", k=length), random.choices("abcd", k=length + 2)
        yield case(output, reference, random.choice((1, 2)), label="other words")


@rouge.mistake("an n-gram matches at most as often as it is in both: take the `min` of the counts")
def not_clipped(output, reference, n):
    found = [tuple(output[i : i + n]) for i in range(len(output) - n + 1)]
    right = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
    matches = sum(gram in right for gram in found)
    return 2 * matches / (len(found) + len(right)) if matches else 0.0


@rouge.mistake("sets forget how often an n-gram occurs: count them")
def as_sets(output, reference, n):
    found = {tuple(output[i : i + n]) for i in range(len(output) - n + 1)}
    right = {tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    matches = len(found & right)
    return 2 * matches / (len(found) + len(right)) if matches else 0.0


def _counts(output, reference, n):
    from collections import Counter

    found = Counter(tuple(output[i : i + n]) for i in range(len(output) - n + 1))
    right = Counter(tuple(reference[i : i + n]) for i in range(len(reference) - n + 1))
    return (found & right).total(), found.total(), right.total()


@rouge.mistake("that is the precision alone: a single right word would be perfect")
def precision_only(output, reference, n):
    matches, found, _ = _counts(output, reference, n)
    return matches / found if matches else 0.0


@rouge.mistake("that is the recall alone: writing everything would be perfect")
def recall_only(output, reference, n):
    matches, _, right = _counts(output, reference, n)
    return matches / right if matches else 0.0


@rouge.mistake("F1 is 2 · precision · recall / (precision + recall), not their mean")
def arithmetic_mean(output, reference, n):
    matches, found, right = _counts(output, reference, n)
    return (matches / found + matches / right) / 2 if matches else 0.0


@rouge.mistake("F1 is 2 · precision · recall / (precision + recall), not the root of their product")
def geometric_mean(output, reference, n):
    matches, found, right = _counts(output, reference, n)
    return (matches / found * matches / right) ** 0.5 if matches else 0.0


@rouge.mistake("the factor 2 is missing: a perfect summary gets 1")
def factor_missing(output, reference, n):
    return rouge.solution(output, reference, n) / 2


@rouge.mistake("`n` is ignored: these are single words")
def single_words(output, reference, n):
    return rouge.solution(output, reference, 1)


@rouge.mistake("the last n-gram is missing: there are len(words) − n + 1 of them")
def last_one_missing(output, reference, n):
    found = [tuple(output[i : i + n]) for i in range(len(output) - n)]
    right = [tuple(reference[i : i + n]) for i in range(len(reference) - n)]
    matches = sum(min(found.count(g), right.count(g)) for g in set(found))
    return 2 * matches / (len(found) + len(right)) if matches else 0.0


@rouge.mistake("an n-gram is n words *in a row*, in their order: do not sort them")
def order_ignored(output, reference, n):
    from collections import Counter

    def grams(words):
        return Counter(tuple(sorted(words[i : i + n])) for i in range(len(words) - n + 1))

    found, right = grams(output), grams(reference)
    matches = (found & right).total()
    return 2 * matches / (found.total() + right.total()) if matches else 0.0


@rouge.mistake("the n-grams overlap: the next one begins one word later, not n words later")
def without_overlap(output, reference, n):
    from collections import Counter

    def grams(words):
        return Counter(tuple(words[i : i + n]) for i in range(0, len(words) - n + 1, n))

    found, right = grams(output), grams(reference)
    matches = (found & right).total()
    return 2 * matches / (found.total() + right.total()) if matches else 0.0


@rouge.mistake("without a match, or without n-grams, it is 0: do not divide by zero")
def division_by_zero(output, reference, n):
    matches, found, right = _counts(output, reference, n)
    precision, recall = matches / found, matches / right
    return 2 * precision * recall / (precision + recall)


@rouge.mistake("two equal texts without an n-gram share none: that is 0, not 1")
def equal_is_perfect(output, reference, n):
    return 1.0 if output == reference else rouge.solution(output, reference, n)


@rouge.mistake(
    "F1 is not the larger of precision and recall: divide by both lengths, not the smaller"
)
def larger_of_both_shares(output, reference, n):
    matches, found, right = _counts(output, reference, n)
    return matches / min(found, right) if matches else 0.0


@rouge.mistake(
    "F1, not matches / n-grams in either: each match counts in both texts, so it is doubled"
)
def jaccard(output, reference, n):
    matches, found, right = _counts(output, reference, n)
    return matches / (found + right - matches) if matches else 0.0


@rouge.mistake("ROUGE here is a share from 0 to 1, not per cent")
def per_cent(output, reference, n):
    return 100 * rouge.solution(output, reference, n)


@rouge.mistake("compare words, not letters: do not join the words")
def of_letters(output, reference, n):
    return rouge.solution(list("".join(output)), list("".join(reference)), n)


@rouge.mistake("words that stand at the same place are not required: an n-gram may be anywhere")
def at_the_same_place(output, reference, n):
    found = [tuple(output[i : i + n]) for i in range(len(output) - n + 1)]
    right = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
    matches = sum(a == b for a, b in zip(found, right, strict=False))
    return 2 * matches / (len(found) + len(right)) if matches else 0.0


@rouge.mistake("where one word ends, another begins: compare tuples of words, not joined strings")
def joined_without_space(output, reference, n):
    def grams(words):
        return ["".join(words[i : i + n]) for i in range(len(words) - n + 1)]

    return rouge.solution(grams(output), grams(reference), 1)


@rouge.mistake("`n` may be larger than 2: these are at most pairs of words")
def at_most_pairs(output, reference, n):
    return rouge.solution(output, reference, min(n, 2))


@rouge.mistake("`n` may be larger than 3: these are at most three words in a row")
def at_most_three(output, reference, n):
    return rouge.solution(output, reference, min(n, 3))


@rouge.mistake("two empty texts have no n-gram in common: that is 0, not 1")
def empty_is_perfect(output, reference, n):
    return rouge.solution(output, reference, n) if output or reference else 1.0


@rouge.mistake("words are equal only with the same capitals: leave out `lower`")
def lower_case(output, reference, n):
    return rouge.solution([w.lower() for w in output], [w.lower() for w in reference], n)


@rouge.mistake("the last slices are shorter than n words: a text has len(words) − n + 1 n-grams")
def with_short_slices(output, reference, n):
    def grams(words):
        return [tuple(words[i : i + n]) for i in range(len(words))]

    return rouge.solution(grams(output), grams(reference), 1)


@rouge.mistake("divide by the number of n-grams, not by that of the words")
def shares_of_the_words(output, reference, n):
    matches, _, _ = _counts(output, reference, n)
    return 2 * matches / (len(output) + len(reference)) if matches else 0.0


@rouge.mistake("both arguments are lists of words already: there is nothing to split")
def split_again(output, reference, n):
    return rouge.solution(output.split(), reference.split(), n)


@rouge.mistake("the elements of the lists are the words: do not make one string of them")
def of_characters(output, reference, n):
    return rouge.solution(list(" ".join(output)), list(" ".join(reference)), n)


@exercise(
    "07.5",
    "Never the same three words twice",
    r"""
    **A project.** Coverage makes repetition expensive while the model is trained. There is a way
    that needs no training: the search refuses a word that would complete an $n$-gram which the
    output already has ([Paulus et al. 2018](REFERENCES.md#paulus2018), section 2.5). Build it, and
    measure what it removes.

    So that no model is needed, the next word depends on the last one alone: `log_probs` has shape
    (V, V), and row $i$ says how probable each word is after word $i$. Word 0 marks the start and
    the end. It is no part of the output, and it is never refused.

    Write `without_repeats(log_probs, n, longest)`. Greedy search: at each step the most probable
    next word, until the end or until the output has `longest` words. Run it twice, as it is and
    with the refusal. Return `(plain, blocked, repeated)`:

    - the two outputs, as lists of integers;
    - the share of the $n$-grams in `plain` that stood further to the left in it already, a float;
      0.0 if it is too short for any.

    **Predict first:** a greedy search in which each word depends on the last one alone has written
    a word for the second time. What comes next, without the refusal?
    """,
    prediction="what came after it the first time, and so on, round and round, up to"
    " `longest` words",
    minutes=30,
    kind="extend",
)
def without_repeats(log_probs, n, longest):
    """Greedy outputs without and with a refusal of repeated n-grams, and what it is worth.

    log_probs: (V, V), a row for each last word; word 0 is start and end. n: at least 1.
    Returns (list of words, list of words, share of repeated n-grams in the first one).
    """

    def ngrams(text):
        return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]

    def search(refusing):
        text, last = [], 0
        while len(text) < longest:
            scores = log_probs[last].clone()
            for word in range(1, len(scores)):
                if refusing and ngrams([*text, word])[-1:] in [[gram] for gram in ngrams(text)]:
                    scores[word] = -torch.inf
            last = int(scores.argmax())
            if last == 0:
                break
            text.append(last)
        return text

    plain, grams = search(False), ngrams(search(False))
    return plain, search(True), 1 - len(set(grams)) / len(grams) if grams else 0.0


def _table(*rows):
    return torch.tensor(rows).log()


@without_repeats.cases
def _():
    circle = _table([0.1, 0.6, 0.3], [0.2, 0.1, 0.7], [0.3, 0.6, 0.1])  # 1 2 1 2 1 2 …
    yield case(circle, 2, 5, expected=([1, 2, 1, 2, 1], [1, 2, 1], 0.5), label="n = 2")
    yield case(circle, 1, 4, expected=([1, 2, 1, 2], [1, 2], 0.5), label="n = 1: no word twice")
    yield case(circle, 3, 4, expected=([1, 2, 1, 2], [1, 2, 1, 2], 0.0), label="n = 3")
    other = _table(
        [0.1, 0.6, 0.2, 0.1], [0.1, 0.25, 0.45, 0.2], [0.1, 0.5, 0.1, 0.3], [0.7, 0.1, 0.1, 0.1]
    )
    yield case(
        other,
        2,
        6,
        expected=([1, 2, 1, 2, 1, 2], [1, 2, 1, 1, 3], 0.6),
        label="the second time, another word follows",
    )
    yield case(
        _table([0.2, 0.8], [0.9, 0.1]), 2, 5, expected=([1], [1], 0.0), label="too short for a pair"
    )
    yield case(
        _table([0.2, 0.8], [0.1, 0.9]), 2, 4, expected=([1] * 4, [1, 1], 2 / 3), label="one word"
    )
    for size, n in ((4, 1), (4, 2), (5, 2), (4, 3), (6, 3)):
        log_probs = torch.randn(size, size)
        log_probs[:, 0] -= 1.0
        yield case(log_probs.log_softmax(dim=1), n, 12 + size)


def _written(log_probs, longest, refused):
    """Greedy search. refused: a function of the text that returns the words not to write."""
    text, last = [], 0
    while len(text) < longest:
        scores = log_probs[last].clone()
        for word in refused(text):
            scores[word] = -torch.inf
        last = int(scores.argmax())
        if last == 0:
            break
        text.append(last)
    return text


def _refused(n):
    return lambda text: [
        text[i + n - 1]
        for i in range(len(text) - n + 1)
        if text[i : i + n - 1] == text[len(text) - n + 1 :]
    ]


def _with_block(log_probs, n, longest, refused):
    """The solution with another rule for what is refused."""
    plain, _, repeated = without_repeats.solution(log_probs, n, longest)
    return plain, _written(log_probs, longest, refused), repeated


@without_repeats.mistake("a word may come again: refuse it only if it completes an n-gram again")
def no_word_again(log_probs, n, longest):
    return _with_block(log_probs, n, longest, lambda text: text)


@without_repeats.mistake("the n-gram may have come anywhere in the output, not only just before")
def last_one_only(log_probs, n, longest):
    return _with_block(
        log_probs, n, longest, lambda text: _refused(n)(text[max(len(text) - 2 * n + 1, 0) :])
    )


@without_repeats.mistake(
    "an n-gram is n words: the word that is refused and the n − 1 words before it"
)
def longer_ngrams(log_probs, n, longest):
    return _with_block(log_probs, n, longest, _refused(n + 1))


@without_repeats.mistake("instead of the refused word, the best of the others comes: go on writing")
def stops_at_a_repeat(log_probs, n, longest):
    return _with_block(
        log_probs,
        n,
        longest,
        lambda text: (
            range(1, len(log_probs))
            if int(log_probs[text[-1] if text else 0].argmax()) in _refused(n)(text)
            else []
        ),
    )


@without_repeats.mistake(
    "the second best word may be refused as well: look at every word before you take the best"
)
def second_best(log_probs, n, longest):
    def refused(text):
        best = int(log_probs[text[-1] if text else 0].argmax())
        return [best] if best in _refused(n)(text) else []

    return _with_block(log_probs, n, longest, refused)


@without_repeats.mistake(
    "`text[-(n - 1):]` is the whole text for n = 1: count from the front,"
    " `text[len(text) - n + 1:]`"
)
def minus_zero(log_probs, n, longest):
    def refused(text):
        start = text[-(n - 1) :]
        return [text[i + n - 1] for i in range(len(text) - n + 1) if text[i : i + n - 1] == start]

    return _with_block(log_probs, n, longest, refused)


@without_repeats.mistake("this is the share of different n-grams; the repeated ones are the rest")
def share_of_different_ones(log_probs, n, longest):
    plain, blocked, repeated = without_repeats.solution(log_probs, n, longest)
    return plain, blocked, 1 - repeated


@without_repeats.mistake("the first time, an n-gram is no repetition: only the later ones count")
def all_copies(log_probs, n, longest):
    plain, blocked, _ = without_repeats.solution(log_probs, n, longest)
    grams = [tuple(plain[i : i + n]) for i in range(len(plain) - n + 1)]
    return plain, blocked, sum(grams.count(g) > 1 for g in grams) / max(len(grams), 1)


@without_repeats.mistake("the share belongs to the output without the refusal; with it, it is 0")
def share_after_the_refusal(log_probs, n, longest):
    return *without_repeats.solution(log_probs, n, longest)[:2], 0.0


@without_repeats.mistake("a share: divide by the number of n-grams in the output")
def number_of_repeats(log_probs, n, longest):
    plain, blocked, repeated = without_repeats.solution(log_probs, n, longest)
    return plain, blocked, repeated * max(len(plain) - n + 1, 0)


@without_repeats.mistake("divide by the number of n-grams, which is less than that of the words")
def divided_by_words(log_probs, n, longest):
    plain, blocked, repeated = without_repeats.solution(log_probs, n, longest)
    return plain, blocked, repeated * max(len(plain) - n + 1, 0) / max(len(plain), 1)


@without_repeats.mistake("word 0 marks the end; it is no part of the output")
def end_in_the_output(log_probs, n, longest):
    plain, blocked, repeated = without_repeats.solution(log_probs, n, longest)
    closed = [text if len(text) == longest else [*text, 0] for text in (plain, blocked)]
    return *closed, repeated


@without_repeats.mistake("first the output as it is, then the one with the refusal")
def outputs_swapped(log_probs, n, longest):
    plain, blocked, repeated = without_repeats.solution(log_probs, n, longest)
    return blocked, plain, repeated


@without_repeats.mistake("the output has at most `longest` words")
def one_word_more(log_probs, n, longest):
    plain, blocked, _ = without_repeats.solution(log_probs, n, longest + 1)
    return plain, blocked, without_repeats.solution(log_probs, n, longest)[2]
