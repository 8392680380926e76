"""Generated dialogues about restaurants and travel: for each answer, the turns that it stands in.

    <user> clara flew to oslo                         <bot> noted
    <user> in oslo there is a hotel the bristol       <bot> noted
    <user> a night at the bristol is eighty euros     <bot> noted
    <user> how much does clara pay for a night        <bot> eighty euros

The user states facts, changes some of them later, and asks. An answer follows from one, two or
three earlier turns, its *facts*, in the order in which they lead to it: above, clara → oslo →
bristol → eighty euros. What was said last about a matter holds. Where nothing was said, the answer
is "you have not told me".

There are many wordings for everything, no punctuation, and small letters only (see `spoken`).
"""

import random
import re
from dataclasses import dataclass, field

__all__ = [
    "ANSWERS",
    "KINDS",
    "NOTED",
    "SPLITS",
    "STYLES",
    "UNTOLD",
    "GeneratedTurn",
    "dialogues",
    "spoken",
]

STYLES = ("all", "chains")
SPLITS = {"train": 4000, "valid": 300, "test": 500}  # dialogues

NAMES = tuple("anna ben clara david emma felix grace henry irene jonas kate leo".split())
CITIES = tuple(
    "rome paris oslo lisbon vienna prague madrid berlin athens dublin warsaw zurich".split()
)
HOTELS = tuple(
    "astoria bristol carlton excelsior imperial majestic metropol palace regina savoy splendid"
    " victoria".split()
)
FOODS = tuple("thai indian french italian greek mexican spanish turkish japanese chinese".split())
DAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())
NUMBERS = tuple("two three four five six seven eight nine".split())
HOURS = tuple("five six seven eight nine ten eleven noon".split())
PRICES = tuple("thirty forty fifty sixty seventy eighty ninety".split())

DIGITS = dict(
    zip(
        "2 3 4 5 6 7 8 9 10 11 12 30 40 50 60 70 80 90".split(),
        "two three four five six seven eight nine ten eleven noon thirty forty fifty sixty seventy"
        " eighty ninety".split(),
        strict=True,
    )
)

NOTED = "noted"
UNTOLD = "you have not told me"
HELLO = "hello how can i help"
WELCOME = "you are welcome"

# What the user states, by matter: at first, and when it changes.
STATEMENTS = {
    "people": (
        "we are {} people",
        "a table for {} please",
        "there are {} of us",
        "i want to book a table for {} persons",
        "we will be {}",
        "it is for {} guests",
        "can you book seats for {}",
        "i would like to reserve for {} people",
        "{} of us are coming",
        "i need a table for {}",
        "please reserve a table for {}",
        "table for {}",
        "we'll be {}",
        "{} people please",
        "we're a group of {}",
        "{} guests are coming",
    ),
    "food": (
        "i would like {} food",
        "we want to eat {}",
        "find me a {} restaurant",
        "we feel like {} cuisine",
        "{} food would be great",
        "book a {} place please",
        "i'd like something {}",
        "how about a {} dinner",
        "we'd like {} food",
        "let's have {}",
        "somewhere {} would be nice",
        "we're in the mood for {}",
        "i want {} tonight",
        "{} would be good",
    ),
    "day": (
        "we come on {}",
        "on {} please",
        "the table is for {}",
        "let us go on {}",
        "make the booking for {}",
        "it should be {} evening",
        "we are free on {}",
        "{} works best",
        "for {} please",
        "we want to come on {}",
        "let's say {}",
        "we'll come {} night",
    ),
    "time": (
        "at {} please",
        "we come at {} o'clock",
        "the table should be ready at {}",
        "book it for {} o'clock",
        "we will be there at {}",
        "dinner is at {}",
        "around {}",
        "at {} in the evening",
        "we'd like to eat at {}",
        "{} o'clock would be good",
    ),
    "trip": (
        "we travel from {} to {}",
        "the train goes from {} to {}",
        "book a flight from {} to {} please",
        "i have to get from {} to {}",
        "our trip starts in {} and ends in {}",
        "we leave {} and arrive in {}",
        "we fly out of {} and land in {}",
        "i need tickets from {} to {}",
        "we're flying from {} to {}",
        "i'm going from {} to {}",
        "we start in {} and finish in {}",
        "we depart from {} and arrive in {}",
        "the bus goes from {} to {}",
        "my flight leaves {} and lands in {}",
    ),
    "person": (
        "{} is in {}",
        "{} lives in {} now",
        "{} flew to {}",
        "{} has moved to {}",
        "my friend {} is staying in {}",
        "{} went to {}",
        "{} travelled to {} yesterday",
        "{} took the train to {}",
        "{} is spending a week in {}",
        "you can find {} in {}",
        "{} is currently in {}",
        "{} left for {}",
        "{} is visiting {}",
        "{} has gone to {}",
        "{} arrived in {} today",
        "{}'s in {}",
    ),
    "hotel": (
        "the hotel in {} is called the {}",
        "in {} there is a hotel the {}",
        "the only hotel in {} is the {}",
        "there is a nice hotel in {} named the {}",
        "in {} everybody sleeps at the {}",
        "we found a room in {} at the {}",
        "there's a hotel in {} called the {}",
        "in {} the hotel is the {}",
        "{}'s hotel is the {}",
    ),
    "price": (
        "the {} costs {} euros",
        "a night at the {} is {} euros",
        "rooms at the {} are {} euros",
        "the {} charges {} euros a night",
        "one night at the {} costs {} euros",
        "at the {} you pay {} euros",
        "the {} is {} euros per night",
        "the price of the {} is {} euros",
        "it's the {} that costs {} euros",
        "the {} asks for {} euros",
    ),
}
CHANGES = {
    "people": (
        "actually make it {} people",
        "sorry we are {} now",
        "change that to {} people",
        "more friends join us so {}",
        "wait we will be {}",
        "no it is {} of us",
        "no we're {}",
        "make that {}",
        "there will be {} of us after all",
    ),
    "food": (
        "no let us eat {} instead",
        "change the food to {}",
        "actually i would rather have {}",
        "we changed our mind we want {} food",
        "let's have {} instead",
        "i'd prefer {} now",
    ),
    "day": (
        "{} is better",
        "move it to {}",
        "sorry make that {}",
        "change the day to {}",
        "no on {}",
        "let's take {} instead",
    ),
    "time": (
        "make it {} o'clock instead",
        "sorry we come at {}",
        "change the time to {}",
        "{} o'clock is better",
        "no at {}",
        "let's come at {} instead",
    ),
}
# Requests that state several matters in one turn.
TOGETHER = {
    ("people", "day"): ("a table for {} on {}", "we are {} and come on {}"),
    ("food", "people"): ("a {} restaurant for {} people", "we want {} food for {}"),
    ("day", "time"): ("on {} at {}", "we come on {} at {} o'clock"),
    ("people", "day", "time"): ("book a table for {} on {} at {}",),
    ("food", "day", "time"): ("{} food on {} evening at {}", "a {} place on {} at {}"),
}
# What the user asks, by matter. "start" and "end" are those of the trip; "hotel of" and "price of"
# take two and three facts.
QUESTIONS = {
    "people": (
        "how many people are we",
        "how many of us are there",
        "for how many people is the table",
        "how many seats did i ask for",
        "how many guests are coming",
        "what is the size of our party",
        "how many are we",
        "how many people did i say",
        "how many are coming",
        "how big is our group",
        "how many people is it for",
        "what's the number of guests",
    ),
    "food": (
        "what do we want to eat",
        "which food did i ask for",
        "what kind of restaurant is it",
        "what did i say about the food",
        "which cuisine is it",
        "what are we going to eat",
        "what food was it",
        "what are we having",
        "what type of food do we want",
        "what cuisine did we choose",
    ),
    "day": (
        "on which day do we come",
        "which day is the table for",
        "what day was it",
        "when do we go which day",
        "on what day is the dinner",
        "what day did i say",
        "which day was it",
        "what day are we going",
        "which day did we choose",
        "when is the booking which day",
    ),
    "time": (
        "at what time do we come",
        "what time is the table",
        "when is dinner at what time",
        "at which hour do we eat",
        "what time did i say",
        "what time was it",
        "when should we be there at what time",
        "what time do we eat",
        "what time is the booking",
    ),
    "start": (
        "where does the trip start",
        "where do we leave from",
        "from which city do we travel",
        "where do we depart",
        "what is the first city of the trip",
        "where do we start",
        "what's our starting point",
        "where does our journey begin",
        "which city do we leave",
        "where do we take off",
        "where do we set off",
    ),
    "end": (
        "where does the trip end",
        "where do we arrive",
        "to which city do we travel",
        "where are we going",
        "what is our destination",
        "where do we end up",
        "what's our last stop",
        "where does our journey end",
        "where do we land",
        "where will we arrive",
        "which city are we going to",
    ),
    "person": (
        "where is {}",
        "in which city is {}",
        "where can i find {}",
        "where did {} go",
        "which city is {} in",
        "where is {} now",
        "where's {}",
        "do you know where {} is",
        "where did i say {} is",
        "what city is {} in",
    ),
    "hotel": (
        "which hotel is in {}",
        "what is the hotel in {} called",
        "where do people sleep in {}",
        "what is the name of the hotel in {}",
        "what's the hotel in {} called",
        "which hotel did we find in {}",
        "do you know a hotel in {}",
    ),
    "price": (
        "what does the {} cost",
        "how much is a night at the {}",
        "how much is the {}",
        "what is the price of the {}",
        "what's the price of the {}",
        "how expensive is the {}",
        "what do they charge at the {}",
        "how much is the {} per night",
    ),
    "hotel of": (
        "in which hotel is {}",
        "where does {} sleep",
        "which hotel is {} staying at",
        "what is the name of the hotel of {}",
        "which hotel does {} sleep in",
        "where's {} staying which hotel",
        "which hotel is {} in",
        "what's the name of {}'s hotel",
        "what's {}'s hotel",
    ),
    "price in": (
        "how much is a night in {}",
        "what does the hotel in {} cost",
        "how much does one pay in {}",
        "how expensive is a night in {}",
        "what's the price of the hotel in {}",
        "how much is the hotel in {} per night",
    ),
    "price of": (
        "how much does {} pay for a night",
        "what does the hotel of {} cost",
        "how much is {} paying",
        "what does {} pay",
        "what's {} paying per night",
        "how much does {} spend on a night",
        "what's the price of {}'s hotel",
        "how expensive is {}'s hotel",
        "how much is {}'s room",
    ),
}
# How many facts an answer follows from.
KINDS = {kind: 1 for kind in QUESTIONS} | {"hotel of": 2, "price in": 2, "price of": 3}
CHAINS = ("person", "hotel", "price", "hotel of", "price in", "price of")
GREETINGS = tuple(
    "hello/hi/good morning/hi there/hey/good evening/hello there/good afternoon".split("/")
)
THANKS = tuple(
    "thanks/thank you/great thank you/bye/that is all thanks/perfect thanks/thanks a lot/goodbye/"
    "thank you very much/see you".split("/")
)

VALUES = {"people": NUMBERS, "food": FOODS, "day": DAYS, "time": HOURS}
PHRASES = {"people": "{} people", "food": "{} food", "day": "on {}", "time": "at {}"}
ANSWERS = (
    *(PHRASES[matter].format(value) for matter, values in VALUES.items() for value in values),
    *CITIES,
    *(f"the {hotel}" for hotel in HOTELS),
    *(f"{price} euros" for price in PRICES),
    NOTED,
    UNTOLD,
    HELLO,
    WELCOME,
)


@dataclass(frozen=True)
class GeneratedTurn:
    """A reply of the bot.

    history: all earlier turns, oldest first, each with its speaker: "<user> …", "<bot> …".
    said: what the user has just said.
    answer: the right reply, one of `ANSWERS`.
    kind: what was asked, a key of `KINDS`; "other" if nothing was.
    facts: places in ``history`` of the turns that the answer follows from, in order.
    """

    history: tuple[str, ...]
    said: str
    answer: str
    kind: str
    facts: tuple[int, ...]


def spoken(text: str) -> str:
    """What a person types, as the dialogues write it: no marks, numbers in words.

    "We're 4, at 8pm!" → "we re four at eight"
    """
    text = re.sub(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)", " ", text.lower().replace("’", "'"))
    text = re.sub(r"'(?=(?:s|re|m|ll|d|ve)\b)", " ", text.replace("€", " euros "))
    words = re.findall(r"\w+(?:'\w+)*", text)
    return " ".join(DIGITS.get(word, word) for word in words if word not in ("am", "pm"))


def dialogues(
    split: str, count: int | None = None, style: str = "all", seed: int = 0
) -> list[list[GeneratedTurn]]:
    """Generated dialogues; equal arguments give equal dialogues on every machine.

    split: "train" (4,000), "valid" (300) or "test" (500). No dialogue is in two splits.
    count: another number of dialogues.
    style: "all", or "chains" for dialogues about people, hotels and prices alone.

    Raises ValueError for an unknown split or style and a negative count.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    if count is not None and count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}: choose one of {', '.join(STYLES)}")
    generator = random.Random(f"dialogues-{style}-{split}-{seed}")
    made: list[list[GeneratedTurn]] = []
    while len(made) < (SPLITS[split] if count is None else count):
        turns = _Writer(generator, style).write()
        if _split_of(turns) == split:
            made.append(turns)
    return made


def _split_of(turns: list[GeneratedTurn]) -> str:
    said = " ".join(turn.said for turn in turns)
    letters = sum(i * ord(letter) for i, letter in enumerate(said, start=1))
    return ("test", "valid", "train", "train", "train", "train")[letters % 6]


@dataclass
class _Writer:
    """One dialogue in the making. ``known`` maps a matter to (value, place of its turn)."""

    generator: random.Random
    style: str
    history: list[str] = field(default_factory=list)
    turns: list[GeneratedTurn] = field(default_factory=list)
    known: dict[tuple[str, ...], tuple[str, int]] = field(default_factory=dict)
    asked: set[tuple[str, ...]] = field(default_factory=set)

    def write(self) -> list[GeneratedTurn]:
        choose = self.generator
        if choose.random() < 0.5:
            self.say(choose.choice(GREETINGS), HELLO)
        self.names = choose.sample(NAMES, 3)
        self.cities = choose.sample(CITIES, 4)
        self.hotels = dict(zip(self.cities, choose.sample(HOTELS, 4), strict=True))
        facts = [("person", name) for name in self.names]
        facts += [("hotel", city) for city in self.cities[:3]]
        facts += [("price", self.hotels[city]) for city in self.cities[:3]]
        if self.style == "all":
            facts += [("trip",)] + [(matter,) for matter in VALUES]
        choose.shuffle(facts)
        if self.style == "all" and choose.random() < 0.3:
            for matter in choose.choice(list(TOGETHER)):
                facts.remove((matter,))
            facts.insert(choose.randrange(len(facts)), ("together",))
        told = facts[: choose.randint(5, len(facts))]
        for fact in told:
            self.state(fact)
            if choose.random() < 0.25:
                self.change()
            if choose.random() < 0.3:
                self.ask()
        for _ in range(choose.randint(3, 6)):
            self.ask()
        if choose.random() < 0.3:
            self.say(choose.choice(THANKS), WELCOME)
        return self.turns

    def say(self, said: str, answer: str, kind: str = "other", facts: tuple[int, ...] = ()) -> None:
        said = f"<user> {spoken(said)}"
        self.turns.append(GeneratedTurn(tuple(self.history), said, answer, kind, facts))
        self.history += [said, f"<bot> {answer}"]

    def learn(self, matter: tuple[str, ...], value: str) -> None:
        """The turn to be said next states that a matter has a value."""
        self.known[matter] = value, len(self.history)
        self.asked = {given for given in self.asked if matter not in self.used_by(given)}

    def state(self, fact: tuple[str, ...]) -> None:
        choose, matter = self.generator, fact[0]
        if matter == "together":
            matters = choose.choice(list(TOGETHER))
            free = [m for m in matters if (m,) not in self.known]
            if len(free) < len(matters):
                return
            values = [choose.choice(VALUES[m]) for m in matters]
            for m, value in zip(matters, values, strict=True):
                self.learn((m,), value)
            self.say(choose.choice(TOGETHER[matters]).format(*values), NOTED)
            return
        if matter in VALUES:
            words = [choose.choice(VALUES[matter])]
            self.learn(fact, words[0])
        elif matter == "trip":
            words = choose.sample(CITIES, 2)
            self.learn(("start",), words[0])
            self.learn(("end",), words[1])
        else:
            value = {
                "person": lambda _: choose.choice(self.cities),
                "hotel": lambda city: self.hotels[city],
                "price": lambda _: choose.choice(PRICES),
            }[matter](fact[1])
            words = [fact[1], value]
            self.learn(fact, value)
        self.say(choose.choice(STATEMENTS[matter]).format(*words), NOTED)

    def change(self) -> None:
        """Change a matter that is known: a wish, or where a person is."""
        choose = self.generator
        matters = [m for m in self.known if m[0] in CHANGES or m[0] == "person"]
        if not matters:
            return
        matter = choose.choice(matters)
        old = self.known[matter][0]
        if matter[0] == "person":
            value = choose.choice([city for city in self.cities if city != old])
            text = choose.choice(STATEMENTS["person"]).format(matter[1], value)
        else:
            value = choose.choice([v for v in VALUES[matter[0]] if v != old])
            text = choose.choice(CHANGES[matter[0]]).format(value)
        self.learn(matter, value)
        self.say(text, NOTED)

    def used_by(self, asked: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The matters that lead to the answer of a question, as far as they are known."""
        kind, *about = asked
        steps = {
            "hotel of": ("person", "hotel"),
            "price in": ("hotel", "price"),
            "price of": ("person", "hotel", "price"),
        }.get(kind, (kind,))
        found: list[tuple[str, ...]] = []
        for step in steps:
            matter = (step, *about)
            found.append(matter)
            if matter not in self.known:
                break
            about = [self.known[matter][0]]
        return found

    def ask(self) -> None:
        """Ask something that was not asked before, or whose answer has changed since."""
        choose = self.generator
        untold = choose.random() < 0.1
        for _ in range(20):
            asked = self.some_question()
            matters = self.used_by(asked)
            told = all(matter in self.known for matter in matters)
            if told != untold and asked not in self.asked:
                break
        else:
            return
        self.asked.add(asked)
        text = choose.choice(QUESTIONS[asked[0]]).format(*asked[1:])
        if untold:
            self.say(text, UNTOLD, asked[0])
            return
        (value, _), last = self.known[matters[-1]], matters[-1][0]
        if last in PHRASES:
            answer = PHRASES[last].format(value)
        else:
            answer = {"hotel": f"the {value}", "price": f"{value} euros"}.get(last, value)
        places = tuple(self.known[matter][1] for matter in matters)
        self.say(text, answer, asked[0], places)

    def some_question(self) -> tuple[str, ...]:
        """A question, and whom or what it is about."""
        chains = ["hotel of", "price in", *["price of"] * 5]
        kinds = QUESTIONS if self.style == "all" else CHAINS
        kind = self.generator.choice([*kinds, *chains])
        about = {
            "person": self.names,
            "hotel of": self.names,
            "price of": self.names,
            "hotel": self.cities,
            "price in": self.cities,
            "price": list(self.hotels.values()),
        }.get(kind)
        return (kind,) if about is None else (kind, self.generator.choice(about))
