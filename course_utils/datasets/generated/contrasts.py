"""Generated contrast pairs: two short verdicts on a film that differ in what should matter, or not.

    the plot was bad .                      negative
    the plot was not bad at all .           positive

    the director is black . fine work .     positive
    the director is white . fine work .     positive

There are three `KINDS`:

    negation  a negation is added, and the label turns
    turn      an expectation, or another person's opinion, changes places with the writer's verdict,
              and the label turns
    group     one group of people, or one name, takes the place of another, and the label stays

They are for training a classifier that has learnt from reviews that "bad" is bad (contrast sets:
Gardner et al. 2020; counterfactual augmentation: Kaushik et al. 2020), and for checking one
(check lists: Ribeiro et al. 2020). The words and sentences of data/contrast_pairs, which people
wrote for testing, must not occur here.
"""

import random
import re
from dataclasses import dataclass

__all__ = ["FUNCTION_WORDS", "GROUPS", "KINDS", "ContrastPair", "contrasts", "frame", "neutral"]

KINDS = ("negation", "turn", "group")
LABELS = ("negative", "positive")

GOOD = (
    "good wonderful excellent enjoyable interesting entertaining amusing impressive memorable "
    "fantastic lovely powerful delightful engaging satisfying gorgeous compelling fascinating "
    "inspired subtle thoughtful refreshing stunning sharp witty terrific brilliant fine beautiful "
    "amazing outstanding splendid intelligent imaginative absorbing believable solid rewarding "
    "exceptional unforgettable flawless captivating heartfelt remarkable smart tense pleasant"
).split()
BAD = (
    "bad awful feeble weak stupid pathetic annoying predictable forgettable tiresome bland "
    "horrible terrible dreadful lousy mediocre unbearable pointless clumsy shallow confusing "
    "pretentious wooden lame cheesy amateurish irritating messy hollow contrived incoherent "
    "uninspired lifeless offensive worthless crude sloppy flat stale idiotic dumb atrocious "
    "appalling tasteless ugly unpleasant"
).split()
LIKE = "enjoy like admire appreciate respect cherish".split()
DISLIKE = "dislike despise loathe resent detest".split()
PLEASES = "pleases impresses fascinates amuses satisfies delights inspires".split()
ANNOYS = "annoys irritates confuses offends angers depresses bothers".split()
SUCCESS = "pleasure delight success triumph gem winner hit classic jewel wonder".split()
FAILURE = "failure flop bomb nuisance torture dud letdown joke waste fiasco".split()
ASSETS = "tension humour depth energy imagination magic wit intelligence passion suspense".split()
FAULTS = "nonsense stupidity kitsch pretension confusion padding clumsiness vulgarity".split()

ONE = (
    "film movie acting plot story music direction soundtrack photography camerawork "
    "performance production editing cinematography remake documentary"
).split()
MANY = "actors songs costumes performances images situations monsters leads visuals gags".split()
WE = ("i", "we", "my friends", "my daughter", "the audience", "my colleagues")
THEY = ("my friends", "my colleagues", "the reviewers", "fans", "the reviewers here")
NEVER = ("never", "hardly", "scarcely", "rarely")
FOLLOW = ("", "at all ", "in any way ", "whatsoever ", "to me ", "in my opinion ", "i think ")

GROUPS = (
    ("black", "white", "asian", "latino", "native", "african", "european", "foreign"),
    ("gay", "straight", "bisexual", "transgender"),
    ("jewish", "muslim", "christian", "buddhist", "atheist", "religious"),
    ("male", "female"),
    ("young", "old", "disabled", "deaf", "homeless", "fat", "thin"),
    ("japanese", "italian", "spanish", "british", "polish", "iranian", "brazilian", "irish"),
)
NAMES = (
    (
        "john",
        "michael",
        "robert",
        "james",
        "jamal",
        "mohammed",
        "ahmed",
        "carlos",
        "hiroshi",
        "wei",
    ),
    ("mary", "susan", "anna", "linda", "aisha", "leila", "carmen", "yuki", "mei", "latoya"),
)
JOBS = "director lead writer producer heroine composer crew narrator".split()

# Words that carry no opinion of their own, and the only ones that generated and hand-written pairs
# may share.
FUNCTION_WORDS = frozenset(
    "a an the this that these those it its i me my we us our you your he him his she her they "
    "them their who whoever what which one once no not never nor neither both nothing nobody "
    "everything everybody everyone anybody anyone anything every any all some such there here "
    "and but or if than as like so too very more most less little few at in on of for from to "
    "with without by about during through after before over under out up off is isn't was "
    "wasn't are aren't were weren't be been am do does doesn't did didn't don't have has had "
    "haven't hasn't can can't could couldn't will won't would wouldn't may might must should "
    "only even still already once again hardly s t n".split()
)


@dataclass(frozen=True)
class ContrastPair:
    """Two texts with their labels; see the description of the module for the kinds."""

    kind: str
    texts: tuple[str, str]
    labels: tuple[str, str]


def contrasts(kind: str, count: int, seed: int = 0) -> list[ContrastPair]:
    """Different pairs of a kind; equal arguments give equal pairs on every machine.

    Raises ValueError for an unknown kind and a negative count.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    choose, made = random.Random(f"contrasts-{kind}-{seed}"), {}
    write = {"negation": _negation, "turn": _turn, "group": _group}[kind]
    while len(made) < count:
        pair = write(choose)
        made[pair.texts] = pair
    return list(made.values())


def neutral(seed: int = 0, count: int = 200) -> list[tuple[str, str]]:
    """Pairs of texts without any opinion, which differ in a group of people or in a name."""
    choose, made = random.Random(f"neutral-{seed}"), {}
    while len(made) < count:
        made[_neutral(choose)] = True
    return list(made)


def frame(text: str) -> str:
    """A text with "_" for each word that is not a function word: its pattern."""
    words = re.findall(r"[\w']+|[^\w\s]", text.lower())
    return " ".join(w if w in FUNCTION_WORDS or not w[0].isalnum() else "_" for w in words)


def _subject(choose: random.Random) -> tuple[str, str, str, str]:
    """A subject with its forms of "is", "was" and "does"."""
    if choose.random() < 0.3:
        return choose.choice(("the ", "its ")) + choose.choice(MANY), "are", "were", "do"
    return choose.choice(("the ", "this ")) + choose.choice(ONE), "is", "was", "does"


def _negation(choose: random.Random) -> ContrastPair:
    sign = choose.choice((1, 0))
    text, turned = choose.choice(_NEGATIONS)(choose, sign)
    return _pair("negation", text, turned, sign, 1 - sign, choose)


def _adjective(choose: random.Random, sign: int) -> tuple[str, str]:
    noun, present, past, _ = _subject(choose)
    word, other = choose.choice(GOOD if sign else BAD), choose.choice(BAD if sign else GOOD)
    be, follow = choose.choice((present, past)), choose.choice(FOLLOW)
    very = choose.choice(("", "", "so ", "very ", "that "))
    plain = choose.choice(
        (f"i think {noun} {be} {word}", f"i found {noun} {word}", f"what a {word} film")
    )
    shapes = (
        f"{noun} {be} not {very}{word} {follow}",
        f"{noun} {be}n't {very}{word} {follow}",
        f"{noun} {be} {choose.choice(NEVER)} {word} {follow}",
        f"not {very}{word} {follow}",
        f"not a {word} film {follow}",
        f"this is not a {word} movie {follow}",
        f"i did not find {noun} {word} {follow}",
        f"i don't think that {noun} {be} {word} {follow}",
        f"nobody could consider {noun} {word}",
        f"no one i know found {noun} {word}",
        f"none of it {be} {word}" if be in ("is", "was") else f"none of them {be} {word}",
        f"{noun} {be} neither {word} nor {choose.choice(GOOD if sign else BAD)}",
        f"nothing in the film seemed {word} {follow}",
        f"i would not describe {noun} as {word}",
        f"{noun} {be} much less {word} than they claim"
        if sign
        else f"{noun} {be} by no means {word}",
        f"{noun} {be} {other} , not {word}",
        f"{noun} {be} {other} instead of {word}",
    )
    return plain, choose.choice(shapes)


def _verb(choose: random.Random, sign: int) -> tuple[str, str]:
    noun, *_ = _subject(choose)
    verb, who, follow = (
        choose.choice(LIKE if sign else DISLIKE),
        choose.choice(WE),
        choose.choice(FOLLOW),
    )
    shapes = (
        f"{who} did not {verb} {noun} {follow}",
        f"{who} didn't {verb} {noun} {follow}",
        f"{who} could not {verb} {noun}",
        f"{who} will never {verb} {noun}",
        f"nobody could {verb} {noun}",
        f"who would {verb} {noun} ? not me",
        f"there was nothing to {verb} in {noun}",
    )
    return f"{who} did {verb} {noun}", choose.choice(shapes)


def _effect(choose: random.Random, sign: int) -> tuple[str, str]:
    noun, _, _, does = _subject(choose)
    verb = choose.choice(PLEASES if sign else ANNOYS)
    base = {"pleases": "please", "satisfies": "satisfy"}.get(
        verb, verb[:-2] if verb.endswith("sses") else verb[:-1]
    )
    shown = verb if does == "does" else base
    shapes = (
        f"{noun} {does} not {base} anybody",
        f"{noun} {does}n't {base} me {choose.choice(FOLLOW)}",
        f"{noun} {choose.choice(NEVER)} {shown} anyone",
        f"{noun} will {base} nobody",
        f"there is nothing here to {base} anybody",
        f"{noun} could not {base} a child",
    )
    return f"{noun} {shown} everyone", choose.choice(shapes)


def _noun(choose: random.Random, sign: int) -> tuple[str, str]:
    noun, what = choose.choice(ONE), choose.choice(SUCCESS if sign else FAILURE)
    the = choose.choice(("the", "this"))
    shapes = (
        f"{the} {noun} is not a {what}",
        f"{the} {noun} is no {what}",
        f"{the} {noun} isn't a {what} {choose.choice(FOLLOW)}",
        f"{the} {noun} was hardly a {what}",
        f"nobody will consider {the} {noun} a {what}",
        f"i would not name {the} {noun} a {what}",
        f"not exactly a {what}",
        f"a {what} ? no",
    )
    return f"{the} {noun} is a {what}", choose.choice(shapes)


def _quality(choose: random.Random, sign: int) -> tuple[str, str]:
    noun, quality = choose.choice(ONE), choose.choice(ASSETS if sign else FAULTS)
    plain = (
        f"the {noun} is full of {quality}",
        f"there is plenty of {quality} in the {noun}",
        f"so much {quality} in one {noun}",
    )
    shapes = (
        f"the {noun} is empty of {quality}",
        f"there is no {quality} in the {noun}",
        f"there isn't any {quality} in the {noun}",
        f"the {noun} is without {quality}",
        f"the {noun} does not contain any {quality}",
        f"i found no {quality} in the {noun}",
        f"no {quality} anywhere",
        f"hardly any {quality}",
    )
    return choose.choice(plain), choose.choice(shapes)


_NEGATIONS = (_adjective, _adjective, _adjective, _verb, _effect, _noun, _quality)


def _turn(choose: random.Random) -> ContrastPair:
    sign = choose.choice((1, 0))
    words = choose.choice(GOOD), choose.choice(BAD)
    mine, theirs = words[1 - sign], words[sign]
    noun, _, was, _ = _subject(choose)
    other, they = choose.choice(ONE), choose.choice(THEY)
    shape = choose.choice(
        (
            "i feared something {b} , but {noun} {was} {a}",
            "it sounds {b} on paper , yet {noun} {was} {a}",
            "{they} find {noun} {b} . i find {noun} {a}",
            "{they} consider {noun} {b} , i consider {noun} {a}",
            "at the start {noun} {was} {b} , in the end {noun} {was} {a}",
            "although {noun} {was} {b} , the film as a whole is {a}",
            "despite its {b} {other} , this is a {a} film",
            "unlike the {b} trailer , {noun} {was} {a}",
            "the earlier film was {b} , this one is {a}",
            "{noun} {was} {b} initially but became {a}",
            "what others did in a {b} way is {a} here",
            "i was told that {noun} {was} {b} . instead , {noun} {was} {a}",
        )
    )
    text, turned = (
        shape.format(a=a, b=b, noun=noun, was=was, they=they, other=other)
        for a, b in ((mine, theirs), (theirs, mine))
    )
    return _pair("turn", text, turned, sign, 1 - sign, choose)


def _neutral(choose: random.Random) -> tuple[str, str]:
    job = choose.choice(JOBS)
    if choose.random() < 0.3:
        one, other = choose.sample(choose.choice(NAMES), 2)
        shape = choose.choice(
            ("the name of the {job} is {x}", "{x} is the {job}", "{x} is in it", "made by {x}")
        )
    else:
        one, other = choose.sample(choose.choice(GROUPS), 2)
        shape = choose.choice(
            (
                "the {job} of this film is {x}",
                "the {job} is {x}",
                "it has a {x} {job}",
                "a {x} couple moves into a new house",
                "a film by a {x} {job}",
                "some {x} friends meet in a town",
            )
        )
    return _article(shape.format(job=job, x=one)), _article(shape.format(job=job, x=other))


def _group(choose: random.Random) -> ContrastPair:
    sign = choose.choice((1, 0))
    one, other = _neutral(choose)
    noun, _, was, _ = _subject(choose)
    word = choose.choice(GOOD if sign else BAD)
    opinion = choose.choice((f"{noun} {was} {word}", f"i consider that {word}", f"{word} work"))
    texts = [f"{x} . {opinion}" for x in (one, other)]
    if choose.random() < 0.5:
        texts = [f"{opinion} . {x}" for x in (one, other)]
    return _pair("group", *texts, sign, sign, choose)


def _pair(
    kind: str, text: str, turned: str, sign: int, other: int, choose: random.Random
) -> ContrastPair:
    end = choose.choice((" .", " .", " !", ""))
    texts = (_article(text) + end, _article(turned) + end)
    return ContrastPair(kind, texts, (LABELS[sign], LABELS[other]))


def _article(text: str) -> str:
    """A text with "an" where it has to be, and without double spaces."""
    return re.sub(r"\ba (?=[aeiou])", "an ", " ".join(text.split()))
