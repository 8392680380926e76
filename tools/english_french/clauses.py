"""Noun phrases and clauses from given parts: agreement, tense, negation and questions."""

from dataclasses import dataclass

from . import lexicon
from .phrases import NOTHING, Phrase, Word, an_before_vowels, before_vowels, both, words

# --------------------------------------------------------------------------------------------------
# Noun phrases
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nominal:
    """A noun phrase or pronoun in both languages, with everything that agreement depends on."""

    phrase: Phrase
    gender: str  # "m" | "f"
    number: str  # "s" | "p"
    classes: frozenset[str]
    person: int = 3
    possessive: str = ""  # the English possessive of what belongs to it
    closed: bool = False  # it ends in a relative clause, which would swallow what follows

    @property
    def agreement(self) -> str:
        """Gender and number, as adjectives need them: "fs"."""
        return self.gender + self.number

    @property
    def verb_person(self) -> str:
        """Person and number, as verbs need them: "3s"."""
        return f"{self.person}{self.number}"


PEOPLE, ANIMALS = frozenset({"person"}), frozenset({"animal"})
POSSESSIVES = ("my", "your", "his", "her", "our", "their")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "ten")


def determiner(english: str, agreement: str, negated: bool = False) -> Phrase:
    """A determiner in both languages; after a negation, "a" and "any" are both "de"."""
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
    front, after = NOTHING, NOTHING
    for adjective in adjectives:
        if adjective.before:
            front += both(adjective.english, adjective.french[agreement], note="adjective-before")
        else:
            after += both(adjective.english, adjective.french[agreement], note="adjective-after")
    opening = chosen.fr
    if front.fr and opening and opening[0].text == "des":
        opening = (opening[0]._replace(text="de"),)
    group = opening + front.fr + name.fr
    return Phrase(
        en=an_before_vowels(chosen.en + front.en + after.en + name.en),
        fr=(before_vowels(group) if number == "s" else group) + after.fr,
    )


# english subject → (english forms, french forms, possessive, agreement)
PRONOUNS = {
    row[0].split()[0]: [cell.split() for cell in row] for row in lexicon.rows(lexicon.PRONOUN_TABLE)
}


def pronoun(english: str, gender: str = "") -> Nominal:
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
    """A verb with all that belongs to it except subject and tense.

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
    """Tense, polarity and aspect of a clause."""

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


def english_finite(
    verb: lexicon.Verb, mark: object, setting: Setting, person: str, needs_operator: bool
) -> tuple[tuple[Word, ...], tuple[Word, ...], tuple]:
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


def french_finite(
    verb: lexicon.Verb, marks: tuple, tense: str, subject: Nominal, preceding: str
) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Conjugated verb in French, and its participle if there is one."""
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


def conjugate(
    predicate: Predicate,
    subject: Nominal,
    setting: Setting,
    asked: bool = False,
    english_person: str | None = None,
) -> VerbPhrase:
    """The predicate, conjugated for person, tense and polarity.

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


def statement(subject: Nominal, verb_phrase: VerbPhrase) -> Phrase:
    """She – does – not sleep; elle – ne dort pas."""
    return Phrase(
        en=subject.phrase.en + verb_phrase.operator + verb_phrase.phrase.en,
        fr=subject.phrase.fr + verb_phrase.phrase.fr,
    )


def question(subject: Nominal, verb_phrase: VerbPhrase, opening: Phrase = NOTHING) -> Phrase:
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


def particle_phrase(verb: lexicon.Verb, mark: object) -> Phrase:
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


def unlinked(one: Word) -> tuple[Word, ...]:
    """A word without its marks, as a tuple."""
    return (one._replace(marks=()),)


def possessive_of(noun: lexicon.Noun, number: str) -> str:
    """The English possessive for what belongs to a noun; "" unless the noun is a person."""
    if "person" not in noun.classes:
        return ""
    return "their" if number == "p" else {"m": "his", "f": "her"}[noun.gender]
