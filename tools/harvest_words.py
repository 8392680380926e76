"""Words of films' reviews for the generator of contrast pairs, ranked by what reviews they are in.

    python tools/harvest_words.py

counts the words of IMDB's training reviews and writes data/contrast_pairs/words.json: adjectives
and adverbs of positive and of negative reviews, those that say most first, and nouns and names of
neither. Words of the pairs that people wrote are left out. It takes half a minute.
"""

import json
import math
import re
from collections import Counter

from course_utils.datasets.generated.contrasts import FUNCTION_WORDS, WORDS
from course_utils.datasets.public.imdb import imdb
from course_utils.tasks.classification.data import hand_pairs

DEGREE = frozenset("very so too quite extremely incredibly absolutely completely utterly".split())
FORMS_OF_BE = frozenset("is was are were be been seems seemed".split())
ARTICLES = frozenset("a an the of no any its this".split())
AFTER_NOUNS = frozenset(". , ! of and is was in that for".split())
BEFORE_VERBS = frozenset("to didn't don't not could would can will doesn't".split())
LEAST = 25  # reviews that a word is in
# Words that the counts take for opinions about a film, and words that a course does not repeat.
DROPPED = frozenset(
    "accurate affected affecting alright amateur anti apparent appropriate ashamed available "
    "average based black bloody born bothered bound called caught certain cheated chopped "
    "competent complete conflicted conventional cringe damn damned dark dead decent determined "
    "devoid different discovering distant dry easy edited enhanced explicit fake famous fodder "
    "fooled forced freaking full gay generous gory guaranteed happy hidden hip hispanic hooked "
    "important impressed influenced insulted integral intent interesting known lacking late "
    "light low lucky many messed much natural naughty necessary non nowhere obvious offended "
    "often okay ordinary packed passable patient plain popular possible pregnant pretty "
    "prominent qualified rare reasonable religious reluctant restored retarded rewarded sick "
    "similar simple small sorry spent stoned straight stretched sub sucked supported sure "
    "telegraphed temporary thin tired tolerable tossed troubled typical understood unusual "
    "wandering watchable white whore why wooden young younger".split()
)
# Peoples, religions and people in need: no sentence of the generator judges them.
PEOPLE = frozenset(
    "african afro american americans arab arabs asian asians australian austrian blacks "
    "brazilian british buddhist canadian catholic catholics chinese christian christians "
    "communist cuban danish disabled dutch dyke egyptian english eskimo ethnic european "
    "europeans french gays german germans ghetto greek gypsy hindu hindus hitler holocaust "
    "hooker hungarian immigrant immigrants indian indians iranian iraqi irish islam islamic "
    "israeli italian italians japanese jew jewish jews korean latin latino lesbian lesbians "
    "massacre mexican mexicans mormon muslim muslims native nazi nazis negro orphan orphanage "
    "palestinian persian polish prostitute puerto queer rape roman romanian russian russians "
    "scottish serbian slave slaves soviet spanish swedish swiss terrorist transsexual turkish "
    "victim victims vietnamese welsh yankee".split()
)
MANNER = frozenset(
    "abysmally admirably amateurishly atrociously awfully awkwardly badly beautifully "
    "brilliantly carefully cleverly clumsily convincingly delightfully dreadfully effectively "
    "embarrassingly excellently excruciatingly expertly finely hideously horribly imaginatively "
    "incompetently ineptly laughably lazily lovingly magnificently masterfully nicely painfully "
    "pathetically perfectly poorly powerfully ridiculously skilfully skillfully sloppily "
    "splendidly stupidly stylishly subtly superbly terribly unconvincingly vividly "
    "wonderfully".split()
)


def counts() -> tuple[Counter, dict[str, Counter], dict[str, float]]:
    """How often each word occurs; in which of the contexts; and its z-score for "positive"."""
    total: Counter = Counter()
    context: dict[str, Counter] = {
        name: Counter() for name in ("degree", "be", "noun", "verb", "name")
    }
    found = {label: Counter() for label in ("positive", "negative")}
    size = Counter(label for _, label in imdb("train"))
    for text, label in imdb("train"):
        words = re.findall(r"[A-Za-z']+|[.,!?;:]", text)
        small = [word.lower() for word in words]
        found[label].update(set(small))
        total.update(small)
        for before, word, written, after in zip(
            ["."] + small, small, words, small[1:] + ["."], strict=False
        ):
            context["degree"][word] += before in DEGREE
            context["be"][word] += before in FORMS_OF_BE
            context["noun"][word] += before in ARTICLES and after in AFTER_NOUNS
            context["verb"][word] += before in BEFORE_VERBS
            context["name"][word] += written[0].isupper() and before not in ".!?:;"
    scores = {}
    for word in total:
        p, q = (found[label][word] + 0.5 for label in ("positive", "negative"))
        if p + q > LEAST and len(word) > 2:
            odds = math.log(p / (size["positive"] - p)) - math.log(q / (size["negative"] - q))
            scores[word] = odds / math.sqrt(1 / p + 1 / q)
    return total, context, scores


def harvest() -> dict[str, list[str]]:
    """The words by the name of their list."""
    total, context, scores = counts()
    out = FUNCTION_WORDS | DROPPED | PEOPLE | {"i'm", "i've"}
    for part in ("test", "dev"):
        for _, *texts in hand_pairs(part):
            out |= {w for text, _ in texts for w in re.findall(r"[\w']+", text.lower())}

    def chosen(
        least: float, most: float, count: int, /, name: float = 0.0, **least_shares: float
    ) -> list[str]:
        """Words by z-score, those with most first, each in enough of the contexts."""
        found = [
            word
            for word, score in scores.items()
            if least <= score <= most
            and word.isalpha()
            and word not in out
            and (context["name"][word] > 0.5 * total[word]) == (name > 0)
            and all(context[c][word] > share * total[word] for c, share in least_shares.items())
        ]
        return sorted(found, key=lambda word: (-abs(scores[word]), word))[:count]

    opinions = {"good": (2.5, 99), "bad": (-99, -2.5)}
    lists = {n: chosen(*bounds, 500, degree=0.01, be=0.04) for n, bounds in opinions.items()}
    manner = {"well": (2.5, 99), "badly": (-99, -2.5)}
    for (name, bounds), words in zip(manner.items(), list(lists.values()), strict=True):
        lists[name] = [w for w in chosen(*bounds, 500) if w.endswith("ly") and w in MANNER]
        words[:] = [w for w in words if not w.endswith("ly") or w in ("lively", "lovely", "ugly")]
    return lists | {
        "things": chosen(-2, 2, 400, noun=0.25),
        "names": chosen(-1.5, 1.5, 400, name=0.7),
    }


if __name__ == "__main__":
    found = harvest()
    WORDS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for name, words in found.items():
        print(f"{name}: {len(words)}: {' '.join(words)}")
