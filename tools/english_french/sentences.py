"""Random sentences: clauses, relative clauses, reasons, reports and questions."""

from dataclasses import replace

from course_utils.datasets.generated.english_french import AlignedPair

from . import lexicon
from .clauses import (
    PEOPLE,
    Nominal,
    Predicate,
    Setting,
    VerbPhrase,
    combine,
    conjugate,
    determiner,
    particle_phrase,
    pronoun,
    question,
    statement,
)
from .noun_phrases import Rejected, adjectives_for, nouns_among
from .phrases import NOTHING, Phrase, both, finish, words
from .predicates import DEGREES, PORTABLE, SPOTS, THING_SPOTS, TIMES, Predicates, verbs_for

LIVING = frozenset(("adult", "kid", "animal"))
RELATIVE_TENSES = {  # in a clause of this tense, relative clauses have one of these
    "present": ("present", "present", "past"),
    "past": ("past",),
    "future": ("present", "past", "future"),
}
REASONS = frozenset("buy sell want choose like love wash clean repair take".split())


class Grammar(Predicates):
    """Rules for whole sentences, relative clauses among them."""

    def with_relative(self, nominal: Nominal, noun: lexicon.Noun) -> Nominal:
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

    def relative_object(self, nominal: Nominal, noun: lexicon.Noun) -> Phrase:
        """(the apples) that she ate → (les pommes) qu'elle a mangées."""
        subject = self.someone()
        verb = self.draw(verbs_for(PEOPLE, noun, direct=True))
        predicate = self.with_gap(verb, nominal.agreement)
        verb_phrase = self.conjugated(predicate, subject, self.tense)
        return both("that", "que", note="relative") + statement(subject, verb_phrase)

    def relative_place(self, noun: lexicon.Noun) -> Phrase:
        """(the house) where she lives → (la maison) où elle habite."""
        verbs = verbs_for(PEOPLE, noun)
        verb = self.draw([one for one in verbs if one.french_particles == ("dans",)])
        if verb.particles != ("in",):
            raise Rejected
        subject = self.someone()
        bare = replace(verb, particles=(), french_particles=(), objects=frozenset())
        verb_phrase = self.conjugated(Predicate(bare, object()), subject, self.tense)
        return both("where", "où", note="relative") + statement(subject, verb_phrase)

    def someone(self) -> Nominal:
        """A short subject for a clause inside another one."""
        if self.chance(0.5):
            return pronoun(self.draw(("i", "you", "he", "she", "we", "they")))
        return self.noun_phrase(PEOPLE, "definite", extend=False)

    def clause(self, tense: str) -> Phrase:
        """Subject and predicate, perhaps with a time before or after them."""
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
            raise Rejected  # the time would belong to the relative clause
        return said + time

    def some_time(self, tense: str) -> tuple[Phrase, str]:
        """A time that fits the tense, and its kind."""
        fitting = {"present": ("present", "habit")}.get(tense, (tense,))
        english, french, links, kind = self.draw([row for row in TIMES if row[3] in fitting])
        return both(english, french, links), kind

    def existence(self, tense: str, asked: bool = False) -> Phrase:
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

    def because(self, tense: str) -> Phrase:
        """She is crying because she is tired; he buys the lamp because it is modern."""
        self.tense, self.time = tense, ""
        subject = self.subject()
        if "person" not in subject.classes or tense == "future":
            raise Rejected
        if self.chance(0.4):
            main, reason = self.reason_in_the_thing(subject, tense)
        else:
            main, reason = self.reason_in_the_person(subject, tense)
        return statement(subject, main) + both("because", "parce que", note="because") + reason

    def reason_in_the_thing(self, subject: Nominal, tense: str) -> tuple[VerbPhrase, Phrase]:
        """Buys the lamp – because – it is modern: "it" is the object of the first clause."""
        verb = self.draw([verb for verb in verbs_for(PEOPLE) if verb.base in REASONS])
        noun = self.draw(nouns_among(verb.objects - PEOPLE))
        adjective = self.draw([one for one in adjectives_for(noun.classes) if one.comparative])
        if "part" in noun.classes:
            raise Rejected
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

    def reason_in_the_person(self, subject: Nominal, tense: str) -> tuple[VerbPhrase, Phrase]:
        """Is crying – because – she is tired: the pronoun is the subject of the first clause."""
        self.depth += 1  # two short clauses
        doing = self.action(subject, tense)
        if "state" in doing.verb.remarks:
            raise Rejected
        main = self.conjugated(doing, subject, tense)
        again = self.again(subject)
        if self.chance(0.55):
            predicate = self.quality(again, mood=True)
        else:
            states = [one for one in verbs_for(PEOPLE) if one.base in ("be", "want", "need")]
            predicate = self.action(again, tense, verb=self.draw(states))
        self.depth -= 1
        return main, statement(again, self.conjugated(predicate, again, tense))

    def again(self, subject: Nominal) -> Nominal:
        """The pronoun that stands for a subject mentioned before."""
        if subject.person != 3:
            name = {"1s": "i", "1p": "we", "2p": "you"}[subject.verb_person]
            return pronoun(name)
        name = {"ms": "he", "fs": "she"}.get(subject.agreement, "they")
        return pronoun(name, subject.gender)

    def report(self, tense: str) -> Phrase:
        """She says that …"""
        self.tense, self.time = "present", ""
        self.depth += 1
        subject = self.subject()
        self.depth -= 1
        verb = self.draw(lexicon.REPORTS)
        if "person" not in subject.classes or (verb.base == "hope" and tense != "future"):
            raise Rejected
        said = statement(subject, conjugate(Predicate(verb, object()), subject, Setting()))
        self.begun = True
        return said + both("that", "que", note="report") + self.clause(tense)

    def ask(self, tense: str) -> Phrase:
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
            raise Rejected
        if kind == "yes_no":
            return question(subject, self.said_of(subject, tense, asked=True))
        if kind == "when" and tense == "present":
            raise Rejected
        opening = both(kind, {"where": "où", "why": "pourquoi", "when": "quand"}[kind])
        if not subject.classes & {"person", "animal"}:
            raise Rejected
        if kind == "where":
            self.richness = 0  # the place is what is asked for
        predicate = self.action(subject, tense)
        if kind == "where" and predicate.verb.preposition:
            raise Rejected
        if kind != "why" and ("state" in predicate.verb.remarks or predicate.verb.base == "be"):
            raise Rejected
        return question(subject, self.conjugated(predicate, subject, tense, asked=True), opening)

    def ask_for_object(self, tense: str, kind: str) -> Phrase:
        """What did she eat? Which apples did she eat? How many apples …?"""
        subject = self.subject(pronouns=16, extend=False)
        if subject.verb_person == "1s" or "person" not in subject.classes:
            raise Rejected
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

    def part(self, tense: str) -> Phrase:
        """A statement; what is rejected is drawn again."""
        while True:
            kind = self.weighted(clause=15, because=2.5, report=1.5, existence=1.2)
            try:
                return getattr(self, kind)(tense)
            except Rejected:
                self.depth = 0

    def sentence(self, shortest: int, longest: int, clauses: int) -> AlignedPair:
        """A pair with `shortest` to `longest` English tokens, of at most `clauses` statements.

        Raises Rejected if the length does not fit.
        """
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
            raise Rejected
        return finish(phrase, mark)
