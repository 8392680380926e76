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

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from course_utils.paths import DATA

__all__ = ["FUNCTION_WORDS", "GROUPS", "KINDS", "ContrastPair", "contrasts", "frame", "neutral"]

KINDS = ("negation", "turn", "group")
LABELS = ("negative", "positive")

GOOD = (
    "good wonderful excellent enjoyable interesting entertaining amusing impressive memorable "
    "fantastic lovely powerful delightful engaging satisfying gorgeous compelling fascinating "
    "inspired subtle thoughtful refreshing stunning sharp witty terrific brilliant fine "
    "beautiful amazing outstanding splendid intelligent imaginative absorbing believable solid "
    "rewarding exceptional unforgettable flawless captivating heartfelt remarkable smart tense "
    "pleasant masterful breathtaking heartbreaking superlative underrated timeless astonishing "
    "mesmerizing bittersweet heartwarming poignant understated marvelous extraordinary "
    "energetic tremendous impeccable haunting riveting phenomenal chilling sublime exquisite "
    "dazzling gritty delicious incredible fabulous poetic colourful mature unique sensitive "
    "colorful intense complex startling spectacular awesome crisp inspiring sweet loving "
    "astounding inventive surreal realistic glamorous magical endearing striking innocent "
    "accomplished effective brave authentic classic suspenseful grand humorous genuine "
    "versatile atmospheric sympathetic"
).split()
BAD = (
    "bad awful feeble weak stupid pathetic annoying predictable forgettable tiresome bland "
    "horrible terrible dreadful lousy mediocre unbearable pointless clumsy shallow confusing "
    "pretentious wooden lame cheesy amateurish irritating messy hollow contrived incoherent "
    "uninspired lifeless offensive worthless crude sloppy flat stale idiotic dumb atrocious "
    "appalling tasteless ugly unpleasant unwatchable flimsy horrid abysmal uninteresting "
    "nauseating inane dire embarrassing unimpressive hideous wretched hackneyed pitiful "
    "lackluster excruciating uninspiring unappealing ludicrous horrendous crappy useless "
    "obnoxious incomprehensible disjointed choppy repetitive generic inconsistent preposterous "
    "miscast underdeveloped illogical trite disgusting dreary pedestrian clueless unrealistic "
    "sickening shameful absurd misleading senseless stilted phony dismal stereotypical mindless "
    "unnecessary tacky overdone empty irrelevant juvenile unforgivable ghastly"
).split()
LIKE = "enjoy like admire appreciate respect cherish".split()
DISLIKE = "dislike despise loathe resent detest".split()
PLEASE = "please impress fascinate amuse satisfy delight inspire".split()
ANNOY = "annoy irritate confuse offend anger depress bother".split()
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
WORDS = DATA / "contrast_pairs" / "words.json"
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


class _Choice(random.Random):
    """Random choices from four fifths of the words and patterns, or from the fifth held out.

    Of lists of fewer than five, nothing is held out.
    """

    held = False

    def part(self, options: Sequence[str]) -> str:
        held = len(options) // 5  # numbers 4, 9, 14, ...
        if self.held and held:
            return options[5 * self.randrange(held) + 4]
        i = self.randrange(len(options) - held)
        return options[i + i // 4]


def contrasts(kind: str, count: int, seed: int = 0, *, held: bool = False) -> list[ContrastPair]:
    """Different pairs of a kind; equal arguments give equal pairs on every machine.

    ``held``: made of the words and patterns that no other pairs have, to test with; of the kind
    "group", and of lists of fewer than five patterns, only the words are others. Raises ValueError
    for an unknown kind and a negative count.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    choose = _Choice(f"contrasts-{kind}-{seed}")
    made: dict[tuple[str, str], ContrastPair] = {}
    choose.held = held
    write = {"negation": _negation, "turn": _turn, "group": _group}[kind]
    while len(made) < count:
        pair = write(choose)
        made[pair.texts] = pair
    return list(made.values())


def neutral(seed: int = 0, count: int = 200) -> list[tuple[str, str]]:
    """Pairs of texts without any opinion, which differ in a group of people or in a name.

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    choose = _Choice(f"neutral-{seed}")
    made: dict[tuple[str, str], bool] = {}
    while len(made) < count:
        made[_neutral(choose)] = True
    return list(made)


def frame(text: str) -> str:
    """A text with "_" for each word that is not a function word: its pattern."""
    words = re.findall(r"[\w']+|[^\w\s]", text.lower())
    return " ".join(w if w in FUNCTION_WORDS or not w[0].isalnum() else "_" for w in words)


@cache
def opinions() -> dict[str, tuple[str, ...]]:
    """The words of reviews by list: those of this module, and those of data/contrast_pairs."""
    found = json.loads(WORDS.read_text("utf-8"))
    found["good"], found["bad"] = GOOD + found["good"], BAD + found["bad"]
    return {name: tuple(dict.fromkeys(words)) for name, words in found.items()}


# {n} a subject, {be} and {does} its forms, {w} and {u} words of one sign, {v} of the other, {c}
# and {d} what comes after: of patterns that keep the sign of {w}, and of patterns that turn it.
KEEPS = (
    "i think {n} {be} {w}",
    "i found {n} {w}",
    "what a {w} film",
    "{n} {be} {w} and {u}",
    "in my opinion {n} {be} {w} {d}",
    "i never watched such a {w} film",
    "{n} could not be more {w}",
    "{n} {be} not {v} but {w}",
    "{n} {be} not only {w} , it is also {u}",
    "{n} {be} {w} , not {v}",
    "nobody can claim that {n} {be} not {w}",
    "i can't deny that {n} {be} {w}",
    "i can't believe how {w} {n} {be}",
    "few films are so {w}",
    "nothing can be more {w} than {n}",
    "{n} {be} more {w} than {v}",
    "{n} {be} never {v} , always {w}",
    "{w} and not {v} {d}",
    "i don't know why anybody finds {n} {v}",
    "{n} {be} in every way {w}",
    "why on earth is {n} so {w} ?",
    "{n} {be} very {w} , as always",
    "i rarely encounter a more {w} film",
    "everybody can notice that {n} {be} {w}",
    "{n} {be} so {w} that i told all my friends",
)
TURNS = (
    "{n} {be} not {w} {c}",
    "{n} {be}n't {w} {c}",
    "{n} {be} never {w} {c}",
    "not {w} {c}",
    "not a {w} film {c}",
    "{n} {be} not very {w}",
    "{n} {be}n't so {w} {c}",
    "{n} {be} not that {w}",
    "this is not a {w} movie {c}",
    "{n} {be} hardly {w}",
    "i did not find {n} {w} {c}",
    "i don't think that {n} {be} {w} {c}",
    "i don't think {n} {be} {w}",
    "nobody could consider {n} {w}",
    "no one i know found {n} {w}",
    "not one {thing} in it is {w}",
    "{n} {be} neither {w} nor {u}",
    "nothing in the film seemed {w} {c}",
    "there is nothing {w} about {n}",
    "i would not describe {n} as {w}",
    "{n} {be} much less {w} than they claim",
    "{n} {be} by no means {w}",
    "{n} {be} {v} , not {w}",
    "{n} {be} {v} instead of {w}",
    "{n} {be} anything except {w}",
    "{n} {be} no longer {w}",
    "i know more {w} films",
    "{w} ? not {n}",
    "{n} {be} {w} ? no",
    "in no way {be} {n} {w}",
    "who claims that {n} {be} {w} ? i don't",
    "they claim that {n} {be} {w} , which is false",
    "it is false that {n} {be} {w}",
    "{n} {be} without one {w} {thing}",
    "{n} {be} supposed to be {w} but {be} not",
    "i waited for {w} {thing} and met nothing of the kind",
    "i couldn't find {n} {w} {c}",
    "neither {n} nor {m} {be} {w}",
    "none of it is {w}",
    "i didn't think it {w} {c}",
)
# The same for verbs, nouns and adverbs.
VERBS = (
    (
        "{who} did {w} {n}",
        "{who} will {w} {n} {d}",
        "nobody is astonished that you {w} {n}",
        "{who} could not {v} {n} , only {w} it",
        "one can only {w} {n}",
    ),
    (
        "{who} did not {w} {n} {c}",
        "{who} didn't {w} {n} {c}",
        "{who} could not {w} {n}",
        "{who} will never {w} {n}",
        "nobody could {w} {n}",
        "who would {w} {n} ? not me",
        "there was nothing to {w} in {n}",
        "{who} do not {w} {n}",
        "i don't think anybody will {w} {n}",
        "{who} would not {w} {n} if i were you",
        "{who} couldn't {w} {n} {c}",
        "i had no cause to {w} {n}",
    ),
)
EFFECTS = (
    ("{n} did {w} me", "{n} will {w} everyone", "{n} can only {w} you", "what could {w} me more ?"),
    (
        "{n} {does} not {w} anybody",
        "{n} {does}n't {w} me {c}",
        "{n} will {w} nobody",
        "there is nothing here to {w} anybody",
        "{n} could not {w} a child",
        "{n} did not {w} me {c}",
        "{n} won't {w} you",
        "{n} never did {w} me",
        "nothing in it could {w} me",
    ),
)
NOUNS = (
    (
        "the {o} is a {w}",
        "i consider the {o} a {w}",
        "not a {v} but a {w}",
        "a {w} from the beginning to the credits",
        "the {o} is nothing less than a {w}",
        "nobody will deny that the {o} is a {w}",
    ),
    (
        "the {o} is not a {w}",
        "the {o} is no {w}",
        "this {o} isn't a {w} {c}",
        "the {o} was hardly a {w}",
        "nobody will consider the {o} a {w}",
        "i would not name the {o} a {w}",
        "not exactly a {w}",
        "a {w} ? no",
        "the {o} was never a {w}",
        "i don't think the {o} is a {w}",
        "the {o} is a {v} , not a {w}",
    ),
)
QUALITIES = (
    (
        "the {o} is full of {w}",
        "there is plenty of {w} in the {o}",
        "so much {w} in one {o}",
        "there is no {v} in the {o} , only {w}",
        "nothing but {w}",
        "never did i encounter so much {w}",
    ),
    (
        "the {o} is empty of {w}",
        "there is no {w} in the {o}",
        "there isn't any {w} in the {o}",
        "the {o} is without {w}",
        "the {o} does not contain any {w}",
        "i found no {w} in the {o}",
        "no {w} anywhere",
        "hardly any {w}",
        "the {o} is free of {w}",
        "not a trace of {w}",
        "the {o} has neither {w} nor {u}",
        "i saw no {w} in it",
    ),
)
MANNERS = (
    (
        "{n} {be} {w} done {d}",
        "i think {n} {be} {w} filmed",
        "{w} composed and {u} filmed",
        "it is all {w} done",
    ),
    (
        "{n} {be} not {w} done",
        "{n} {be}n't {w} filmed {c}",
        "nothing in it is {w} done",
        "{n} {be} neither {w} composed nor {u} filmed",
        "i don't think {n} {be} {w} composed",
        "not {w} done {c}",
    ),
)


def _slots(choose: _Choice, sign: int, lists: tuple[Sequence[str], Sequence[str]]) -> dict:
    """What fills the gaps of a pattern: words of the lists, and a subject with its forms."""
    n, be, does = _subject(choose)
    ours, theirs = lists[1 - sign], lists[sign]
    return {
        "n": n,
        "m": "the " + choose.choice(ONE),
        "o": choose.choice(ONE),
        "be": be,
        "does": does,
        "thing": choose.part(opinions()["things"]),
        "who": choose.choice(WE),
        "c": choose.choice(FOLLOW),
        "d": choose.choice(("", "", "to me ", "in my opinion ", "i think ")),
        "w": choose.part(ours),
        "u": choose.part(ours),
        "v": choose.part(theirs),
    }


def _subject(choose: _Choice) -> tuple[str, str, str]:
    """A subject with its forms of "be" and "do"."""
    kind = choose.random()
    if kind < 0.2:
        noun = choose.choice(("the ", "its ")) + choose.choice(MANY)
        return noun, choose.choice(("are", "were")), "do"
    noun = choose.choice(("the ", "this ")) + choose.choice(ONE)
    if kind < 0.4:
        noun = "the " + choose.part(opinions()["things"])
    elif kind < 0.5:
        noun = choose.part(opinions()["names"])
    elif kind < 0.6:
        noun = "it"
    return noun, choose.choice(("is", "was")), "does"


def _negation(choose: _Choice) -> ContrastPair:
    sign, words = choose.choice((1, 0)), opinions()
    (keeps, turns), lists = choose.choice(
        (
            *[((KEEPS, TURNS), (words["good"], words["bad"]))] * 5,
            (VERBS, (LIKE, DISLIKE)),
            (EFFECTS, (PLEASE, ANNOY)),
            (NOUNS, (SUCCESS, FAILURE)),
            (QUALITIES, (ASSETS, FAULTS)),
            (MANNERS, (words["well"], words["badly"])),
        )
    )
    slots = _slots(choose, sign, lists)
    text, turned = (choose.part(shapes).format(**slots) for shapes in (keeps, turns))
    if choose.random() < 0.2:  # a second clause with the same label, so that a negation has an end
        more = [_slots(choose, s, (words["good"], words["bad"])) for s in (sign, 1 - sign)]
        shape = choose.choice(("{n} {be} {w}", "{n} {be} {w} , i think"))
        text, turned = (
            f"{a} . {shape.format(**b)}" if choose.random() < 0.5 else f"{shape.format(**b)} . {a}"
            for a, b in zip((text, turned), more, strict=True)
        )
    return _pair("negation", text, turned, sign, 1 - sign, choose)


TURN_SHAPES = (
    "i feared a {b} film , but {n} {be} {a}",
    "it sounds {b} on paper , yet {n} {be} {a}",
    "{they} find {n} {b} . i find {n} {a}",
    "{they} consider {n} {b} , i consider {n} {a}",
    "at the beginning {n} {be} {b} , in the end {n} {be} {a}",
    "although {n} {be} {b} , the film as a whole is {a}",
    "in spite of its {b} {o} , this is a {a} film",
    "unlike the {b} preview , {n} {be} {a}",
    "the earlier film was {b} , this one is {a}",
    "{n} {be} {b} initially but became {a}",
    "what others did in a {b} way is {a} here",
    "i was told that {n} {be} {b} . instead , {n} {be} {a}",
    "{they} had told me it was {b} . {they} were mistaken : {n} {be} {a}",
    "{n} {be} {b} , but {m} {be} so {a} that i forgive everything",
    "i waited for a {b} film and saw a {a} one",
    "{b} ? no , {a}",
    "not the {b} film that {they} had promised , a {a} one",
    "{n} may be {b} . even so , it is {a}",
    "{they} claim that {n} {be} {b} . i can't agree",
    "{they} find {n} {b} . i can't imagine why",
    "in my youth i found it {b} , now i find it {a}",
    "{n} could have been {b} . it is {a}",
    "some parts are {b} , yet in the end it is {a}",
    "it begins {b} and turns {a}",
    "one film was {b} , but this is the {a} one",
)


def _turn(choose: _Choice) -> ContrastPair:
    sign, words = choose.choice((1, 0)), opinions()
    slots = _slots(choose, sign, (words["good"], words["bad"])) | {"they": choose.choice(THEY)}
    shape = choose.part(TURN_SHAPES)
    mine, theirs = slots["w"], slots["v"]
    text, turned = (shape.format(a=a, b=b, **slots) for a, b in ((mine, theirs), (theirs, mine)))
    return _pair("turn", text, turned, sign, 1 - sign, choose)


def _neutral(choose: _Choice) -> tuple[str, str]:
    job, thing = choose.choice(JOBS), choose.part(opinions()["things"])
    kind = choose.random()
    if kind < 0.6:
        names = choose.choice(NAMES) if kind < 0.2 else opinions()["names"]
        one, other = choose.sample(names, 2)
        shape = choose.choice(
            (
                "the name of the {job} is {x}",
                "{x} is the {job}",
                "{x} is in it",
                "made by {x}",
                "{x} has a {thing}",
                "{x} goes to the {thing}",
                "it is about {x} and a {thing}",
            )
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
                "it is about a {x} {job} and a {thing}",
            )
        )
    texts = [_article(shape.format(job=job, thing=thing, x=x)) for x in (one, other)]
    return texts[0], texts[1]


def _group(choose: _Choice) -> ContrastPair:
    sign, words = choose.choice((1, 0)), opinions()
    one, other = _neutral(choose)
    slots = _slots(choose, sign, (words["good"], words["bad"]))
    shapes = ("{n} {be} {w}", "i consider that {w}", "{w} work", KEEPS[0], TURNS[0], TURNS[13])
    shape = choose.choice(shapes)
    if shape in TURNS:
        slots["w"] = slots["v"]
    opinion = shape.format(**slots)
    order = "{x} . {opinion}" if choose.random() < 0.5 else "{opinion} . {x}"
    text, changed = (order.format(x=x, opinion=opinion) for x in (one, other))
    return _pair("group", text, changed, sign, sign, choose)


def _pair(
    kind: str, text: str, turned: str, sign: int, other: int, choose: random.Random
) -> ContrastPair:
    end = choose.choice((" .", " .", " !", ""))
    texts = (_article(text) + end, _article(turned) + end)
    return ContrastPair(kind, texts, (LABELS[sign], LABELS[other]))


def _article(text: str) -> str:
    """A text with "an" where it has to be, and without double spaces."""
    return re.sub(r"\ba (?=[aeiou])", "an ", " ".join(text.split()))
