"""An endless English→French corpus that comes with the right word alignments.

A small grammar writes both languages at once. Every rule puts the *same* parts in two orders, one
line for English and one for French, and linked words of a part carry the same mark in both. A gold
link is nothing more than an English and a French word that share a mark, so links survive every
reordering, contraction and elision without any bookkeeping of positions.

    >>> pair = english_french("valid", size=1)[0]
    >>> join_words(pair.source), join_words(pair.target), sorted(pair.alignment)  # doctest: +SKIP

What makes the pairs hard to translate, and easy to look at: gender and number agreement, adjectives
behind their noun, ne … pas, object pronouns in front of the verb, contractions (du, des, au, aux),
elision, three tenses, questions, relative clauses, coordination. `FEATURES` lists what a pair can
show.

**One right answer.** Exact match is a fair score, because the French follows from the English:
"you" is always "vous"; "they" and "them" are masculine unless the sentence says otherwise; "it",
and the pronoun behind "because", stand for a noun of the same sentence; actions of the past are in
the passé composé, states ("was", "had", "knew", "wanted") in the imparfait; adjectives and
participles agree with nouns and third persons only, since "I" and "you" do not tell their gender.

**Alignment conventions.** Links are many-to-many. Words without a counterpart stay unaligned.

- A contraction links with all it contains: "du" with "of" and "the" ("some" for the partitive).
- Both halves of a negation link with its English word: ne … pas (not), ne … jamais (never),
  ne … plus (no longer).
- "est-ce que" links with the word that English puts in front of the subject: "did she see" (did:
  est-ce que), "is she tired" (is: est-ce que *and* est), "will she come" (will: est-ce que and the
  future form). In a negation "do", "does" and "did" are unaligned: French has nothing for them.
- Auxiliaries link with the verb form that does their work: "is eating" and "mange", "will eat" and
  "mangera", "ate" and "a mangé" (each word with each). "to" links with the French infinitive.
- A particle links with its counterpart where there is one ("talk to", "parler à"), otherwise with
  the verb of the other language ("look for" with "chercher", "answer" with "répondre à"); the "to"
  of "talks to him" links with "lui".
- "the neighbor 's dog": 's links with "de"; the article of "le chien" is unaligned. So are the "à"
  of "gives the boy a book", "on" in "on monday", "in" in "in the evening" (le soir) and the "la"
  of "la semaine prochaine".
- Final punctuation links with final punctuation, a comma with its comma.
"""

import random
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

from course_utils.datasets.generated import english_french_lexicon as lexicon

__all__ = ["FEATURES", "SPLIT_SIZES", "AlignedPair", "english_french", "join_words"]

SPLIT_SIZES = {"train": 20000, "valid": 500, "test": 1000, "long": 500}

FEATURES = (
    "adjective-after",  # a red car → une voiture rouge
    "adjective-before",  # a small car → une petite voiture
    "agreement",  # a participle that agrees: elle est partie, la pomme qu'elle a mangée
    "anaphora",  # buys the apple and eats it → achète la pomme et la mange
    "because",
    "clitic",  # sees her → la voit
    "comparison",  # older than → plus vieux que
    "contraction",  # du, des, au, aux
    "coordination",
    "elision",  # l', d', n', qu', j', m'
    "existence",  # there is → il y a
    "future",
    "genitive",  # the neighbor 's dog → le chien du voisin
    "infinitive",  # wants to eat → veut manger
    "negation",
    "partitive",  # some bread → du pain, some keys → des clés; not … any bread → pas de pain
    "past",
    "possessive",  # her → son, sa, ses by the gender of what she has
    "progressive",  # is eating → mange
    "question",
    "relative",
    "report",  # says that …
    "two-objects",  # gives the boy a book → donne un livre au garçon
)


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """A sentence in both languages with its gold word alignment.

    source: English tokens, lower case, punctuation on its own.
    target: French tokens; an elided word keeps its apostrophe and is a token: "l'", "n'", "qu'".
    alignment: links (source index, target index), as the module's docstring defines them.
    features: the constructions of the sentence, out of `FEATURES`.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    alignment: frozenset[tuple[int, int]]
    features: frozenset[str]


# --------------------------------------------------------------------------------------------------
# Words and phrases of two languages
# --------------------------------------------------------------------------------------------------


class Word(NamedTuple):
    """One word of one language. Words of the two languages that share a mark are linked."""

    text: str
    marks: tuple[object, ...] = ()
    notes: tuple[str, ...] = ()  # features that the sentence has because of this word


class Phrase(NamedTuple):
    """The same content in English and in French; `+` puts phrases in the same order in both."""

    en: tuple[Word, ...] = ()
    fr: tuple[Word, ...] = ()

    def __add__(self, other):
        return Phrase(self.en + other.en, self.fr + other.fr)


NOTHING = Phrase()


def words(text, *marks, note=""):
    """The words of a text, all with the same marks."""
    notes = (note,) if note else ()
    return tuple([Word(part, marks, notes) for part in text.split()])


def both(english, french, links="", note=""):
    """A phrase from two texts.

    links: "0-1 1-0", English index – French index. By default equally many words are linked one by
    one, otherwise each with each.
    """
    notes = (note,) if note else ()
    if " " not in english and " " not in french and not links:
        shared = (object(),)
        return Phrase((Word(english, shared, notes),), (Word(french, shared),))
    source, target, count = _layout(english, french, links)
    marks = [object() for _ in range(count)]
    return Phrase(
        tuple([Word(text, tuple([marks[k] for k in which]), notes) for text, which in source]),
        tuple([Word(text, tuple([marks[k] for k in which])) for text, which in target]),
    )


@cache
def _layout(english, french, links):
    """For `both`: the words of each side with the numbers of their links, and how many links."""
    source, target = english.split(), french.split()
    if links:
        pairs = [tuple(map(int, link.split("-"))) for link in links.split()]
    elif len(source) == len(target):
        pairs = [(i, i) for i in range(len(source))]
    else:
        pairs = [(i, j) for i in range(len(source)) for j in range(len(target))]
    sides = []
    for side, texts in enumerate((source, target)):
        numbers = [
            [k for k, pair in enumerate(pairs) if pair[side] == i] for i in range(len(texts))
        ]
        sides.append(list(zip(texts, numbers, strict=True)))
    return (*sides, len(pairs))


# --------------------------------------------------------------------------------------------------
# French spelling: what neighbouring words do to each other
# --------------------------------------------------------------------------------------------------

ELIDED = frozenset("le la de ne que je me".split())
CONTRACTED = {
    ("de", "le"): "du",
    ("de", "les"): "des",
    ("à", "le"): "au",
    ("à", "les"): "aux",
}
BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "sa": "son"}
BEFORE_VOWEL |= {"beau": "bel", "vieux": "vieil", "nouveau": "nouvel"}
VOWELS = frozenset("aeiouyhâàéèêëîïôûùœ")
ASPIRATED = ("hibou", "huit")  # le hibou, not l'hibou


def starts_with_vowel(text):
    """True for a word that makes its predecessor elide: "école", "homme", not "hibou"."""
    return text[0] in VOWELS and not text.startswith(ASPIRATED)


def spell(sentence):
    """French words with elision (le + homme → l' homme) and contraction (de + le → du).

    The words are read from the right, because "de le homme" has to become "de l' homme" before
    anyone may contract "de le". A contraction keeps the marks of both its words.
    """
    spelt = []  # from right to left
    for this in reversed(sentence):
        following = spelt[-1] if spelt else None
        if following and this.text in ELIDED and starts_with_vowel(following.text):
            this = this._replace(text=this.text[:-1] + "'", notes=(*this.notes, "elision"))
        elif following and (this.text, following.text) in CONTRACTED:
            spelt.pop()
            this = Word(
                CONTRACTED[this.text, following.text],
                this.marks + following.marks,
                (*this.notes, *following.notes, "contraction"),
            )
        spelt.append(this)
    return tuple(reversed(spelt))


def before_vowels(group):
    """Determiner, adjective and noun, singular, as they are before a vowel: bel homme, mon amie."""
    spelt = list(group)
    for i in range(len(spelt) - 1):
        if spelt[i].text in BEFORE_VOWEL and starts_with_vowel(spelt[i + 1].text):
            spelt[i] = spelt[i]._replace(text=BEFORE_VOWEL[spelt[i].text])
    return tuple(spelt)


def an_before_vowels(group):
    """English a → an."""
    spelt = list(group)
    for i in range(len(spelt) - 1):
        if spelt[i].text == "a" and spelt[i + 1].text[0] in "aeiou":
            spelt[i] = spelt[i]._replace(text="an")
    return tuple(spelt)


def finish(phrase, mark="."):
    """The phrase as an `AlignedPair`, with its final punctuation."""
    phrase = phrase + both(mark, mark)
    target = spell(phrase.fr)
    places = defaultdict(list)
    for j, french in enumerate(target):
        for shared in french.marks:
            places[shared].append(j)
    links = frozenset(
        (i, j)
        for i, english in enumerate(phrase.en)
        for shared in english.marks
        for j in places.get(shared, ())
    )
    notes = frozenset(note for one in phrase.en + target for note in one.notes)
    return AlignedPair(
        tuple(one.text for one in phrase.en), tuple(one.text for one in target), links, notes
    )


def join_words(words):
    """Tokens as readable text: what follows an apostrophe is glued to it.

    join_words(["l'", "homme", "n'", "est", "pas", "ici", "."]) == "l'homme n'est pas ici ."
    """
    text = ""
    for token in words:
        text += token if not text or text.endswith("'") and token != "'s" else " " + token
    return text


# --------------------------------------------------------------------------------------------------
# Noun phrases
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nominal:
    """A noun phrase or pronoun in both languages, and what others must know to agree with it."""

    phrase: Phrase
    gender: str  # "m" | "f"
    number: str  # "s" | "p"
    classes: frozenset[str]
    person: int = 3
    possessive: str = ""  # the English possessive of what belongs to it
    closed: bool = False  # it ends in a relative clause, which would swallow what follows

    @property
    def agreement(self):
        """Gender and number, as adjectives want them: "fs"."""
        return self.gender + self.number

    @property
    def verb_person(self):
        """Person and number, as verbs want them: "3s"."""
        return f"{self.person}{self.number}"


PEOPLE, ANIMALS = frozenset({"person"}), frozenset({"animal"})
POSSESSIVES = ("my", "your", "his", "her", "our", "their")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "ten")
# What a noun phrase begins with, by its place in the sentence; a word written twice is twice as
# likely. "possessive" and "number" stand for the words of the two lists above.
BEGINNINGS = {
    "subject": """the the the the the the the the the the the the a a a possessive possessive
        possessive this these that those number number all-the many several a-few every""",
    "object": """the the the the the the the a a a a some some some some possessive possessive
        possessive this these that those number number many several a-few""",
    "topic": "the the the the the the possessive possessive this these that those",
    "negated": "the the a a some some possessive this these",
    "prepositional": "the the the the a a possessive possessive this these number",
    "definite": "the the the the the possessive this",
    "existence": "a a some some number number many several a-few",
}
BEGINNINGS = {
    role: [one.replace("-", " ") for one in text.split()] for role, text in BEGINNINGS.items()
}
FITS = {  # which of them go with a singular, a plural and an uncountable noun
    "s": frozenset({"the", "a", "this", "that", "every", *POSSESSIVES}),
    "p": frozenset(lexicon.DETERMINERS) - {"a", "this", "that", "every"},
    "mass": frozenset({"the", "some", "any", "this", "that", *POSSESSIVES}),
}


def determiner(english, agreement, negated=False):
    """A determiner in both languages; behind a negation "a" and "any" are both "de"."""
    french = "de" if negated and english == "a" else lexicon.DETERMINERS[english][agreement]
    partitive = english in ("some", "any") or french == "de"
    note = "possessive" if english in POSSESSIVES else "partitive" if partitive else ""
    return both(english, french.replace("+", " "), note=note)


def combine(chosen, noun, number, adjectives=()):
    """Determiner phrase, noun and adjectives in both orders.

    The small red car → la petite voiture rouge: French keeps some adjectives in front. The plural
    "des" becomes "de" before them: de petites voitures.
    """
    name = both(noun.english[number], noun.french[number])
    agreement = noun.gender + number
    front, behind = NOTHING, NOTHING
    for adjective in adjectives:
        if adjective.before:
            front += both(adjective.english, adjective.french[agreement], note="adjective-before")
        else:
            behind += both(adjective.english, adjective.french[agreement], note="adjective-after")
    opening = chosen.fr
    if front.fr and opening and opening[0].text == "des":
        opening = (opening[0]._replace(text="de"),)
    group = opening + front.fr + name.fr
    return Phrase(
        en=an_before_vowels(chosen.en + front.en + behind.en + name.en),
        fr=(before_vowels(group) if number == "s" else group) + behind.fr,
    )


# english subject → (english forms, french forms, possessive, agreement)
PRONOUNS = {
    row[0].split()[0]: [cell.split() for cell in row] for row in lexicon.rows(lexicon.PRONOUN_TABLE)
}


def pronoun(english, gender=""):
    """A personal pronoun as subject. A plural of women is "elles"."""
    _, french, possessive, (usual_gender, number, person) = PRONOUNS[english]
    gender = gender or usual_gender
    subject = "elles" if english == "they" and gender == "f" else french[0]
    return Nominal(
        both(english, subject), gender, number, PEOPLE, int(person), possessive=possessive[0]
    )


# --------------------------------------------------------------------------------------------------
# Verb phrases
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Predicate:
    """A verb with all that belongs to it, still without subject and tense.

    after: what follows the verb, in both orders (particles, objects, places …).
    clitic: French object pronouns, which stand in front of the verb.
    preceding: agreement ("fp") of a direct object in front of the verb: la pomme qu'il a mangée.
    modal: a verb in front of it ("wants to …").
    """

    verb: lexicon.Verb
    mark: object
    after: Phrase = NOTHING
    clitic: tuple[Word, ...] = ()
    preceding: str = "ms"
    modal: lexicon.Verb | None = None
    closed: bool = False


@dataclass(frozen=True)
class Setting:
    """When, and in which polarity, a clause is said."""

    tense: str = "present"  # "present" | "past" | "future"
    negation: str = ""  # "" | "not" | "never" | "no longer"
    progressive: bool = False
    adverb: Phrase = NOTHING  # often, always …


@dataclass(frozen=True)
class VerbPhrase:
    """A conjugated predicate; `operator` is the English word that a question moves to the front."""

    operator: tuple[Word, ...]
    phrase: Phrase


NEGATIONS = {"not": "pas", "never": "jamais", "no longer": "plus"}
MODALS_AS_OPERATOR = ("can", "must")


def english_finite(verb, mark, setting, person, needs_operator):
    """Operator and main verb in English, and the marks that the French verb form takes over.

    "will eat" → (will, eat), "is eating" → (is, eating), "ate" → ((), ate), "did eat" → (did, eat).
    """
    tense, helper = setting.tense, object()
    if tense == "future":
        return words("will", helper), words(verb.base, mark), (mark, helper)
    if verb.base == "be":
        return words(lexicon.BE[tense][person], mark), (), (mark,)
    if verb.base in MODALS_AS_OPERATOR:
        return words(verb.past if tense == "past" else verb.base, mark), (), (mark,)
    if setting.progressive:
        be = words(lexicon.BE[tense][person], helper)
        return be, words(lexicon.english_ing(verb.base), mark, note="progressive"), (mark, helper)
    if needs_operator:
        do = "did" if tense == "past" else lexicon.english_present("do", person)
        return words(do), words(verb.base, mark), (mark,)
    form = verb.past if tense == "past" else lexicon.english_present(verb.base, person)
    return (), words(form, mark), (mark,)


def french_finite(verb, marks, tense, subject, preceding):
    """Conjugated verb in French, and the participle where there is one."""
    forms, person = lexicon.conjugation(verb.infinitive), subject.verb_person
    note = "" if tense == "present" else tense
    if tense != "past" or "state" in verb.remarks:
        column = "imperfect" if tense == "past" else tense
        return words(forms[column][person], *marks, note=note), ()
    with_etre = verb.infinitive in lexicon.WITH_ETRE
    auxiliary = lexicon.conjugation("être" if with_etre else "avoir")["present"][person]
    agreement = subject.agreement if with_etre else preceding
    participle = forms["participle"][agreement]
    agrees = "agreement" if agreement != "ms" else ""
    return words(auxiliary, *marks, note=note), words(participle, *marks, note=agrees)


def conjugate(predicate, subject, setting, asked=False, english_person=None):
    """The predicate in person, tense and polarity.

    English: operator – negation or adverb – main verb – rest.
    French:  ne – clitic – conjugated verb – pas or adverb – participle – rest;
    with an infinitive the clitic waits for it: elle ne veut pas le manger.
    """
    verb, modal = predicate.verb, predicate.modal
    head, mark = (modal, object()) if modal else (verb, predicate.mark)
    operator, main, marks = english_finite(
        head,
        mark,
        setting,
        english_person or subject.verb_person,
        needs_operator=asked or setting.negation == "not",
    )
    finite, rest = french_finite(head, marks, setting.tense, subject, predicate.preceding)
    if modal:
        for particle in modal.particles:
            main += words(particle, predicate.mark if particle == "to" else mark)
        main += words(verb.base, predicate.mark, note="infinitive")
        rest += predicate.clitic + words(verb.infinitive, predicate.mark)
    else:
        finite = predicate.clitic + finite
    middle = setting.adverb
    if setting.negation:
        no = object()
        finite = words("ne", no) + finite
        middle = Phrase(
            words(setting.negation, no, note="negation"), words(NEGATIONS[setting.negation], no)
        )
    return VerbPhrase(
        operator,
        Phrase(
            en=middle.en + main + predicate.after.en,
            fr=finite + middle.fr + rest + predicate.after.fr,
        ),
    )


def statement(subject, verb_phrase):
    """She – does – not sleep; elle – ne dort pas."""
    return Phrase(
        en=subject.phrase.en + verb_phrase.operator + verb_phrase.phrase.en,
        fr=subject.phrase.fr + verb_phrase.phrase.fr,
    )


def question(subject, verb_phrase, opening=NOTHING):
    """Where – did – she – sleep; où – est-ce que – elle – a dormi."""
    asks = object()
    moved = tuple(one._replace(marks=(*one.marks, asks)) for one in verb_phrase.operator)
    return Phrase(
        en=opening.en + moved + subject.phrase.en + verb_phrase.phrase.en,
        fr=opening.fr
        + words("est-ce que", asks, note="question")
        + subject.phrase.fr
        + verb_phrase.phrase.fr,
    )


def particle_phrase(verb, mark):
    """The particles of a verb in both languages, paired from the right.

    "come back from" and "revenir de": from – de; "back" is left over and links with the verb.
    """
    english, french = verb.particles, verb.french_particles
    paired = min(len(english), len(french))
    alone = Phrase(
        words(" ".join(english[: len(english) - paired]), mark),
        words(" ".join(french[: len(french) - paired]), mark),
    )
    if not paired:
        return alone
    return alone + both(" ".join(english[-paired:]), " ".join(french[-paired:]))


# --------------------------------------------------------------------------------------------------
# The grammar: random choices that fit together
# --------------------------------------------------------------------------------------------------


class DeadEnd(Exception):
    """The choices made so far do not fit together; the sentence is begun anew."""


@cache
def nouns_among(wanted):
    """All nouns that a set of classes and names allows."""
    return [noun for noun in lexicon.NOUNS if noun.is_one_of(wanted)]


@cache
def adjectives_for(classes):
    """All adjectives that go with a noun of these classes."""
    return [one for one in lexicon.ADJECTIVES if not one.classes.isdisjoint(classes)]


@cache
def verbs_for(subject, noun=None, remark="", direct=False):
    """All verbs that go with a subject of these classes.

    noun: it can be the object; remark: the lexicon has it; direct: with a direct object. Verbs that
    need a receiver come only when asked for (remark "give").
    """
    return [
        verb
        for verb in lexicon.VERBS
        if not verb.subjects.isdisjoint(subject)
        and (noun is None or noun.is_one_of(verb.objects))
        and (not remark or remark in verb.remarks)
        and ("give" in verb.remarks) == (remark == "give")
        and (not direct or (verb.objects and not verb.preposition))
    ]


def read_table(table):
    """English, French and the set of words in the last column."""
    return [(row[0], row[1], frozenset(row[-1].split())) for row in lexicon.rows(table)]


SPOTS = read_table(lexicon.SPOT_TABLE)
THING_SPOTS = read_table(lexicon.THING_SPOT_TABLE)
MANNERS = read_table(lexicon.MANNER_TABLE)
ADVERBS = read_table(lexicon.ADVERB_TABLE)
TIMES = lexicon.rows(lexicon.TIME_TABLE)
DEGREES = lexicon.entries(lexicon.DEGREE_TABLE)
WHOLES = {part: frozenset(wholes.split()) for part, wholes in lexicon.WHOLES.items()}
THINGS = frozenset("thing clothes vehicle place text food part".split())
PORTABLE = frozenset("small dishes text container flower clothes".split())
# Nobody says "my wolf" or "their airport"; "my garden" and "my school" are fine.
UNOWNED = frozenset(
    """man woman lady tourist actress journalist dancer singer baker engineer artist waitress farmer
    boy girl crown bird mouse owl wolf fox spider donkey nature outside town part""".split()
)
OWNED = frozenset(("garden", "school", "shop"))
UNPROGRESSIVE = frozenset(("state", "plain", "mishap"))
LIVING = frozenset(("adult", "kid", "animal"))
RELATIVE_TENSES = {  # in a clause of this tense, relative clauses have one of these
    "present": ("present", "present", "past"),
    "past": ("past",),
    "future": ("present", "past", "future"),
}
REASONS = frozenset("buy sell want choose like love wash clean repair take".split())


class Grammar:
    """Draws random sentences. Every method is one rule; what it returns holds both languages.

    rng: the source of all choices.
    richness: 0 … 1, how readily a phrase takes an adjective, a relative clause, a place …
    """

    def __init__(self, rng, richness):
        self.rng = rng
        self.richness = richness
        self.tense = "present"  # of the clause under construction
        self.time = ""  # kind of the time that the clause names: "past", "habit" …
        self.begun = False  # a clause stands in front of the one under construction
        self.depth = 0  # relative clauses around the phrase under construction

    # choices

    def chance(self, probability):
        return self.rng.random() < probability

    def rich(self, probability):
        """A chance that grows with the sentence's richness and shrinks inside relative clauses."""
        return self.chance(probability * self.richness / (1 + 2 * self.depth))

    def draw(self, options):
        """One of the options, each as likely; DeadEnd when there is none."""
        if not options:
            raise DeadEnd
        return self.rng.choice(options)

    def weighted(self, **weights):
        """One of the names, by weight."""
        place = self.rng.random() * sum(weights.values())
        for name, weight in weights.items():
            place -= weight
            if place < 0:
                return name
        return next(reversed(weights))  # rounding left nothing over

    # noun phrases

    def noun_phrase(self, wanted, role, owner="", extend=True, name=0.15):
        """A noun out of the classes `wanted`, with all that goes with it.

        role: a key of `BEGINNINGS`; owner: the possessive to use ("his"); extend: a relative clause
        may follow.
        """
        if "person" in wanted and self.chance(name):
            return self.name()
        noun = self.draw(nouns_among(wanted))
        number = self.number(noun, role)
        if role in ("subject", "topic", "object", "prepositional") and self.rich(0.12):
            return self.genitive(noun, number)
        return self.described(noun, number, self.beginning(noun, number, role, owner), role, extend)

    def number(self, noun, role):
        """Singular or plural; there is one king, and one mostly goes to one station."""
        if noun.classes & {"mass", "crown", "parent", "instrument"}:
            return "s"
        rare = role == "definite" and "place" in noun.classes
        return "p" if self.chance(0.04 if rare else 0.36) else "s"

    def beginning(self, noun, number, role, owner=""):
        """An English determiner that fits the noun."""
        if noun.classes & {"instrument", "crown"}:
            return "the"
        if "kin" in noun.classes:
            return owner or self.rng.choice(POSSESSIVES)
        public = noun.classes & UNOWNED and not noun.classes & OWNED
        fitting = FITS["mass" if "mass" in noun.classes else number]
        while True:
            english = self.rng.choice(BEGINNINGS[role])
            if english == "possessive":
                english = owner or self.rng.choice(POSSESSIVES)
            elif english == "number":
                english = self.rng.choice(NUMBERS)
            if english == "some" and role == "negated":
                english = "any"
            if english in fitting and not (public and english in POSSESSIVES):
                return english

    def adjectives(self, noun):
        """None, one, or two on different sides of the noun."""
        fitting = adjectives_for(noun.classes)
        if not fitting or not self.rich(0.55):
            return []
        first, second = self.rng.choice(fitting), self.rng.choice(fitting)
        return [first, second] if first.before != second.before and self.rich(0.3) else [first]

    def described(self, noun, number, english, role="definite", extend=False, adorned=True):
        """Determiner, adjectives, noun, relative clause."""
        adjectives = self.adjectives(noun) if adorned else []
        chosen = determiner(english, noun.gender + number, negated=role == "negated")
        nominal = Nominal(
            combine(chosen, noun, number, adjectives),
            noun.gender,
            number,
            noun.classes,
            possessive=possessive_of(noun, number),
        )
        definite_enough = role != "negated" and english not in POSSESSIVES
        if extend and definite_enough and self.depth < 2 and self.rich(0.5):
            return self.with_relative(nominal, noun)
        return nominal

    def name(self):
        """A person's name."""
        text, gender = self.draw(lexicon.NAMES)
        possessive = "her" if gender == "f" else "his"
        return Nominal(both(text, text), gender, "s", PEOPLE, possessive=possessive)

    def genitive(self, noun, number):
        """The neighbor 's dog → le chien de le voisin: the two nouns change places.

        Parts have wholes instead: the door of the house → la porte de la maison.
        """
        if noun.english["s"] in WHOLES:
            whole = self.noun_phrase(WHOLES[noun.english["s"]], "definite", extend=False)
            part = combine(determiner("the", noun.gender + number), noun, number)
            phrase = part + both("of", "de") + whole.phrase
            return Nominal(phrase, noun.gender, number, noun.classes)
        if noun.classes & (UNOWNED | {"mass", "instrument"}) and not noun.classes & OWNED:
            raise DeadEnd
        owner = self.name()
        if self.chance(0.65):
            person = self.draw(nouns_among(PEOPLE))
            owner = self.described(person, "s", self.beginning(person, "s", "definite"))
        adjectives = self.adjectives(noun)
        owned = combine(determiner("the", noun.gender + number), noun, number, adjectives)
        link = both("'s", "de", note="genitive")
        return Nominal(
            Phrase(
                en=owner.phrase.en + link.en + owned.en[1:],
                fr=unlinked(owned.fr[0]) + owned.fr[1:] + link.fr + owner.phrase.fr,
            ),
            noun.gender,
            number,
            noun.classes,
            possessive=possessive_of(noun, number),
        )

    def people(self):
        """Two people or groups: masculine as soon as one of them is."""
        self.depth += 1
        first, second = (self.noun_phrase(PEOPLE, "definite", extend=False) for _ in range(2))
        self.depth -= 1
        if first.phrase.fr[-1].text == second.phrase.fr[-1].text or (
            first.classes == second.classes != PEOPLE
        ):
            raise DeadEnd  # "the child and the children"
        gender = "f" if first.gender == second.gender == "f" else "m"
        phrase = first.phrase + both("and", "et", note="coordination") + second.phrase
        return Nominal(phrase, gender, "p", PEOPLE, possessive="their")

    def subject(self, pronouns=9, extend=True):
        """What a clause is about. "They" would be open after another clause, so it only begins."""
        kind = self.weighted(noun=12, name=3, pronoun=pronouns, people=2, animal=3, thing=3)
        if kind == "name":
            return self.name()
        if kind == "pronoun":
            known = ("i", "you", "we", "i", "you", "we", "he", "she", "he", "she", "they", "they")
            return pronoun(self.draw(known[:10] if self.begun else known))
        if kind == "people":
            return self.people()
        if kind == "thing":
            return self.noun_phrase(THINGS, "topic", extend=extend)
        wanted = PEOPLE if kind == "noun" else ANIMALS
        return self.noun_phrase(wanted, "subject", extend=extend, name=0)

    # relative clauses

    def with_relative(self, nominal, noun):
        """The man who sleeps, the apple that she eats, the house where they live."""
        self.depth += 1
        tense, self.tense = self.tense, self.draw(RELATIVE_TENSES[self.tense])
        time, self.time = self.time, ""
        living = not noun.classes.isdisjoint({"person", "animal"})
        place = "place" in noun.classes and self.chance(0.6)
        if place:
            clause = self.relative_place(noun)
        elif living and self.chance(0.6):
            who = "who" if "person" in noun.classes else "that"
            clause = statement(
                replace(nominal, phrase=both(who, "qui", note="relative")),
                self.said_of(nominal, self.tense),
            )
        else:
            clause = self.relative_object(nominal, noun)
        self.depth -= 1
        self.tense, self.time = tense, time
        return replace(nominal, phrase=nominal.phrase + clause, closed=True)

    def relative_object(self, nominal, noun):
        """(the apples) that she ate → (les pommes) qu'elle a mangées."""
        subject = self.someone()
        verb = self.draw(verbs_for(PEOPLE, noun, direct=True))
        predicate = self.with_gap(verb, nominal.agreement)
        verb_phrase = self.conjugated(predicate, subject, self.tense)
        return both("that", "que", note="relative") + statement(subject, verb_phrase)

    def relative_place(self, noun):
        """(the house) where she lives → (la maison) où elle habite."""
        verbs = verbs_for(PEOPLE, noun)
        verb = self.draw([one for one in verbs if one.french_particles == ("dans",)])
        if verb.particles != ("in",):
            raise DeadEnd
        subject = self.someone()
        bare = replace(verb, particles=(), french_particles=(), objects=frozenset())
        verb_phrase = self.conjugated(Predicate(bare, object()), subject, self.tense)
        return both("where", "où", note="relative") + statement(subject, verb_phrase)

    def someone(self):
        """A short subject for a clause inside another one."""
        if self.chance(0.5):
            return pronoun(self.draw(("i", "you", "he", "she", "we", "they")))
        return self.noun_phrase(PEOPLE, "definite", extend=False)

    # predicates

    def predicate(self, subject, tense, negated=False):
        """Something that can be said of the subject."""
        if "person" in subject.classes:
            kind = self.weighted(action=72, quality=12, comparison=4, place=3, gift=9)
        elif "animal" in subject.classes:
            kind = self.weighted(action=65, quality=20, comparison=6, place=9)
        else:
            kind = self.weighted(action=15, quality=50, comparison=20, place=15)
        if kind == "quality":
            return self.quality(subject)
        if kind == "comparison":
            return self.comparison(subject)
        if kind == "place":
            return self.whereabouts(subject)
        made = (self.gift if kind == "gift" else self.action)(subject, tense, negated)
        return self.perhaps_modal(made, subject, tense)

    def perhaps_modal(self, predicate, subject, tense):
        """Wants to eat, can eat, must eat, is going to eat, likes to eat."""
        if predicate.verb.remarks & {"state", "mishap"}:
            return predicate
        if tense == "future" or not self.chance(0.13):
            return predicate
        modal = self.draw(lexicon.MODALS)
        if modal.subjects.isdisjoint(subject.classes):
            return predicate
        if tense == "past" and modal.base not in ("want", "can"):
            return predicate
        return replace(predicate, modal=modal)

    def action(self, subject, tense, negated=False, verb=None):
        """A verb with its object, and perhaps a manner, a companion and a place."""
        verb = verb or self.draw(verbs_for(subject.classes))
        mark = object()
        if "person" in verb.objects and verb.preposition in ("", "à") and self.chance(0.3):
            predicate = self.with_pronoun(verb, mark, self.object_pronoun(subject, verb, tense))
        elif verb.objects:
            thing = self.object(subject, verb, negated)
            after = particle_phrase(verb, mark) + thing.phrase
            predicate = Predicate(verb, mark, after, closed=thing.closed)
        else:
            predicate = Predicate(verb, mark, particle_phrase(verb, mark))
        return self.with_circumstances(predicate, subject)

    def object(self, subject, verb, negated, extend=True):
        """The object of a verb as a noun phrase."""
        role = "negated" if negated else "object"
        if verb.preposition:  # needs a key, lives in a house; but: goes to the school
            role = "prepositional" if "state" in verb.remarks else "definite"
        return self.noun_phrase(verb.objects, role, owner=subject.possessive, extend=extend)

    def with_circumstances(self, predicate, subject):
        """Slowly, with a friend, in the garden."""
        verb, after = predicate.verb, predicate.after
        if predicate.closed or "state" in verb.remarks:
            return predicate
        manners = [row for row in MANNERS if verb.base in row[2]]
        if manners and self.rich(0.3):
            english, french, _ = self.draw(manners)
            manner = both(english, french)  # reads the book slowly → lit lentement le livre
            after = Phrase(en=after.en + manner.en, fr=manner.fr + after.fr)
        placed = verb.preposition in ("dans", "à", "de") or "place" in verb.objects
        if "person" in subject.classes and not verb.objects & PEOPLE and self.rich(0.15):
            friend = self.noun_phrase(PEOPLE, "definite", owner=subject.possessive, extend=False)
            after += both("with", "avec") + friend.phrase
        if subject.classes & {"person", "animal"} and not placed and self.rich(0.35):
            after += self.spot(SPOTS)
        return replace(predicate, after=after)

    def spot(self, table):
        """A preposition with a place."""
        english, french, nouns = self.draw(table)
        return both(english, french) + self.noun_phrase(nouns, "definite", extend=False).phrase

    def with_gap(self, verb, agreement):
        """A verb whose direct object stands in front of the clause."""
        mark = object()
        return Predicate(verb, mark, particle_phrase(verb, mark), preceding=agreement)

    def object_pronoun(self, subject, verb, tense):
        """A pronoun that is not the subject's own, as (English, direct, indirect, agreement)."""
        ours = {"i", "we"}
        known = [name for name in PRONOUNS if not (name in ours and subject.person == 1)]
        if subject.verb_person == "2p":
            known.remove("you")
        if (
            tense == "past" and not verb.preposition
        ):  # "m'a vu" or "m'a vue"? The sentence is silent
            known = ["he", "she"]
        (_, english), (_, direct, indirect), _, agreement = PRONOUNS[self.draw(known)]
        return english, direct, indirect, "".join(agreement[:2])

    def with_pronoun(self, verb, mark, row, note=""):
        """Sees him → le voit; talks to him → lui parle."""
        english, direct, indirect, agreement = row
        meant = object()
        named = words(english, meant, note=note)
        if verb.preposition:
            particles = words(" ".join(verb.particles), meant)
            clitic = words(indirect, meant, note="clitic")
            return Predicate(verb, mark, Phrase(en=particles + named), clitic)
        after = particle_phrase(verb, mark) + Phrase(en=named)
        clitic = words(direct, meant, note="clitic")
        return Predicate(verb, mark, after, clitic, preceding=agreement)

    def gift(self, subject, tense, negated=False):
        """Gives the boy a book, gives a book to the boy, gives him a book."""
        verb = self.draw(verbs_for(subject.classes, remark="give"))
        mark = object()
        given = self.object(subject, verb, negated, extend=False)
        way = self.draw(("pronoun", "first", "last"))
        if way == "pronoun":
            row = self.object_pronoun(subject, replace(verb, french_particles=("à",)), tense)
            meant = object()
            return Predicate(
                verb,
                mark,
                Phrase(en=words(row[0], meant)) + given.phrase,
                words(row[2], meant, note="clitic"),
            )
        receiver = self.noun_phrase(
            PEOPLE, "definite", owner=subject.possessive, extend=False
        ).phrase
        if way == "last":
            after = given.phrase + both("to", "à", note="two-objects") + receiver
        else:
            after = Phrase(
                en=receiver.en + given.phrase.en,
                fr=given.phrase.fr + words("à", note="two-objects") + receiver.fr,
            )
        return Predicate(verb, mark, after)

    def quality(self, subject, mood=False):
        """Is very tired. What has its time, or is yet to come, has to be something that passes."""
        if subject.person != 3:
            raise DeadEnd
        fitting = adjectives_for(subject.classes)
        if self.time or self.tense == "future":
            fitting = [one for one in fitting if one.english in lexicon.PASSING]
        if mood:
            fitting = [one for one in fitting if one.english in lexicon.MOODS]
        adjective = self.draw(fitting)
        after = NOTHING
        if adjective.comparative and self.rich(0.5):
            after += both(*self.draw(DEGREES))
        after += both(adjective.english, adjective.french[subject.agreement])
        return Predicate(lexicon.COPULA, object(), after)

    def comparison(self, subject):
        """Is older than the neighbor; is more patient than the neighbor."""
        if subject.person != 3 or self.time or self.tense == "future":
            raise DeadEnd
        known = [one for one in adjectives_for(subject.classes) if one.comparative]
        adjective = self.draw(known)
        kin = subject.classes & {"person", "animal", "vehicle", "clothes", "text", "town"}
        noun = self.draw([one for one in nouns_among(adjective.classes) if one.classes & kin])
        if noun.english["s"] in subject.classes:
            raise DeadEnd
        french = "plus " + adjective.french[subject.agreement]
        english = adjective.comparative
        if english == "more":
            english += " " + adjective.english
        after = both(english, french, note="comparison") + both("than", "que")
        number = self.number(noun, "definite")
        other = self.described(noun, number, self.beginning(noun, number, "definite"))
        return Predicate(lexicon.COPULA, object(), after + other.phrase)

    def whereabouts(self, subject):
        """Is in the garden, is on the table."""
        if subject.classes & {"person", "animal"}:
            return Predicate(lexicon.COPULA, object(), self.spot(SPOTS))
        if subject.classes & PORTABLE:
            return Predicate(lexicon.COPULA, object(), self.spot(THING_SPOTS))
        raise DeadEnd

    # verb phrases

    def said_of(self, subject, tense, asked=False):
        """A conjugated predicate for a subject."""
        negation = ""
        everyone = subject.phrase.en[0].text in ("every", "all", "many", "several")
        if not everyone and self.chance(0.05 if asked else 0.17):
            negation = "not"
            if not asked and not self.time and self.chance(0.35):
                negation = self.draw(("never", "never", "no longer"))
        predicate = self.predicate(subject, tense, bool(negation))
        return self.conjugated(predicate, subject, tense, negation, asked)

    def conjugated(self, predicate, subject, tense, negation="", asked=False):
        """The predicate with a progressive or an adverb where they fit."""
        setting = self.setting(predicate, subject, tense, negation, asked)
        return conjugate(predicate, subject, setting, asked)

    def setting(self, predicate, subject, tense, negation="", asked=False):
        """How the predicate is said; DeadEnd when English would leave the French open."""
        verb = predicate.verb
        if verb.infinitive in lexicon.WITH_ETRE and tense == "past" and subject.person != 3:
            if not predicate.modal:
                raise DeadEnd  # "i left": parti or partie?
        if self.time and "state" in verb.remarks and verb.base != "be":
            raise DeadEnd  # nobody loves a dog on monday
        plain = verb.remarks & UNPROGRESSIVE or predicate.modal
        going_on = tense == "present" and not plain and self.time != "habit"
        progressive = (
            going_on and negation != "never" and (self.time == "present" or self.chance(0.5))
        )
        if verb.base == verb.past and tense == "present" and not progressive:
            if not (predicate.modal or asked or negation == "not" or subject.verb_person == "3s"):
                raise DeadEnd  # "they read": lisent or ont lu?
        adverb = NOTHING
        taken = progressive or negation or predicate.modal or self.time or asked
        if not taken and self.rich(0.25):
            english, french, tenses = self.draw(ADVERBS)
            if tense in tenses and not (english == "already" and plain):
                adverb = both(english, french)
        return Setting(tense, negation, progressive, adverb)

    def two_actions(self, subject, tense):
        """Buys the apple and eats it → achète la pomme et la mange; sings and dances."""
        if self.chance(0.65):
            first, second = self.chain(subject, tense)
        else:
            first, second = (self.action(subject, tense) for _ in range(2))
            if first.closed or second.clitic or first.verb == second.verb:
                raise DeadEnd
        setting = replace(self.setting(first, subject, tense), adverb=NOTHING)
        self.setting(second, subject, tense)
        if setting.progressive and second.verb.remarks & UNPROGRESSIVE:
            raise DeadEnd
        if "be" in (first.verb.base, second.verb.base):
            raise DeadEnd
        one, two = (conjugate(action, subject, setting) for action in (first, second))
        link = both("and", "et", note="coordination")
        return VerbPhrase(one.operator, one.phrase + link + two.phrase)

    def chain(self, subject, tense):
        """Two actions on the same thing; the second one names it by a pronoun."""
        first = self.draw(verbs_for(subject.classes, remark="first"))
        noun = self.draw(nouns_among(first.objects))
        second = self.draw(verbs_for(subject.classes, noun, remark="then"))
        if second.preposition and "person" not in noun.classes:
            raise DeadEnd  # "answers the letter", but nobody answers "it" with "lui"
        number = self.number(noun, "object")
        english = self.beginning(noun, number, "object", owner=subject.possessive)
        thing = self.described(noun, number, english)
        mark = object()
        buying = Predicate(first, mark, particle_phrase(first, mark) + thing.phrase)
        row = ("it", {"m": "le", "f": "la"}[thing.gender], "lui", thing.agreement)
        if number == "p":
            row = ("them", "les", "leur", thing.agreement)
        elif "person" in noun.classes:
            row = ({"m": "him", "f": "her"}[thing.gender], *row[1:])
        return buying, self.with_pronoun(second, object(), row, note="anaphora")

    # clauses and sentences

    def clause(self, tense):
        """Subject and predicate, with a time in front or at the end."""
        time, self.time = NOTHING, ""
        if self.rich(0.4):
            time, self.time = self.some_time(tense)
        self.tense = tense
        subject = self.subject()
        if "person" in subject.classes and self.chance(0.2):
            verb_phrase = self.two_actions(subject, tense)
        else:
            verb_phrase = self.said_of(subject, tense)
        said = statement(subject, verb_phrase)
        if self.time and self.chance(0.35) and not self.begun:
            return time + both(",", ",") + said
        if self.time and any(one.text in ("who", "that", "where") for one in verb_phrase.phrase.en):
            raise DeadEnd  # the time would belong to the relative clause
        return said + time

    def some_time(self, tense):
        """A time that fits the tense, and its kind."""
        fitting = {"present": ("present", "habit")}.get(tense, (tense,))
        english, french, links, kind = self.draw([row for row in TIMES if row[3] in fitting])
        return both(english, french, links), kind

    def existence(self, tense, asked=False):
        """There are three books on the table → il y a trois livres sur la table."""
        negated = self.chance(0.15)
        living = self.chance(0.5)
        noun = self.draw(nouns_among(LIVING if living else PORTABLE))
        number = self.number(noun, "object")
        role = "negated" if negated else "existence"
        english = self.beginning(noun, number, role)
        if negated:
            english = "any" if number == "p" else "a"
        thing = self.described(noun, number, english, role)
        after = thing.phrase + self.spot(SPOTS if living else THING_SPOTS)
        here = object()
        dummy = Nominal(
            Phrase(words("there", here), words("il", here)), "m", "s", frozenset({"there"})
        )
        predicate = Predicate(
            lexicon.EXISTENCE, object(), after, words("y", here, note="existence")
        )
        setting = Setting(tense, negation="not" if negated else "")
        verb_phrase = conjugate(predicate, dummy, setting, asked, english_person=f"3{number}")
        return (question if asked else statement)(dummy, verb_phrase)

    def because(self, tense):
        """She is crying because she is tired; he buys the lamp because it is modern."""
        self.tense, self.time = tense, ""
        subject = self.subject()
        if "person" not in subject.classes or tense == "future":
            raise DeadEnd
        if self.chance(0.4):
            main, reason = self.reason_in_the_thing(subject, tense)
        else:
            main, reason = self.reason_in_the_person(subject, tense)
        return statement(subject, main) + both("because", "parce que", note="because") + reason

    def reason_in_the_thing(self, subject, tense):
        """Buys the lamp – because – it is modern: "it" is the object of the first clause."""
        verb = self.draw([verb for verb in verbs_for(PEOPLE) if verb.base in REASONS])
        noun = self.draw(nouns_among(verb.objects - PEOPLE))
        adjective = self.draw([one for one in adjectives_for(noun.classes) if one.comparative])
        if "part" in noun.classes:
            raise DeadEnd
        english = self.beginning(noun, "s", "definite", owner=subject.possessive)
        thing = self.described(noun, "s", english, adorned=False)
        mark = object()
        action = Predicate(verb, mark, particle_phrase(verb, mark) + thing.phrase)
        negation = "not" if self.chance(0.3) else ""
        it = replace(
            thing, phrase=both("it", {"m": "il", "f": "elle"}[noun.gender], note="anaphora")
        )
        after = both(*self.draw(DEGREES)) if self.rich(0.6) else NOTHING
        after += both(adjective.english, adjective.french[it.agreement])
        is_so = conjugate(Predicate(lexicon.COPULA, object(), after), it, Setting(tense))
        return self.conjugated(action, subject, tense, negation), statement(it, is_so)

    def reason_in_the_person(self, subject, tense):
        """Is crying – because – she is tired: the pronoun is the subject of the first clause."""
        self.depth += 1  # two short clauses
        doing = self.action(subject, tense)
        if "state" in doing.verb.remarks:
            raise DeadEnd
        main = self.conjugated(doing, subject, tense)
        again = self.again(subject)
        if self.chance(0.55):
            predicate = self.quality(again, mood=True)
        else:
            states = [one for one in verbs_for(PEOPLE) if one.base in ("be", "want", "need")]
            predicate = self.action(again, tense, verb=self.draw(states))
        self.depth -= 1
        return main, statement(again, self.conjugated(predicate, again, tense))

    def again(self, subject):
        """The pronoun that stands for a subject mentioned before."""
        if subject.person != 3:
            name = {"1s": "i", "1p": "we", "2p": "you"}[subject.verb_person]
            return pronoun(name)
        name = {"ms": "he", "fs": "she"}.get(subject.agreement, "they")
        return pronoun(name, subject.gender)

    def report(self, tense):
        """She says that …"""
        self.tense, self.time = "present", ""
        self.depth += 1
        subject = self.subject()
        self.depth -= 1
        verb = self.draw(lexicon.REPORTS)
        if "person" not in subject.classes or (verb.base == "hope" and tense != "future"):
            raise DeadEnd
        said = statement(subject, conjugate(Predicate(verb, object()), subject, Setting()))
        self.begun = True
        return said + both("that", "que", note="report") + self.clause(tense)

    def ask(self, tense):
        """A question, with or without a question word."""
        self.tense, self.time = tense, ""
        kind = self.weighted(yes_no=10, where=2, why=2, when=2, who=2, what=3, which=3, there=2)
        if kind == "there":
            return self.existence(tense, asked=True)
        if kind == "who":
            who = Nominal(both("who", "qui", note="question"), "m", "s", PEOPLE)
            return statement(who, self.said_of(who, tense))
        if kind in ("what", "which"):
            return self.ask_for_object(tense, kind)
        subject = self.subject(pronouns=16, extend=False)
        if subject.verb_person == "1s":
            raise DeadEnd
        if kind == "yes_no":
            return question(subject, self.said_of(subject, tense, asked=True))
        if kind == "when" and tense == "present":
            raise DeadEnd
        opening = both(kind, {"where": "où", "why": "pourquoi", "when": "quand"}[kind])
        if not subject.classes & {"person", "animal"}:
            raise DeadEnd
        if kind == "where":
            self.richness = 0  # the place is what is asked for
        predicate = self.action(subject, tense)
        if kind == "where" and predicate.verb.preposition:
            raise DeadEnd
        if kind != "why" and ("state" in predicate.verb.remarks or predicate.verb.base == "be"):
            raise DeadEnd
        return question(subject, self.conjugated(predicate, subject, tense, asked=True), opening)

    def ask_for_object(self, tense, kind):
        """What did she eat? Which apples did she eat? How many apples …?"""
        subject = self.subject(pronouns=16, extend=False)
        if subject.verb_person == "1s" or "person" not in subject.classes:
            raise DeadEnd
        verb = self.draw([one for one in verbs_for(PEOPLE, direct=True)])
        noun = self.draw(nouns_among(verb.objects - PEOPLE))
        if kind == "what":
            opening, agreement = both("what", "que"), "ms"
        else:
            number = self.number(noun, "object")
            agreement = noun.gender + number
            english = "how many" if number == "p" and self.chance(0.5) else "which"
            opening = combine(determiner(english, agreement), noun, number)
        predicate = self.with_gap(verb, agreement)
        return question(subject, self.conjugated(predicate, subject, tense, asked=True), opening)

    def part(self, tense):
        """A statement; DeadEnds are drawn again."""
        while True:
            kind = self.weighted(clause=15, because=2.5, report=1.5, existence=1.2)
            try:
                return getattr(self, kind)(tense)
            except DeadEnd:
                self.depth = 0

    def sentence(self, shortest, longest, clauses):
        """A pair of so many English tokens, out of at most so many coordinated statements."""
        tense = self.weighted(present=45, past=35, future=20)
        if clauses < 3 and self.chance(0.18):
            phrase, mark = self.ask(tense), "?"
        else:
            phrase, mark = self.part(tense), "."
        while mark == "." and clauses > 1 and len(phrase.en) + 1 < shortest:
            clauses -= 1
            self.begun = True
            if self.chance(0.2):
                tense = self.weighted(present=45, past=35, future=20)
            link = both(
                *self.draw((("and", "et"), ("and", "et"), ("but", "mais"))), note="coordination"
            )
            for _ in range(5):  # a part that is too long gets another chance
                longer = phrase + link + self.part(tense)
                if len(longer.en) + 1 <= longest:
                    break
            phrase = longer
        if not shortest <= len(phrase.en) + 1 <= longest:
            raise DeadEnd
        return finish(phrase, mark)


def unlinked(one):
    """A word without its marks, as a tuple."""
    return (one._replace(marks=()),)


def possessive_of(noun, number):
    """The English possessive for what belongs to a noun; "" where only people can have things."""
    if "person" not in noun.classes:
        return ""
    return "their" if number == "p" else {"m": "his", "f": "her"}[noun.gender]


# --------------------------------------------------------------------------------------------------
# The corpus
# --------------------------------------------------------------------------------------------------

# (shortest, longest, richness, coordinated statements, share): how lengths are spread in a split.
LENGTH_BANDS = {
    "short": [
        (3, 9, 0.1, 1, 42),
        (8, 14, 0.9, 1, 32),
        (14, 22, 0.8, 2, 26),
    ],
    "long": [(25, 32, 1.0, 4, 60), (33, 40, 1.0, 5, 40)],
}


def draw_pair(rng, bands):
    """One random pair; its length band is drawn first, so that lengths are spread as planned."""
    *limits, richness, clauses, _ = rng.choices(bands, [band[-1] for band in bands])[0]
    while True:
        try:
            return Grammar(rng, richness).sentence(*limits, clauses)
        except DeadEnd:
            continue


def home_of(source):
    """The split that a sentence of ordinary length belongs to, by a checksum of its words.

    The same sentence always has the same home, so no two splits can share one, whatever the seeds.
    """
    place = zlib.crc32(" ".join(source).encode()) % 100
    return "valid" if place < 4 else "test" if place < 11 else "train"


class _Corpus:
    """Everything drawn so far for one seed; draws more when more is asked for."""

    def __init__(self, seed):
        self.draws = {kind: random.Random(f"{seed}-{kind}") for kind in LENGTH_BANDS}
        self.found = {split: [] for split in SPLIT_SIZES}
        self.seen = set()
        self.known = frozenset()  # word forms of the training split

    def draw(self, kind):
        """One more pair, filed under its split unless its English was there before."""
        pair = draw_pair(self.draws[kind], LENGTH_BANDS[kind])
        if pair.source not in self.seen:
            self.seen.add(pair.source)
            self.found["long" if kind == "long" else home_of(pair.source)].append(pair)

    def take(self, split, size):
        """The first pairs of a split; outside training, those without unseen words."""
        if split != "train" and not self.known:
            train = self.take("train", SPLIT_SIZES["train"])
            self.known = frozenset(one for pair in train for one in pair.source + pair.target)
        while True:
            fitting = self.found[split]
            if split != "train":
                fitting = [
                    pair for pair in fitting if self.known.issuperset(pair.source + pair.target)
                ]
            if len(fitting) >= size:
                return fitting[:size]
            for _ in range(size - len(fitting)):
                self.draw("long" if split == "long" else "short")


_corpus = lru_cache(maxsize=1)(_Corpus)  # the splits of one seed share their draws


def english_french(split: str, size: int | None = None, seed: int = 0) -> list[AlignedPair]:
    """Pairs of one split of the generated corpus.

    split: "train" | "valid" | "test" (3 to 22 English tokens) | "long" (25 to 40).
    size: number of pairs, `SPLIT_SIZES[split]` by default; a smaller size gives the first ones.
    seed: another seed draws another corpus. Equal arguments give equal pairs on every machine.

    No two splits share an English sentence, and valid, test and long use no word form, English or
    French, that the training split of the same seed (in its default size) does not have.
    Raises ValueError for an unknown split and for a size below 1.
    """
    if split not in SPLIT_SIZES:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLIT_SIZES)}")
    size = SPLIT_SIZES[split] if size is None else size
    if size < 1:
        sizes = ", ".join(f"{name} {usual}" for name, usual in SPLIT_SIZES.items())
        raise ValueError(f"size = {size} pairs: at least 1 is needed (usual sizes: {sizes})")
    return _corpus(seed).take(split, size)
