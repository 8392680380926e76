import json, re, sys
CELLS=[]
def md(id, text, slide="-", tags=()):
    CELLS.append(("markdown", id, text.strip("\n"), slide, list(tags)))
def code(id, text, slide="-", tags=()):
    CELLS.append(("code", id, text.strip("\n"), slide, list(tags)))

md("title", r'''
# 09 Visual question answering: the question looks at the picture

A picture and a question come in, an answer goes out. In [notebook 04](04_image_captioning.ipynb) each *word to come* asked the
picture; now a **question** does, and it may ask twice. Afterwards you can

- measure what a question gives away before anyone has looked at the picture, and balance a data set so that it gives nothing,
- build **stacked attention**, which asks the picture, adds what it found to the question, and asks again,
- compare it fairly with rivals that see only the question, only the picture, or one pooled vector of the picture,
- say which questions need a second look, and check by erasing whether a model answers from where it looks,
- ask the shipped models about pictures of your own, and know when their answers mean nothing.

It needs notebooks [02](02_attention_math.ipynb) and [04](04_image_captioning.ipynb). It runs in about one minute on two cores;
two small models are trained live.
Every term is explained where it first occurs; the [glossary](GLOSSARY.md) says where that is.
''', "slide")

code("setup", r'''
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from course_utils.attention import AdditiveScore, Attention
from course_utils.claims import claim
from course_utils.datasets.easy_vqa import easy_vqa
from course_utils.datasets.generated.scene_questions import CHANCE, KINDS, questions
from course_utils.exercises import check, solution  # noqa: F401
from course_utils.memory import Memory
from course_utils.plotting import new_figure, picture_attention, show
from course_utils.plotting.style import COLOURS
from course_utils.recipes import RECIPES, train_model
from course_utils.studies import load_study
from course_utils.tasks.question_answering.answerer import VisualAnswerer
from course_utils.tasks.question_answering.data import QuestionData, question_vocabulary
from course_utils.tasks.question_answering.looking import ERASURES, erased_accuracy, looking

torch.manual_seed(0);
''', "skip", ["setup"])

md("a-question", r'''
## 1. A question about a picture

The pictures are the scenes of notebook 04, those with three or four things. **Answer it yourself** before you go on, and watch
what your eyes do: where do they go first, and where then?
''', "slide")
code("first-question", r'''
asked = questions("test", 600, per_kind=200)
relations = [q for q in asked if q.kind == "relation"]
first = relations[28]
print(first.text)
''')
code("first-picture", r'''
fig, ax = new_figure(3, 3)
ax.imshow(first.scene.image)
ax.set_axis_off()
show(fig, alt="A scene of {things}.",
     things=", ".join(f"a {t.size} {t.colour} {t.shape}" for t in first.scene.things))
''', tags=["hide-input"])
md("two-looks", r'''
First they look for the thing that the question *names*, then for the one that it *asks about*. Two looks, and the second one
depends on what the first has found. That is what this notebook builds.

There are seven kinds of questions. For each question we know which things it asks about (`asked`), and for relations also which
one is only named (`reference`).
''')
code("kinds", r'''
for kind in KINDS:
    q = next(q for q in asked if q.kind == kind)
    print(f"{kind:11} {q.text:52} {q.answer}")
print("\nasked, reference of the question above:", first.asked, first.reference)
''')

md("blind", r'''
## 2. How far does one get with closed eyes?

Before we build anything: how often is somebody right who **hears the question and does not see the picture**? The best such
answer is the most frequent one to this very question. A habit of that kind is a **language prior**.

Here are the published questions of *easy-VQA* ([Zhou 2020](REFERENCES.md#zhou2020)), 48,248 of them about 5,000 small pictures with one
coloured shape each. *Yes* and *no* are equally frequent in it. **Predict:** how often is the blind answerer right, of 13
possible answers?
''', "slide")
code("counts", r'''
def habits(triples):
    """The most frequent answer to each question, whatever the picture."""
    counts = {}
    for _, question, answer in triples:
        counts.setdefault(question, Counter())[answer] += 1
    return {question: found.most_common(1)[0][0] for question, found in counts.items()}


train, test = easy_vqa("train"), easy_vqa("test")
said = Counter(answer for _, _, answer in train)
print({answer: said[answer] for answer in ("yes", "no")})
habit = habits(train)
blind = np.mean([habit[question] == answer for _, question, answer in test])
claim("easy-VQA: right with closed eyes", blind, at_least=0.6, at_most=0.75);
''')
code("prior-of-one", r'''
red = Counter(answer for _, question, answer in train if question == "is there a red shape?")
not_red = Counter(a for _, question, a in train if question == "is there not a red shape?")
print("is there a red shape?    ", dict(red))
print("is there not a red shape?", dict(not_red))
claim("share of the more frequent answer", red["no"] / red.total(), at_least=0.8);
''')
md("trap", r'''
Two times out of three, although *yes* and *no* are balanced over all questions: within *one* question they are not. A
picture has one colour of eight, so "is there a red shape?" is nearly always answered *no*, and its negation *yes*. A model may
score well on such data and never look up. This is the trap of visual question answering: in the first large collection of
photos it went so far that the makers collected a second picture for every question, one with another answer
([Goyal et al. 2017](REFERENCES.md#goyal2017)).

Our own questions are balanced from the start: within a kind, and within what is asked about, every answer is equally
frequent ([exercise 09.4](#Exercise-09.4:-Take-the-prior-away) does that to a data set). Habits learnt from other scenes should then be worth
nothing:
''')
code("balanced", r'''
others = habits([(None, q.text, q.answer) for q in questions("train", 3000)])
rights = {kind: np.mean([others.get(q.text) == q.answer for q in asked if q.kind == kind])
          for kind in KINDS}
for kind in KINDS:
    print(f"{kind:11} with closed eyes {rights[kind]:.2f}   chance {CHANCE[kind]:.2f}")
claim("best of the seven above its chance",
      max(rights[kind] - CHANCE[kind] for kind in KINDS), at_most=0.12);
''')
md("balanced-result", r'''
Chance is one over the number of answers: a colour is one of six, a number one of four. In section 6 a network is
trained to answer blindly; it is the harder test, since it could notice what counting misses.
''')

md("model", r'''
## 3. Ask, add, ask again

Both halves exist already. The convolutions of notebook 04 turn the picture into $n = 64$ places $h_1 \dots h_n$, keys and values at once;
the LSTM of notebook 03 turns the question into one vector $u_0$. Attention joins them. Each **hop** $k$ asks the picture with
the vector so far, and *adds* what it reads:

$$e_i = v_k^\top \tanh(W_k h_i + U_k u_{k-1}) \qquad \alpha = \operatorname{softmax}(e) \qquad
r_k = \sum_i \alpha_i h_i \qquad u_k = u_{k-1} + r_k$$

After $K$ hops, a small network turns $u_K$ into the logits of the answers. This is **stacked attention**
([Yang et al. 2016b](REFERENCES.md#yang2016stacked), section 3.3). The score is the additive one of notebook 02; each hop has its own.
''', "slide")
md("by-hand", r'''
Why add? Let us set the numbers by hand, for three things in a row: ring, star, cross. A place says what is there (three
numbers) and where (three more). The question is *what is left of the star?* Its vector says what to look for: a star. The
first hop compares **shapes**; the second compares **positions, shifted by one**. (Here with the general score
$e_i = u^\top W_k\, h_i$, which is easier to set by hand.)

**Predict:** where does the second hop look if it is given the question alone, without what the first hop has read?
''')
code("hand-made", r'''
eye = torch.eye(3)
places = torch.cat([eye, eye], dim=1)           # (3, 6): shape, position
star = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
same_shape = torch.zeros(6, 6)
same_shape[:3, :3] = 20 * eye                   # what is asked for is there
left_of = torch.zeros(6, 6)
left_of[3:, 3:] = 20 * eye.roll(-1, dims=1)     # position p looks at p - 1
''')
code("hand-made-hops", r'''
def hop(u, W):
    weights = torch.softmax(u @ W @ places.T, dim=0)
    return u + weights @ places, weights


u, first_hop = hop(star, same_shape)
_, second_hop = hop(u, left_of)
_, without = hop(star, left_of)
for name, weights in (("hop 1", first_hop), ("hop 2", second_hop), ("hop 2 alone", without)):
    print(f"{name:12}" + "".join(f"{thing:>7} {weight:.2f}" for thing, weight in
                                 zip(("ring", "star", "cross"), weights.tolist())))
claim("weight of the ring in hop 2", second_hop[0], at_least=0.99)
claim("its weight without hop 1", without[0], at_most=0.34);
''')
md("by-hand-result", r'''
The question does not know where the star is. Hop 1 finds it, and $r_1$ brings its **position** into $u$; only then can hop 2 ask
*what is one to the left of there?* Without it, all scores are equal. So much for what two hops *can* do. Whether
training finds it is another matter.
''')
md("build", r'''
### In code

One batch holds many questions about few pictures, so `picture_of` says which picture each question is about. What the score makes
of the keys alone is computed once for each picture and hop.
''')
code("stacked", r'''
class StackedAttention(nn.Module):
    def __init__(self, width, hops=2, attention_dim=None):
        super().__init__()
        self.hops = nn.ModuleList(
            Attention(AdditiveScore(width, width, attention_dim)) for _ in range(hops))

    def forward(self, question, memory, picture_of):
        """question (Q, D), memory of P pictures → u (Q, D), weights (Q, K, n)."""
        values, mask = memory.values[picture_of], memory.attend_mask[picture_of]
        u, weights = question, []
        for attention in self.hops:
            keys = attention.prepare(memory.keys)[picture_of]
            read, found = attention(u[:, None], keys, values, attend_mask=mask, prepared=True)
            u = u + read.squeeze(1)                                  # add what was read
            weights.append(found)
        return u, torch.cat(weights, dim=1)
''', tags=["builds:course_utils.models.answerers.StackedAttention"])
code("try-it", r'''
states = torch.randn(2, 64, 12)                                      # two pictures
memory = Memory(states, states, torch.ones(2, 64, dtype=torch.bool), states.mean(1))
u, weights = StackedAttention(12, hops=2)(torch.randn(5, 12), memory, torch.tensor([0, 0, 0, 1, 1]))
print("u", tuple(u.shape), "  weights", tuple(weights.shape))
claim("each hop's weights sum to one", (weights.sum(-1) - 1).abs().max(), at_most=1e-5);
''')

md("train", r'''
## 4. Train it

First the simple questions: colour, shape and size of one thing. Two models, alike except for one line:

- **one hop**: $u = u_0 + \sum_i \alpha_i h_i$,
- **pooled**: $u = u_0 + \frac{1}{n} \sum_i h_i$, the question and the mean of all places.

Both start from the convolutions of notebook 04, which stay as they are. (Models of this kind usually take
their picture from a network that was trained before.) **Predict:** which of them learns which
kind of question in 240 steps? (Forty seconds for both.)
''', "slide")
code("data", r'''
recipe = RECIPES["question_answering-scenes"]
SIMPLE = ("colour", "shape", "size")


def pairs(found):
    return [((q.scene.image, q.text), q.answer) for q in found]


simple = [q for q in questions("train", 6000) if q.kind in SIMPLE]
held_out = [q for q in questions("valid", 800) if q.kind in SIMPLE]
data = QuestionData(pairs(simple), pairs(held_out), question_vocabulary(pairs(simple)),
                    labels=recipe.model["labels"])
print(f"{len(simple):,} questions about {len({id(q.scene) for q in simple}):,} scenes")
''')
code("train-both", r'''
settings = replace(recipe.settings, steps=240, validate_every=80)
base = {k: v for k, v in recipe.model.items() if k not in ("hops", "plan", "separate")}
answerers = {}
for name, model in (("one hop", {"hops": 1, "attention_dim": 64}), ("pooled", {"kind": "pooled"})):
    trained, history, _ = train_model(
        replace(recipe, model=base | model, settings=settings), data)
    answerers[name] = VisualAnswerer(trained, data.vocabulary)
    print(f"{name:8}", [round(row["valid_accuracy"], 2) for row in history.rows])
''')
code("by-kind", r'''
def accuracy_by_kind(answerer, found):
    answers = answerer.predict([given for given, _ in pairs(found)])
    right = np.array([a == q.answer for a, q in zip(answers, found)])
    kinds = np.array([q.kind for q in found])
    return {kind: right[kinds == kind].mean() for kind in KINDS if (kinds == kind).any()}


found = [q for q in asked if q.kind in SIMPLE]
live = {name: accuracy_by_kind(answerer, found) for name, answerer in answerers.items()}
for kind in SIMPLE:
    print(f"{kind:7} one hop {live['one hop'][kind]:.2f}   pooled {live['pooled'][kind]:.2f}   "
          f"chance {CHANCE[kind]:.2f}")
claim("colour: one hop minus pooled", live["one hop"]["colour"] - live["pooled"]["colour"],
      at_least=0.2);
''')
md("pooled-knows", r'''
The pooled model is above chance, too. What does it know? It sees *which* colours are in the picture, not *whose* they are.
A guess among the colours that are there would be right this often:
''')
code("guess-among", r'''
present = np.mean([1 / len({t.colour for t in q.scene.things})
                   for q in asked if q.kind == "colour"])
answers = answerers["pooled"].predict([given for given, _ in pairs(found)])
there = np.mean([a in {t.colour for t in q.scene.things}
                 for a, q in zip(answers, found) if q.kind == "colour"])
print(f"guess among the colours of the picture: {present:.2f}")
claim("pooled: answers that name a colour of the picture", there, at_least=0.8)
claim("pooled minus the guess", live["pooled"]["colour"] - present, at_most=0.15);
''')
md("looked", r'''
### Where did it look?

Nobody told the model where the thing is. How much of its attention lies on the cells of the thing asked about, and how much would
equal weights have there?
''')
code("mass", r'''
answers = answerers["one hop"].answer([given for given, _ in pairs(found)])
(mass,) = looking(found, answers)
print(f"on the thing asked about {mass.asked:.2f}, with equal weights {mass.chance_asked:.2f}")
print(f"on the other things      {mass.others:.2f}, with equal weights {mass.chance_others:.2f}")
claim("mass on the thing asked about, times chance", mass.asked / mass.chance_asked, at_least=2.5);
''')


md("rivals", r'''
## 5. How often must it ask?

Now all seven kinds, and a fair comparison: rivals with the same encoder, the same training and the same last layers. One sees **only
the question**, one **only the picture**, one the question and a **pooled** picture; the others ask the picture in one, two or
three **hops**, with the additive score, as published. Each learnt from the answers alone, for 500 steps
(a study; `python -m course_utils study hops`).

**Predict:** which kinds of questions gain from attention at all? Which of them gain from the second hop?
''', "slide")
code("study", r'''
study = load_study("hops")
NAMES = ["question only", "picture only", "pooled", "one hop", "two hops", "three hops"]


def runs(name):
    return [run for run in study["runs"] if run["variant"] == name]


def mean_by_kind(name):
    return {kind: np.mean([run["by_kind"][kind] for run in runs(name)]) for kind in KINDS}


print(" " * 15 + "".join(f"{kind[:9]:>11}" for kind in KINDS))
for name in NAMES:
    print(f"{name:15}" + "".join(f"{value:11.2f}" for value in mean_by_kind(name).values()))
''')
code("study-figure", r'''
fig, ax = new_figure(9, 4.8)
rows = np.arange(len(KINDS))
ax.hlines(rows, 0, 1, color="#DDDDDD", linewidth=1)
ax.plot([CHANCE[k] for k in KINDS], rows, "|", color="#1A1A1A", markersize=16, label="chance")
for number, (name, marker) in enumerate(zip(NAMES, "sPvoD^")):
    means = mean_by_kind(name)
    ax.plot([means[k] for k in KINDS], rows + 0.1 * (number - 2.5), marker, markersize=7,
            color=COLOURS[number], label=name)
ax.set_yticks(rows, KINDS)
ax.invert_yaxis()
ax.set_xlabel("share of right answers after 500 steps")
ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=4, fontsize=10, frameon=False)
show(fig, alt="For each kind of question, the accuracy of six models after 500 steps. Question "
     "only stays at chance. Hops are far above the pooled model for colour and shape, and alike "
     "for relation.")
''', tags=["hide-input"])
code("study-claims", r'''
deaf, flat, hop1, hop2 = (mean_by_kind(name) for name in ("question only", *NAMES[2:5]))
claim("question only: largest distance from chance",
      max(abs(deaf[kind] - CHANCE[kind]) for kind in KINDS), at_most=0.06)
for kind in ("colour", "shape"):
    claim(f"{kind}: one hop minus pooled", hop1[kind] - flat[kind], at_least=0.1)
claim("relation: second hop minus one hop", hop2["relation"] - hop1["relation"], at_most=0.06);
''')
md("rivals-result", r'''
- **Question only** is at chance everywhere: the questions give nothing away. **Picture only** does not know what kind of answer is
  wanted, and tells everybody *yes* or *no*.
- **Colour and shape** of one thing gain most from attention: the mean of a picture does not say whose colour is whose.
- The **second hop** was to help with relations. It does not, and neither does a third. All three are far above chance, but so is the
  pooled model: a guess among the things of the picture is worth something.
''')

md("why-not", r'''
## 6. Why does the second hop not help?

*What is just left of the star* takes two steps, and there are two hops. Is it a lack of training? Of capacity? Or does it not do
what we think? First, more training; and a test of what it does: we **erase the star**, that is, replace its pixels by random ones of the
background, and ask again. Whoever needs the star to find the thing beside it must now fail.

**Predict** what the model does when the thing that the question names is gone.
''', "slide")
code("erase-study", r'''
def erased_in(name, what):
    return np.mean([run["erased"]["relation"][what] for run in runs(name)])


for name in ("two hops", "two hops, longer"):
    (steps,) = {run["steps"] for run in runs(name)}
    print(f"{steps} steps: relations right {mean_by_kind(name)['relation']:.2f}, "
          f"named thing erased {erased_in(name, 'reference'):.2f}, "
          f"asked thing erased {erased_in(name, 'asked thing'):.2f}")
''')
code("erase-study-claims", r'''
named = mean_by_kind("two hops, longer")["relation"] - erased_in("two hops, longer", "reference")
claim("what erasing the named thing costs", named, at_most=0.1)
claim("what erasing the thing asked about costs", mean_by_kind("two hops, longer")["relation"]
      - erased_in("two hops, longer", "asked thing"), at_least=0.2);
''')
md("not-needed", r'''
Nothing happens: it answers as well without the star, so it did not need the star. Erase the thing asked about, and it fails: it does
look at the picture. It picks one of the things that are there, with some sense for direction, and ignores which one is
named. The heat map of such a model, drawn for one question that it gets right, would have persuaded you.

Why? With the answers alone, hop 2 is of no use until hop 1 finds the named thing, and hop 1 is not rewarded for finding it until hop 2
can use it. If that is the obstacle, then showing hop 1 where to look should remove it.
''')
md("remedies-text", r'''
### Three remedies

**Teach it where to look.** We know which things a relation is about. Add to the loss, for relations only, $-\ln$ of the
attention that the first hop gives to the named thing and the last hop to the thing asked about.

**Let it plan.** The second hop has to work out a *place*, from a word (*left*) and another place (the star's). The additive score would have
to do so while it compares. Give each hop a small network $f$ that first turns $u$ into what to look for, and a scaled dot product
that compares:

$$f(u) = \tilde u + W_2 \operatorname{relu}(W_1 \tilde u), \quad \tilde u = \operatorname{norm}(u) \qquad\qquad
e_i = f(u) \cdot W h_i \,/ \sqrt{D}$$

**Keep the readings apart.** In $u_0 + r_1 + r_2$, nothing says which colour was read first. Give each hop a matrix for what it
reads: $u_k = u_{k-1} + V_k r_k$.
''', "subslide")
code("planned", r'''
class PlannedScore(nn.Module):
    def __init__(self, query_dim, key_dim):
        super().__init__()
        self.norm = nn.LayerNorm(query_dim)
        self.plan = nn.Sequential(nn.Linear(query_dim, 2 * query_dim), nn.ReLU(),
                                  nn.Linear(2 * query_dim, query_dim))
        self.W = nn.Linear(key_dim, query_dim, bias=False)

    def prepare(self, keys):
        return self.W(keys)

    def forward(self, query, prepared):
        query = self.norm(query)
        planned = query + self.plan(query)                       # what to look for
        return planned @ prepared.transpose(1, 2) / planned.shape[-1] ** 0.5
''', tags=["builds:course_utils.models.answerers.PlannedScore"])
md("shipped-intro", r'''
## 7. Look, and look again

The model that comes with the course has all three remedies, and was trained for 2,400 steps. **Predict** how many relations it gets right;
the model above had half of them.
''', "slide")
code("shipped", r'''
answerer = VisualAnswerer.load("question_answering-scenes")
scores = accuracy_by_kind(answerer, asked)
for kind in KINDS:
    print(f"{kind:11} {scores[kind]:.2f}   chance {CHANCE[kind]:.2f}")
''')
code("look-first", r'''
(answer,) = answerer.answer([(first.scene.image, first.text)])
outlines = [first.scene.mask(first.reference), first.scene.mask(first.asked)]
fig = picture_attention(first.scene.image, answer.attention, ["hop 1", "hop 2"], masks=outlines,
                        width=9)
show(fig, alt="The scene of section 1, and where the two hops look for “{question}?”; outlined are "
     "the thing that it names and the thing that it asks about. The answer is {answer}.",
     question=answer.question, answer=answer.text)
print(first.text, answer.text)
''', tags=["hide-input"])
md("mass-intro", r'''
One picture proves nothing. For all test relations, here is the attention of each hop on both things, beside that of equal weights:
''')
code("mass-by-hop", r'''
answers = answerer.answer([given for given, _ in pairs(relations)])
hops = looking(relations, answers)
print("        named thing   (chance)   asked thing   (chance)")
for number, hop in enumerate(hops, start=1):
    print(f"hop {number} {hop.reference:11.2f} {hop.chance_reference:12.2f} {hop.asked:12.2f} "
          f"{hop.chance_asked:11.2f}")
claim("hop 1 on the named thing, times chance",
      hops[0].reference / hops[0].chance_reference, at_least=3)
claim("hop 2 on the asked thing, times chance", hops[1].asked / hops[1].chance_asked, at_least=3);
''')
md("erase-intro", r'''
### Erase what it looked at

That much it was taught. Does the *answer* depend on it? We erase

- the thing **asked** about, the one that is **named**, or **another** one: what does the answer depend on?
- as many cells as the asked thing has: those with the **largest weights** of a hop, or **random** ones: do the weights
  point to it?

**Predict** the order of the six.
''')
code("erase", r'''
erased = {"nothing": np.mean([a.text == q.answer for a, q in zip(answers, relations)])}
for what in ERASURES:
    erased[what] = erased_accuracy(answerer, relations, answers, what)
for what, share in erased.items():
    print(f"{what:22} erased: {share:.2f} right")
''')
code("erase-claims", r'''
claim("erasing the thing asked about costs", erased["nothing"] - erased["asked thing"],
      at_least=0.5)
claim("erasing the named thing costs", erased["nothing"] - erased["reference"], at_least=0.2)
claim("erasing another thing costs", erased["nothing"] - erased["another thing"], at_most=0.05)
claim("hop 2's cells against random ones", erased["random cells"] - erased["looked at, last hop"],
      at_least=0.3);
''')
md("erase-result", r'''
Both things that the weights point to matter: without the one asked about there is nothing to tell, and without the one that is named
the model has to guess which of the others is meant. The third thing can go. Erasing the cells with the largest
weights of a hop costs about as much as erasing its thing, except that half a thing is sometimes left. Random cells
do some harm, too, since now and then they hit: that is the yardstick.
''')
md("blind-intro", r'''
### Blind one hop

The last test leaves the picture alone and takes away the look: a hop whose weights are equal everywhere. **Predict:** which kinds
of questions need which hop?
''')
code("blind-hop", r'''
class Everywhere(nn.Module):
    """A hop that looks at nothing in particular: equal weights."""

    def prepare(self, keys):
        return keys

    def forward(self, query, keys, values, *, attend_mask, prepared):
        return values.mean(1, keepdim=True), torch.full((len(values), 1, values.shape[1]), 1 / 64)


@contextmanager
def blinded(hops, number):
    own, hops[number] = hops[number], Everywhere()
    yield
    hops[number] = own
''')
code("blind-hops", r'''
sighted = {"both hops": scores}
for number in (0, 1):
    with blinded(answerer.model.attention.hops, number):
        sighted[f"hop {number + 1} blinded"] = accuracy_by_kind(answerer, asked)
print(" " * 15 + "".join(f"{kind[:9]:>11}" for kind in KINDS))
for name, by_kind in sighted.items():
    print(f"{name:15}" + "".join(f"{by_kind[kind]:11.2f}" for kind in KINDS))
''')
md("blind-result", r'''
Without the first hop, nearly everything is lost; a relation is then a guess among the things that are there. Without the second,
relations are lost, and the questions about one thing do not mind: **two steps need the second hop, one step does not.** (On the
latter, it looks at something else and is not listened to.) Counts lose as well.
''')

md("easy", r'''
## 8. Questions that others have written

Now easy-VQA, whose prior we know: with closed eyes, two thirds are right. The model has one hop, as published, and was trained from
scratch, convolutions and all; 400 of the training pictures were held out to validate, and the test questions were asked once.
''', "slide")
code("easy-shipped", r'''
easy = VisualAnswerer.load("question_answering-easy-vqa")
outputs = easy.predict([(picture, question) for picture, question, _ in test])
right = np.array([a == b for a, (_, _, b) in zip(outputs, test)])
claim("easy-VQA: share of right answers", right.mean(), at_least=0.995)
print(f"errors: {int((~right).sum())} of {len(right):,}")
''')
md("easy-question", r'''
Does it look, or has it the habit and a bit more? The overall score cannot tell. Ask where the habit is **wrong**: *yes* and *no*
questions whose answer is not the usual one. The study `priors` trained rivals, with two seeds, for 600 steps; the shipped model had 3,000.

**Predict:** what does the question-only model get there? And the model with one hop?
''')
code("easy-rivals", r'''
priors, table = load_study("priors"), {}
print(f"{'':15}{'all':>8}{'usual answer':>15}{'unusual answer':>17}")
for name in ("question only", "picture only", "pooled", "one hop"):
    table[name] = {key: np.mean([run[key] for run in priors["runs"] if run["variant"] == name])
                   for key in ("accuracy", "usual_answers", "rare_answers")}
    print(f"{name:15}" + "".join(f"{v:{w}.3f}" for v, w in zip(table[name].values(), (8, 15, 17))))
unusual = np.array([answer in ("yes", "no") and habit[question] != answer
                    for _, question, answer in test])
print(f"{'shipped':15}{right.mean():8.3f}{'':15}{right[unusual].mean():17.3f}")
''')
code("easy-claims", r'''
claim("question only, where the answer is unusual", table["question only"]["rare_answers"],
      at_most=0.05)
claim("one hop, 600 steps: all questions", table["one hop"]["accuracy"], at_least=0.8)
claim("one hop, 600 steps: where the answer is unusual", table["one hop"]["rare_answers"],
      at_most=0.4)
claim("shipped: where the answer is unusual", right[unusual].mean(), at_least=0.99);
''')
md("easy-result", r'''
The question-only model knows the habits and nothing else. But look at *one hop* after 600 steps: 85 % of all answers are right,
and where the habit is wrong, hardly one in six. It had learnt the habit first, and little else of *yes* and *no*; from its score alone one
would have thought better of it. (The picture-only model has no habits: it does not know the question.) With five times the training the
shipped model answers the unusual questions as well as the others.
''')

md("misleads", r'''
## 9. Where it misleads

### Questions about what is not there

In training, every colour question was about a thing that is there. **Predict:** what colour has the star of a picture without a star?
''', "slide")
code("absent", r'''
absent = []
for q in asked[::5]:
    there = {thing.shape for thing in q.scene.things}
    missing = sorted({"star", "ring", "cross", "circle", "square"} - there)
    absent.append((q.scene.image, f"what colour is the {missing[0]}?"))
told = answerer.answer(absent)
print("most frequent answers:", Counter(answer.text for answer in told).most_common(4))
claim("answers that are a colour", np.mean(
    [answer.text in recipe.model["labels"][:6] for answer in told]), at_least=0.9)
claim("mean probability of these answers", np.mean([answer.probability for answer in told]),
      at_least=0.5);
''')
md("absent-result", r'''
It tells the colour of something that does not exist, and it is sure of it. Softmax has to put its weight somewhere
([notebook 02](02_attention_math.ipynb)), and none of the answers says *there is none*. It had no occasion to learn one.
''')
md("counting", r'''
### It looks at all of them, and cannot count them

Look at the row of counts in section 7. The first hop has six tenths of its attention on the things that are to be counted. What does
the model tell for two, and for three?
''')
code("counts-told", r'''
counted = [q for q in asked if q.kind == "count"]
told = answerer.predict([given for given, _ in pairs(counted)])
print("truth     told")
for number in ("zero", "one", "two", "three"):
    mine = Counter(a for a, q in zip(told, counted) if q.answer == number)
    print(f"{number:10}" + "   ".join(f"{mine[n]:2} {n}" for n in ("zero", "one", "two", "three")))
wrong = [(a, q.answer) for a, q in zip(told, counted) if a != q.answer]
claim("wrong counts between one, two and three",
      np.mean([{"zero"}.isdisjoint(pair) for pair in wrong]), at_least=0.8);
''')
md("counting-result", r'''
Zero is safe, and the mistakes are between one, two and three. Weights sum to one, so two equal things give the average that one of
them gives ([notebook 04](04_image_captioning.ipynb), section 5; [Zhang et al. 2018](REFERENCES.md#zhang2018)). A right look is not
a right answer.
''')

md("own", r'''
## 10. A picture of your own

`answerer.answer` takes any picture of 64 × 64 pixels, and the command line any picture file:
`python -m course_utils answer PICTURE "what colour is the star?" --attention look.png`. But the model knows scenes like those
above, and nothing else. Here is a cat, a photo that comes with a library:
''', "slide")
code("cat", r'''
from PIL import Image

from course_utils.datasets.library_photos import shipped_photo

cat = np.asarray(Image.fromarray(shipped_photo("cat")).resize((64, 64)))
for question in ("is there a red star?", "what colour is the cat?", "how many things are there?"):
    (answer,) = answerer.answer([(cat, question)])
    print(f"{question:28}{answer.text:8}{answer.probability:.2f}   unknown words: "
          f"{', '.join(answer.unknown) or 'none'}")
''')
md("cat-result", r'''
It sees neither a star nor anything else to count, and the cat is orange all the same. A word that it does not know is read as
*unknown*, and the answer is to the rest of the question. The command line refuses such a question; a picture of
another kind it cannot recognise, and answers.
''')
md("summary", r'''
## Summary

- Before you believe a score, ask what **closed eyes** get. On easy-VQA it is two thirds; a model with 85 % of right answers had, on
  *yes* and *no* questions, hardly more than the habit. Balance the answers within each question, or look at the
  questions whose usual answer is wrong.
- Attention answers questions about **one thing** that a pooled picture cannot: the mean of a picture knows its colours, not whose they are.
  *Attention markedly improves question answering*, one reads. Here it does for such questions, at an equal number of steps, and not
  for comparisons.
- **Stacked attention** adds what it has read to the question and asks again. Two hops *can* follow a relation; from the answers alone, they
  did not learn to. Erasing the named thing showed it, the accuracy alone did not.
- With three remedies together it works: **showing** the hops where to look, a network that **plans** what to ask, and **separate**
  matrices for what is read.
- With these, erasing and blinding agree with the heat map: relations need both hops, questions about one thing only the first.
- A model answers questions about things that are not there, and about cats.

On the command line: `python -m course_utils answer PICTURE "what colour is the star?"`, and with `--attention look.png` a picture
of where it looked.
''', "slide")
md("exercises", r'''
## Exercises

Predict, then write, then let `check` answer. `solution("09.1")` shows ours.
''', "slide")
md("references", r'''
## References

- [Goyal et al. 2017](REFERENCES.md#goyal2017): language priors, and pictures against them.
- [Yang et al. 2016b](REFERENCES.md#yang2016stacked): stacked attention.
- [Zhang et al. 2018](REFERENCES.md#zhang2018): why softmax attention counts badly.
- [Zhou 2020](REFERENCES.md#zhou2020): easy-VQA.
''', "skip")
