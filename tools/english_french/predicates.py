"""Random predicates: actions, qualities, comparisons, places, gifts."""

from dataclasses import replace
from functools import cache

from . import lexicon
from .clauses import (
    PEOPLE,
    PRONOUNS,
    Nominal,
    Predicate,
    Setting,
    VerbPhrase,
    conjugate,
    particle_phrase,
)
from .noun_phrases import NounPhrases, Rejected, adjectives_for, nouns_among
from .phrases import NOTHING, Phrase, both, words


@cache
def verbs_for(
    subject: frozenset[str],
    noun: lexicon.Noun | None = None,
    remark: str = "",
    direct: bool = False,
) -> list[lexicon.Verb]:
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


def read_table(table: str) -> list[tuple[str, str, frozenset[str]]]:
    """English, French and the set of words in the last column."""
    return [(row[0], row[1], frozenset(row[-1].split())) for row in lexicon.rows(table)]


SPOTS = read_table(lexicon.SPOT_TABLE)
THING_SPOTS = read_table(lexicon.THING_SPOT_TABLE)
MANNERS = read_table(lexicon.MANNER_TABLE)
ADVERBS = read_table(lexicon.ADVERB_TABLE)
TIMES = lexicon.rows(lexicon.TIME_TABLE)
DEGREES = lexicon.entries(lexicon.DEGREE_TABLE)
PORTABLE = frozenset("small dishes text container flower clothes".split())
UNPROGRESSIVE = frozenset(("state", "plain", "mishap"))


class Predicates(NounPhrases):
    """Rules for predicates, with and without a conjugated verb."""

    def predicate(self, subject: Nominal, tense: str, negated: bool = False) -> Predicate:
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

    def perhaps_modal(self, predicate: Predicate, subject: Nominal, tense: str) -> Predicate:
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

    def action(
        self, subject: Nominal, tense: str, negated: bool = False, verb: lexicon.Verb | None = None
    ) -> Predicate:
        """A verb with its object, and perhaps a manner, a companion and a place."""
        verb = verb or self.draw(verbs_for(subject.classes))
        mark = object()
        if "person" in verb.objects and verb.preposition in ("", "à") and self.chance(0.3):
            predicate = self.with_pronoun(verb, mark, self.object_pronoun(subject, verb, tense))
        elif verb.objects:
            thing = self.object_phrase(subject, verb, negated)
            after = particle_phrase(verb, mark) + thing.phrase
            predicate = Predicate(verb, mark, after, closed=thing.closed)
        else:
            predicate = Predicate(verb, mark, particle_phrase(verb, mark))
        return self.with_circumstances(predicate, subject)

    def object_phrase(
        self, subject: Nominal, verb: lexicon.Verb, negated: bool, extend: bool = True
    ) -> Nominal:
        """The object of a verb as a noun phrase."""
        role = "negated" if negated else "object"
        if verb.preposition:  # needs a key, lives in a house; but: goes to the school
            role = "prepositional" if "state" in verb.remarks else "definite"
        return self.noun_phrase(verb.objects, role, owner=subject.possessive, extend=extend)

    def with_circumstances(self, predicate: Predicate, subject: Nominal) -> Predicate:
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

    def spot(self, table: list[tuple]) -> Phrase:
        """A preposition with a place."""
        english, french, nouns = self.draw(table)
        return both(english, french) + self.noun_phrase(nouns, "definite", extend=False).phrase

    def with_gap(self, verb: lexicon.Verb, agreement: str) -> Predicate:
        """A verb whose direct object precedes the clause."""
        mark = object()
        return Predicate(verb, mark, particle_phrase(verb, mark), preceding=agreement)

    def object_pronoun(
        self, subject: Nominal, verb: lexicon.Verb, tense: str
    ) -> tuple[str, str, str, str]:
        """A pronoun that is not the subject's own, as (English, direct, indirect, agreement)."""
        ours = {"i", "we"}
        known = [name for name in PRONOUNS if not (name in ours and subject.person == 1)]
        if subject.verb_person == "2p":
            known.remove("you")
        if tense == "past" and not verb.preposition:  # "m'a vu" or "m'a vue" would be open
            known = ["he", "she"]
        (_, english), (_, direct, indirect), _, agreement = PRONOUNS[self.draw(known)]
        return english, direct, indirect, "".join(agreement[:2])

    def with_pronoun(
        self, verb: lexicon.Verb, mark: object, row: tuple[str, str, str, str], note: str = ""
    ) -> Predicate:
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

    def gift(self, subject: Nominal, tense: str, negated: bool = False) -> Predicate:
        """Gives the boy a book, gives a book to the boy, gives him a book."""
        verb = self.draw(verbs_for(subject.classes, remark="give"))
        mark = object()
        given = self.object_phrase(subject, verb, negated, extend=False)
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

    def quality(self, subject: Nominal, mood: bool = False) -> Predicate:
        """Is very tired. In the future, or with a time, only qualities that pass are possible."""
        if subject.person != 3:
            raise Rejected
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

    def comparison(self, subject: Nominal) -> Predicate:
        """Is older than the neighbor; is more patient than the neighbor."""
        if subject.person != 3 or self.time or self.tense == "future":
            raise Rejected
        known = [one for one in adjectives_for(subject.classes) if one.comparative]
        adjective = self.draw(known)
        kin = subject.classes & {"person", "animal", "vehicle", "clothes", "text", "town"}
        noun = self.draw([one for one in nouns_among(adjective.classes) if one.classes & kin])
        if noun.english["s"] in subject.classes:
            raise Rejected
        french = "plus " + adjective.french[subject.agreement]
        english = adjective.comparative
        if english == "more":
            english += " " + adjective.english
        after = both(english, french, note="comparison") + both("than", "que")
        number = self.number(noun, "definite")
        other = self.described(noun, number, self.beginning(noun, number, "definite"))
        return Predicate(lexicon.COPULA, object(), after + other.phrase)

    def whereabouts(self, subject: Nominal) -> Predicate:
        """Is in the garden, is on the table."""
        if subject.classes & {"person", "animal"}:
            return Predicate(lexicon.COPULA, object(), self.spot(SPOTS))
        if subject.classes & PORTABLE:
            return Predicate(lexicon.COPULA, object(), self.spot(THING_SPOTS))
        raise Rejected

    def said_of(self, subject: Nominal, tense: str, asked: bool = False) -> VerbPhrase:
        """A conjugated predicate for a subject."""
        negation = ""
        everyone = subject.phrase.en[0].text in ("every", "all", "many", "several")
        if not everyone and self.chance(0.05 if asked else 0.17):
            negation = "not"
            if not asked and not self.time and self.chance(0.35):
                negation = self.draw(("never", "never", "no longer"))
        predicate = self.predicate(subject, tense, bool(negation))
        return self.conjugated(predicate, subject, tense, negation, asked)

    def conjugated(
        self,
        predicate: Predicate,
        subject: Nominal,
        tense: str,
        negation: str = "",
        asked: bool = False,
    ) -> VerbPhrase:
        """The conjugated predicate, progressive or with an adverb where these fit."""
        setting = self.setting(predicate, subject, tense, negation, asked)
        return conjugate(predicate, subject, setting, asked)

    def setting(
        self,
        predicate: Predicate,
        subject: Nominal,
        tense: str,
        negation: str = "",
        asked: bool = False,
    ) -> Setting:
        """How the predicate is said. Raises Rejected if the English leaves the French open."""
        verb = predicate.verb
        if verb.infinitive in lexicon.WITH_ETRE and tense == "past" and subject.person != 3:
            if not predicate.modal:
                raise Rejected  # "i left": parti or partie?
        if self.time and "state" in verb.remarks and verb.base != "be":
            raise Rejected  # nobody loves a dog on monday
        plain = verb.remarks & UNPROGRESSIVE or predicate.modal
        going_on = tense == "present" and not plain and self.time != "habit"
        progressive = (
            going_on and negation != "never" and (self.time == "present" or self.chance(0.5))
        )
        if verb.base == verb.past and tense == "present" and not progressive:
            if not (predicate.modal or asked or negation == "not" or subject.verb_person == "3s"):
                raise Rejected  # "they read": lisent or ont lu?
        adverb = NOTHING
        taken = progressive or negation or predicate.modal or self.time or asked
        if not taken and self.rich(0.25):
            english, french, tenses = self.draw(ADVERBS)
            if tense in tenses and not (english == "already" and plain):
                adverb = both(english, french)
        return Setting(tense, negation, progressive, adverb)

    def two_actions(self, subject: Nominal, tense: str) -> VerbPhrase:
        """Buys the apple and eats it → achète la pomme et la mange; sings and dances."""
        if self.chance(0.65):
            first, second = self.chain(subject, tense)
        else:
            first, second = (self.action(subject, tense) for _ in range(2))
            if first.closed or second.clitic or first.verb == second.verb:
                raise Rejected
        setting = replace(self.setting(first, subject, tense), adverb=NOTHING)
        self.setting(second, subject, tense)
        if setting.progressive and second.verb.remarks & UNPROGRESSIVE:
            raise Rejected
        if "be" in (first.verb.base, second.verb.base):
            raise Rejected
        one, two = (conjugate(action, subject, setting) for action in (first, second))
        link = both("and", "et", note="coordination")
        return VerbPhrase(one.operator, one.phrase + link + two.phrase)

    def chain(self, subject: Nominal, tense: str) -> tuple[Predicate, Predicate]:
        """Two actions on the same thing; the second one names it by a pronoun."""
        first = self.draw(verbs_for(subject.classes, remark="first"))
        noun = self.draw(nouns_among(first.objects))
        second = self.draw(verbs_for(subject.classes, noun, remark="then"))
        if second.preposition and "person" not in noun.classes:
            raise Rejected  # "answers the letter", but nobody answers "it" with "lui"
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
