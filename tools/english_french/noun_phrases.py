"""Random noun phrases, and the choices that all rules make."""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from . import lexicon
from .clauses import (
    ANIMALS,
    NUMBERS,
    PEOPLE,
    POSSESSIVES,
    Nominal,
    combine,
    determiner,
    possessive_of,
    pronoun,
    unlinked,
)
from .phrases import Phrase, both

# The first word of a noun phrase, by the role of the phrase; a word that is listed twice is twice
# as likely. "possessive" and "number" stand for the words of POSSESSIVES and NUMBERS.
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

WHOLES = {part: frozenset(wholes.split()) for part, wholes in lexicon.WHOLES.items()}
THINGS = frozenset("thing clothes vehicle place text food part".split())
# Nobody says "my wolf" or "their airport"; "my garden" and "my school" are fine.
UNOWNED = frozenset(
    """man woman lady tourist actress journalist dancer singer baker engineer artist waitress farmer
    boy girl crown bird mouse owl wolf fox spider donkey nature outside town part""".split()
)
OWNED = frozenset(("garden", "school", "shop"))


@cache
def nouns_among(wanted: frozenset[str]) -> list[lexicon.Noun]:
    """All nouns that a set of classes and names allows."""
    return [noun for noun in lexicon.NOUNS if noun.is_one_of(wanted)]


@cache
def adjectives_for(classes: frozenset[str]) -> list[lexicon.Adjective]:
    """All adjectives that go with a noun of these classes."""
    return [one for one in lexicon.ADJECTIVES if not one.classes.isdisjoint(classes)]


class Rejected(Exception):
    """The choices made so far do not fit together: the sentence is rejected and drawn again.

    This is rejection sampling: the exception ends all rules that are being applied.
    """


class Choices:
    """Random choices, and the state of the sentence under construction.

    rng: the source of all choices.
    richness: 0 … 1, how likely a phrase has an adjective, a relative clause, a place …
    """

    def __init__(self, rng: random.Random, richness: float):
        self.rng = rng
        self.richness = richness
        self.tense = "present"  # of the clause under construction
        self.time = ""  # kind of the time that the clause names: "past", "habit" …
        self.begun = False  # another clause precedes the one under construction
        self.depth = 0  # relative clauses around the phrase under construction

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def rich(self, probability: float) -> bool:
        """A chance that grows with the sentence's richness and shrinks inside relative clauses."""
        return self.chance(probability * self.richness / (1 + 2 * self.depth))

    def draw(self, options: Sequence) -> Any:
        """One of the options with equal probability. Raises Rejected if there are none."""
        if not options:
            raise Rejected
        return self.rng.choice(options)

    def weighted(self, **weights: float) -> str:
        """One of the names, by weight."""
        place = self.rng.random() * sum(weights.values())
        for name, weight in weights.items():
            place -= weight
            if place < 0:
                return name
        return next(reversed(weights))  # because of rounding errors


class NounPhrases(Choices):
    """Rules for noun phrases. Each method is one rule; what it returns holds both languages.

    Relative clauses (`with_relative`) are a rule of `sentences.Grammar`.
    """

    def noun_phrase(
        self,
        wanted: frozenset[str],
        role: str,
        owner: str = "",
        extend: bool = True,
        name: float = 0.15,
    ) -> Nominal:
        """A noun out of the classes `wanted`, with its determiner, adjectives and so on.

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

    def number(self, noun: lexicon.Noun, role: str) -> str:
        """Singular or plural; there is one king, and people mostly go to one station."""
        if noun.classes & {"mass", "crown", "parent", "instrument"}:
            return "s"
        rare = role == "definite" and "place" in noun.classes
        return "p" if self.chance(0.04 if rare else 0.36) else "s"

    def beginning(self, noun: lexicon.Noun, number: str, role: str, owner: str = "") -> str:
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

    def adjectives(self, noun: lexicon.Noun) -> list[lexicon.Adjective]:
        """No adjective, one, or two on different sides of the noun."""
        fitting = adjectives_for(noun.classes)
        if not fitting or not self.rich(0.55):
            return []
        first, second = self.rng.choice(fitting), self.rng.choice(fitting)
        return [first, second] if first.before != second.before and self.rich(0.3) else [first]

    def described(
        self,
        noun: lexicon.Noun,
        number: str,
        english: str,
        role: str = "definite",
        extend: bool = False,
        adorned: bool = True,
    ) -> Nominal:
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

    def name(self) -> Nominal:
        """A person's name."""
        text, gender = self.draw(lexicon.NAMES)
        possessive = "her" if gender == "f" else "his"
        return Nominal(both(text, text), gender, "s", PEOPLE, possessive=possessive)

    def genitive(self, noun: lexicon.Noun, number: str) -> Nominal:
        """The neighbor 's dog → le chien de le voisin: the two nouns change places.

        Parts have wholes instead: the door of the house → la porte de la maison.
        """
        if noun.english["s"] in WHOLES:
            whole = self.noun_phrase(WHOLES[noun.english["s"]], "definite", extend=False)
            part = combine(determiner("the", noun.gender + number), noun, number)
            phrase = part + both("of", "de") + whole.phrase
            return Nominal(phrase, noun.gender, number, noun.classes)
        if noun.classes & (UNOWNED | {"mass", "instrument"}) and not noun.classes & OWNED:
            raise Rejected
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

    def people(self) -> Nominal:
        """Two people or groups: masculine if one of them is."""
        self.depth += 1
        first, second = (self.noun_phrase(PEOPLE, "definite", extend=False) for _ in range(2))
        self.depth -= 1
        if first.phrase.fr[-1].text == second.phrase.fr[-1].text or (
            first.classes == second.classes != PEOPLE
        ):
            raise Rejected  # "the child and the children"
        gender = "f" if first.gender == second.gender == "f" else "m"
        phrase = first.phrase + both("and", "et", note="coordination") + second.phrase
        return Nominal(phrase, gender, "p", PEOPLE, possessive="their")

    def subject(self, pronouns: int = 9, extend: bool = True) -> Nominal:
        """The subject of a clause. "They" is ambiguous after another clause, so it comes first."""
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
