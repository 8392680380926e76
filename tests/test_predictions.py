"""What a passing check says of a prediction is what the solution of the exercise computes."""

import math

import pytest
import torch

from course_utils.exercises import get

ALL = torch.tensor([[True]])


def tensor(*values):
    return torch.tensor(values)


def solved(number, *given):
    return get(number).solution(*given)


def path(*tokens):
    return torch.nn.functional.one_hot(tensor(*tokens), 3).float()


def equal_heads(slope):
    zeros = torch.zeros(1, 5, 2)
    return solved("10.7", zeros, zeros, zeros, tensor(slope))[1]


def equal_errors(found):
    return [found[1] == found[2]]


def counted(scores):
    return solved("09.5", scores, torch.ones(1, 7) > 0, tensor(0))[0]


def needed(power):
    """Exercise 04.6: the agreement of a heat map whose weights are raised to a power."""
    weights = tensor([[0.5, 0.1, 0.4]]) ** power
    image = torch.arange(9.0).reshape(1, 3, 3)
    worth = tensor(2.0, -1, 3)
    return solved("04.6", image, weights, lambda x: x.sum(2) @ worth, torch.zeros(3))[1]


def met(weights):
    """Exercise 06.6: for k words erased, whether the two curves meet."""
    share = {"a": 0.3, "b": 0.1, "c": 0.4}
    given = list("abc"), weights, tensor([2, 1, 0], [2, 0, 1])
    return close(*solved("06.6", *given, lambda words: sum(share.get(w, 0) for w in words))[:2])


def loss(words, surprise):
    """Exercise 03.4: texts of so many words, and the loss of each word of a text."""
    target = torch.zeros(len(words), max(words) + 2, dtype=torch.long)
    logits = torch.zeros(len(words), max(words) + 1, 2 + 2)
    for row, n, loss in zip(range(len(words)), words, surprise, strict=True):
        target[row, : n + 2] = tensor(1, *[3] * n, 2)
        for t in range(n + 1):  # the right word has the probability exp(-loss)
            logits[row, t] = math.log((1 - math.exp(-loss)) / 3)
            logits[row, t, target[row, t + 1]] = -loss
    return solved("03.4", logits, target)


def stays_at_the_end(last_memory):
    """Exercise 08.5: u at the end of a chain of three, after one hop."""
    values = tensor([-1.0, 1, 0, 0], [0, -1, 1, 0], [0, 0, -1, 1], [0, 0, 0, 0])
    scores = tensor(0.0, 0, 0, 50 if last_memory else -math.inf)
    return tensor(0.0, 0, 0, 1) + scores.softmax(0) @ values


def broken_11_6(states, parents):
    return states[parents.flatten()]


def centred_11_7():
    x = tensor([1.0, 5, 0], [2, 4, 7])
    return solved("11.7", lambda x, words: x - x.mean(dim=1, keepdim=True), x, x > 0)


def broken_10_3(queries, keys, values):
    found = []
    for t in range(len(queries)):
        weights = (keys[: t + 1] @ queries[t]).softmax(0)
        found.append(weights @ values[: t + 1].flip(0))
    return torch.stack(found)


def close(a, b):
    return torch.isclose(a, b, atol=1e-5).flatten().tolist()


GIVEN = [
    torch.tensor(x) for x in ([[2.0], [1.0], [3.0]], [[1.0], [2.0], [4.0]], [[1.0], [5.0], [9.0]])
]

TABLE = tensor([0.0, 1.0], [5.0, 2.0], [9.0, 7.0]), tensor(1.0, 2, 6)
LOOKS = tensor([2.0, 1.0]), *(one.expand(3, 2) + torch.eye(3, 2) for one in torch.eye(2)[:, None])
LOOKS = *LOOKS, torch.ones(1, 3) > 0, tensor([1.0, 3.0])

PREDICTED = [
    ("00.1", lambda: solved("00.1", tensor(2.0, 1, 1), tensor([4.0], [8.0], [9.0])), [6.25]),
    (
        "01.1",
        lambda: solved("01.1", torch.zeros(1, 2), torch.eye(2), tensor([1.0], [5.0])),
        [[3.0]],
    ),
    (
        "01.2",
        lambda: solved("01.2", tensor(2.0, 4, 6), 2) / solved("01.2", tensor(1.0, 2, 3), 2),
        2.0,
    ),
    ("01.3", lambda: solved("01.3", tensor(1.0, 9), tensor(5.0, 7), 0.1), [7.0, 5.0]),
    ("01.4", lambda: tensor(-3.0, -3, -3, 0, 0).softmax(0)[3:].sum() > 0.925, True),
    ("01.4", lambda: tensor(-3.0, -3, -3, 0, 0).softmax(0)[3:].sum() < 0.935, True),
    ("01.5", lambda: equal_errors(solved("01.5", *TABLE, [math.inf])), [True]),
    ("01.5", lambda: equal_errors(solved("01.5", *TABLE, [100.0])), [False]),
    ("02.6", lambda: solved("02.6", *LOOKS)[1].abs().sum() > 0.1, True),
    ("02.6", lambda: solved("02.6", *LOOKS)[1].sum(0), [0.0, 0.0]),
    ("03.4", lambda: loss([2, 20], [1.0, 2.0]), (3 * 1 + 21 * 2) / 24),
    (
        "03.5",
        lambda: solved("03.5", [[(-2.0, [1]), (-2.2, [1, 2])]], [[1]], [0.0, 1.0])[1],
        [1.0, 2.0],
    ),
    ("04.1", lambda: solved("04.1", torch.eye(64)[:1], 8, 8, 64, 64).max() * 64, 1.0),
    ("04.3", lambda: solved("04.3", ["a", "b"], [["a"], ["b"]], 1), [2, 2]),
    ("04.3", lambda: solved("04.3", ["a", "b"], [["a"]], 1), [1, 2]),
    ("04.5", lambda: solved("04.5", [(5, 2), (3, 2), (3, 2), (3, 1), (3, 1)]), 49),
    ("04.6", lambda: needed(2) - needed(1), [0.0]),
    ("05.2", lambda: solved("05.2", path(1, 0, 1)), [1, 1]),
    ("05.2", lambda: solved("05.2", path(1, 1)), [1]),
    ("05.4", lambda: solved("05.4", tensor(5, 1), 5).sum(1), [2, 1]),
    ("05.5", lambda: solved("05.5", [2, 2, 5, 2, 2, 2]), 9),
    (
        "06.2",
        lambda: solved("06.2", solved("06.2", tensor([5, 6, 0]), tensor(2)), tensor(2)),
        [[5, 6, 0]],
    ),
    ("06.3", lambda: solved("06.3", tensor(0.5, 0.3, 0.2), tensor(False, True, False)), 0.5),
    (
        "06.4",
        lambda: solved("06.4", torch.full((4,), 0.5), tensor(True, False, True, False), 5),
        0.0,
    ),
    ("06.5", lambda: solved("06.5", 10, 60, 0.0), 5 / 6),
    ("06.5", lambda: round(solved("06.5", 10, 60, 2.0), 2), 0.4),
    ("06.6", lambda: met(tensor(0.7, 0.1, 0.2)), [True, False, False, True]),
    ("07.1", lambda: solved("07.1", tensor(0.0), tensor(0.4), tensor(0.5)) < 0, [True]),
    ("07.1", lambda: solved("07.1", tensor(0.4), tensor(0.4), tensor(0.5)), [0.0]),
    (
        "07.2",
        lambda: [solved("07.2", [w], [], {"<unk>": 0})[0] for w in ("Ann", "Bob")],
        [[1], [1]],
    ),
    ("07.3", lambda: solved("07.3", tensor([[1.0, 0], [1.0, 0]]), tensor([True, True])), 0.5),
    ("07.4", lambda: solved("07.4", "Ann met Bob".split(), "Bob met Ann".split(), 1), 1.0),
    (
        "07.5",
        lambda: solved(
            "07.5",
            tensor([-9, -1, -2, -9.0], [-9, -9, -1, -2.0], [-9, -1, -2, -9.0], [0, -9, -9, -9.0]),
            2,
            6,
        )[0],
        [1, 2, 1, 2, 1, 2],
    ),
    ("08.1", lambda: solved("08.1", tensor(2, 3), 4), [[1, 0, -1, -1], [2, 1, 0, -1]]),
    (
        "08.2",
        lambda: solved(
            "08.2", torch.zeros(1, 1), torch.ones(1, 2, 1), tensor([[1.0], [5.0]]), ALL.expand(1, 2)
        )[0],
        [[3.0]],
    ),
    ("08.4", lambda: solved("08.4", tensor([[0.6, 0.3, 0.1]] * 3), [[0, 1, 2]]), [1.0, 1.0, 1.0]),
    ("08.5", lambda: stays_at_the_end(True), [0.0, 0.0, 0.0, 1.0]),
    ("08.5", lambda: stays_at_the_end(False), [-1 / 3, 0.0, 0.0, 4 / 3]),
    ("09.1", lambda: solved("09.1", ["star?"] * 3 + ["ring?"], ["no", "no", "yes", "red"]), 0.75),
    ("09.5", lambda: counted(torch.zeros(1, 7)), 7.0),
    ("09.5", lambda: counted(100 * torch.eye(7)[:1]), 1.0),
    ("10.1", lambda: solved("10.1", 5, 2).sum(), 9),
    ("10.3", lambda: close(broken_10_3(*GIVEN), solved("10.3", *GIVEN)), [True, False, False]),
    ("10.4", lambda: solved("10.4", 6, 64, 8, 8, 9, 4) / solved("10.4", 6, 64, 8, 1, 9, 4), 8.0),
    ("10.6", lambda: solved("10.6", 20, 4, 3), 11),
    ("10.7", lambda: equal_heads(1e4), [0.0]),
    ("10.7", lambda: equal_heads(0.0), [1.0]),
    ("11.1", lambda: tensor([1.0, 2.0]).masked_fill(ALL, -1e9).softmax(dim=0), [[1.0, 1.0]]),
    ("11.2", lambda: solved("11.2", torch.eye(4)[None]), [0.0]),
    ("11.3", lambda: solved("11.3", tensor([0.6, 0.4]), tensor([0.9, 0.1])) < 0, True),
    ("11.5", lambda: solved("11.5", *torch.eye(2)), math.log(2)),
    ("11.6", lambda: broken_11_6(tensor(10, 11, 20, 21), tensor([1, 0], [1, 1])), [11, 10, 11, 11]),
    ("11.7", lambda: centred_11_7() == {"padding", "future"}, True),
]


@pytest.mark.parametrize("number, computed, expected", PREDICTED)
def test_the_solution_gives_what_is_predicted(number, computed, expected):
    found = computed()
    found = found.tolist() if isinstance(found, torch.Tensor) else found
    assert torch.allclose(torch.tensor(found).double(), torch.tensor(expected).double(), atol=1e-4)
    assert get(number).prediction
