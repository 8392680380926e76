import json,re,sys
P='/work/main/notebooks/08_dialogue.ipynb'
cells=[]
def slug(s): return re.sub(r'[^a-z0-9]+','-',s.lower()).strip('-')[:50]
def md(id,src,slide='slide'):
    cells.append({"cell_type":"markdown","id":id,"metadata":{"slideshow":{"slide_type":slide}},"source":src.strip('\n')})
def co(id,src,*tags,slide='-'):
    m={"slideshow":{"slide_type":slide}}
    if tags: m["tags"]=list(tags)
    cells.append({"cell_type":"code","execution_count":None,"id":id,"metadata":m,"outputs":[],"source":src.strip('\n')})

md("title","""
# 08 Dialogue: several looks into what was said before

*How much does Clara pay for a night?* Nobody has said so. But somebody said that Clara is in Oslo, which hotel Oslo has, and
what that hotel costs. One look into what was said is not enough: each look has to depend on what the one before it has
found. Afterwards you can

- build an end-to-end **memory network**: a memory of sentences, a question, several looks,
- give sentences what a sum of words lacks: the **order** of the words, and **when** they were said,
- measure how many looks a question needs, and whether they land on the sentences that the answer follows from,
- compare your network with the published one on bAbI and on dialog bAbI, task by task,
- talk to a small bot, see what it looks at, and see where it fails.

It needs notebooks [01](01_concepts.ipynb) and [02](02_attention_math.ipynb). It runs in about two minutes on two cores; two
small models are trained live.
Every term is explained where it first occurs; the [glossary](GLOSSARY.md) says where that is.
""")
co("setup","""
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from course_utils.attention import masked_softmax
from course_utils.claims import claim
from course_utils.datasets import real_data
from course_utils.datasets.generated.dialogues import CITIES, HOTELS, KINDS, PRICES, dialogues
from course_utils.exercises import check, solution  # noqa: F401
from course_utils.models.memory_network import position_weights
from course_utils.plotting import attention_matrix, bars, new_figure, show
from course_utils.recipes import RECIPES, train_model
from course_utils.studies import load_study
from course_utils.tasks.dialogue.answerer import Answerer, Conversation
from course_utils.tasks.dialogue.data import Turn
from course_utils.tasks.dialogue.facts import facts_found

torch.manual_seed(0);
""","setup")
md("where-the-answer-stands","""
## 1. Where does the answer stand?

A small grammar writes dialogues about people, hotels and prices. The user states facts, changes some of them, and asks. For
each answer we know the **facts**: the earlier turns that it follows from.

**Predict:** what is the right answer to the last line, and which turns do you need?
""")
co("a-dialogue","""
asked = [turn for talk in dialogues("test", style="chains") for turn in talk if turn.kind in KINDS]
turn = next(t for t in asked if len(t.facts) == 3 and 12 <= len(t.history) <= 18)
for place, text in enumerate(turn.history):
    if text != "<bot> noted":
        print(f"{place:3}  {text}")
print(f"  ?  {turn.said}")
""")
co("its-facts","""
for place in turn.facts:
    print(turn.history[place])
print("answer:", turn.answer)
""")
md("three-turns","""
Three turns, each of which says where to look next. Before we build anything: what does a bot get that does not look at all? It
could pick any value of the right kind that was mentioned, say any of the prices. By the number of facts, this is right in so many cases:
""")
co("guessing","""
def mentioned(turn):
    \"\"\"The cities, hotels or prices that were said before, whichever the answer is.\"\"\"
    kind = next(v for v in (CITIES, HOTELS, PRICES) if set(v) & set(turn.answer.split()))
    return set(kind) & set(" ".join(turn.history).split())


told = [t for t in asked if t.facts]
chance = {count: np.mean([1 / len(mentioned(t)) for t in told if len(t.facts) == count])
          for count in (1, 2, 3)}
for count, share in chance.items():
    print(f"facts {count}: {share:.2f}")
""")
md("a-sentence-as-a-vector","""
## 2. A sentence as one vector

A **memory network** ([Sukhbaatar et al. 2015](REFERENCES.md#sukhbaatar2015)) keeps one vector for each sentence that was said. Its slots are
whole sentences, not words. With $x_{ij}$ the $j$-th word of sentence $i$ and an embedding matrix $A$, the simplest vector is
the sum

$$m_i = \\sum_j A x_{ij}$$

**Predict:** what does this sum make of *we travel from rome to oslo* and *we travel from oslo to rome*?
""")
co("a-sum-of-words","""
words = "we travel from rome to oslo".split()
turned = "we travel from oslo to rome".split()
number = {word: i for i, word in enumerate(words, start=1)}
embedding = nn.Embedding(8, 6)
ids, turned_ids = (torch.tensor([[number[w] for w in text]]) for text in (words, turned))
difference = (embedding(ids).sum(1) - embedding(turned_ids).sum(1)).abs().max()
claim("difference between the two sums", difference, at_most=1e-6);
""")
md("the-order-of-words","""
### The order of the words

They are the same vector, and no attention can tell them apart any more. **Position encoding** lets word $j$ of $J$ count more in some dimensions
$k$ of $d$ than in others (section 4.1 of the paper):

$$m_i = \\sum_j l_j \\odot A x_{ij} \\qquad l_{kj} = \\Bigl(1 - \\frac{j}{J}\\Bigr) - \\frac{k}{d}\\Bigl(1 - \\frac{2j}{J}\\Bigr)$$

Nothing in it is learnt. $\\odot$ multiplies element by element.
""")
co("position-weights","""
def position_weights(lengths, words, width):  # noqa: F811
    J = lengths[:, None, None]
    j = torch.arange(1, words + 1)[None, :, None] / J
    k = torch.arange(1, width + 1)[None, None, :] / width
    return ((1 - j) - k * (1 - 2 * j)) * (j <= 1)  # zero after the last word
""","builds:course_utils.models.memory_network.position_weights")
co("positions-drawn","""
weights = position_weights(torch.tensor([6]), 6, 24)[0]
fig, ax = new_figure(6.4, 2.6)
for j in (0, 2, 5):
    ax.plot(range(1, 25), weights[j], label=f"word {j + 1} of 6: {words[j]}")
ax.set(xlabel="dimension k of 24", ylabel="weight")
ax.legend()
show(fig, alt="Three straight lines. The first word weighs most in the first dimensions, the last "
              "word most in the last dimensions, the word in the middle about the same everywhere.")
""","hide-input")
co("order-matters-now","""
l = position_weights(torch.tensor([6]), 6, 6)
difference = ((l * embedding(ids)).sum(1) - (l * embedding(turned_ids)).sum(1)).abs().max()
claim("difference with position encoding", difference, at_least=0.05);
""")
md("and-when","""
### And when it was said

*We are four people. Actually make it six.* Attention does not know which came first, either: it averages a set. So every memory
gets a learnt vector $T_A(a)$ for its **age** $a$, counted from the latest turn backwards: **temporal encoding**.

$$m_i = \\sum_j l_j \\odot A x_{ij} + T_A(a_i)$$

[Exercise 08.1](#Exercise-08.1:-How-long-ago-was-it-said?) computes the ages of a batch.
""")
md("one-hop-then-several","""
## 3. One hop, then several

The question becomes a vector $u$ in the same way, with a matrix $B$. A **hop** is one look into the memory: attention with $u$ as the query, the $m_i$ as keys, and
a second set of vectors, $c_i$, made with another matrix $C$, as values:

$$p_i = \\operatorname{softmax}_i(u \\cdot m_i) \\qquad o = \\sum_i p_i\\, c_i \\qquad u \\leftarrow u + o$$

The new $u$ contains the question *and* what was found, so the next hop can look for something else. After the last hop, each candidate answer $y$ gets the logit $u
\\cdot W y$. Every hop has matrices of its own, but the $C$ of one hop is the $A$ of the next (**adjacent tying**), $B$ is the first $A$, and $W$ the last $C$: $K$ hops need
$K + 1$ matrices.
""")
co("memory-network","""
class MemoryNetwork(nn.Module):
    def __init__(self, size, candidates, *, embed_dim, hops, memories):
        super().__init__()
        self.words = nn.ModuleList(
            nn.Embedding(size, embed_dim, padding_idx=0) for _ in range(hops + 1))
        self.times = nn.ModuleList(nn.Embedding(memories + 1, embed_dim) for _ in range(hops + 1))
        self.candidates = candidates  # (C, J) ids

    def sentences(self, matrix, ids):  # (…, J) → (…, D)
        flat = ids.flatten(0, -2)
        l = position_weights((flat != 0).sum(1).clamp_min(1), ids.shape[-1], matrix.embedding_dim)
        return (l * matrix(flat)).sum(1).view(*ids.shape[:-1], -1)

    def attend(self, stories, questions):  # (B, M, J) and (B, J), id 0 is padding
        mask = (stories != 0).any(-1)  # (B, M)
        age = (mask.sum(1, keepdim=True) - 1 - torch.arange(mask.shape[1])).clamp_min(0)
        told = [self.sentences(w, stories) + t(age)
                for w, t in zip(self.words, self.times, strict=True)]
        u, found = self.sentences(self.words[0], questions), []
        for m, c in zip(told, told[1:], strict=False):  # the c of a hop is the m of the next
            p = masked_softmax((m @ u[:, :, None]).squeeze(-1), mask)
            u = u + (p[:, :, None] * c).sum(1)
            found.append(p)
        answers = self.words[-1](self.candidates).sum(1)
        return u @ answers.T, torch.stack(found, 1)  # logits (B, C), weights (B, K, M)
""","builds:course_utils.models.memory_network.MemoryNetwork")
co("untrained","""
network = MemoryNetwork(20, torch.tensor([[4, 0], [5, 6]]), embed_dim=12, hops=3, memories=5)
stories = torch.randint(1, 20, (1, 4, 7))
logits, weights = network.attend(stories, torch.randint(1, 20, (1, 6)))
print("logits", tuple(logits.shape), "weights", tuple(weights.shape))
claim("distance of each hop's weights from 1", (weights.sum(-1) - 1).abs().max(), at_most=1e-5);
""")
md("what-the-package-adds","""
The package's version looks up every sentence of a batch once, however often it was said, which makes it several times faster. It has three more options, all from the paper, of which section 6 measures the first:

- **linear start**: for the first training steps the softmax is left out, $p_i = u \\cdot m_i$;
- **noise**: in training, ages are shifted at random, so that nothing depends on an exact age. (The paper inserts empty memories.)
- a **rectifier** between the hops: $\\max(0, \\cdot)$ in half of the dimensions of $u$. (The paper has it in its language models.)
""")
md("train-it","""
## 4. How many looks does a question need?

Now train it: 4,000 generated dialogues, three hops. Then the same network with a single hop.
**Predict:** where will one hop be as good as three, and where not?
""")
co("train-three","""
recipe = RECIPES["dialogue-small"]
data = recipe.data()
model, history, _ = train_model(recipe, data)
three = Answerer(model, data.vocabulary)
for row in history.rows:
    print(f"step {row['step']:4}   loss {row['loss']:.3f}   accuracy {row['valid_accuracy']:.3f}")
""")
co("train-one","""
model, _, _ = train_model(replace(recipe, model=recipe.model | {"hops": 1}), data)
one = Answerer(model, data.vocabulary)
inputs = [Turn(t.history, t.said) for t in asked]
by_hops = {1: one.answer(inputs), 3: three.answer(inputs)}
right = {hops: np.array([r.text == t.answer for r, t in zip(found, asked, strict=True)])
         for hops, found in by_hops.items()}
""")
co("by-facts","""
facts = np.array([len(t.facts) for t in asked])
print("facts   questions   one hop   three hops")
for count in (1, 2, 3, 0):
    group = facts == count
    print(f"{count or 'none':>5}{group.sum():12}{right[1][group].mean():10.3f}"
          f"{right[3][group].mean():13.3f}")
rates = {hops: [r[facts == n].mean() for n in (0, 1, 2, 3)] for hops, r in right.items()}
claim("two facts, three hops: lead over guessing", rates[3][2] - chance[2], at_least=0.1)
claim("two facts, one hop: lead over guessing", rates[1][2] - chance[2], at_most=0.1)
claim("three facts, three hops: lead over guessing", rates[3][3] - chance[3], at_most=0.1)
claim("one fact, one hop", rates[1][1], at_least=0.85);
""")
md("by-facts-answer","""
@BYFACTS@
""")
md("longer","""
### And with more of everything?

Four times the dialogues, a wider network, 4,000 steps, two seeds. **Predict:** how many hops do three facts need?
""")
co("hops-table","""
longer = load_study("chains")["runs"]
by_name = {name: [run for run in longer if run["variant"] == name]
           for name in ("1 hop", "2 hops", "3 hops", "4 hops")}
print("share of right answers, a number for each seed")
for count in (1, 2, 3):
    for name, rows in by_name.items():
        scores = "  ".join(f"{run[f'facts_{count}']:.2f}" for run in rows)
        print(f"facts {count}, {name:7} {scores}" + ("" if name != "4 hops" else "\\n"))
""")
co("hops-figure","""
fig, axes = new_figure(10.5, 3.2, columns=3)
for count, ax in zip((1, 2, 3), axes, strict=True):
    for hops, rows in enumerate(by_name.values(), start=1):
        ax.plot([hops] * len(rows), [run[f"facts_{count}"] for run in rows], "o", alpha=0.6,
                color="#0072B2", markersize=9)
    ax.axhline(chance[count], color="#1A1A1A", linestyle="--", linewidth=1.2)
    ax.text(4.4, chance[count] + 0.02, "guessing", ha="right")
    ax.set(title=f"{count} fact{'s' * (count > 1)}", xlabel="hops", ylim=(0, 1.05),
           xticks=(1, 2, 3, 4), xlim=(0.5, 4.5))
axes[0].set_ylabel("right answers, a dot for each seed")
show(fig, alt="@HOPALT@")
""","hide-input")
co("hops-claims","""
def lead(name, count):
    return [run[f"facts_{count}"] - chance[count] for run in by_name[name]]


@HOPCLAIMS@
""")
md("hops-answer","""
@HOPS@
""")
md("where-it-looked","""
## 5. Where did it look?

A question with two facts: where is the person, and which hotel is there? The rows are the turns, the columns the three hops; gold frames mark the facts.
**Predict:** which hop will look at which of the two?
""")
co("heat-map","""
def draw(i):
    turn, reply = asked[i], by_hops[3][i]
    gold = [(hop, place) for hop in range(3) for place in turn.facts]
    names = [text.replace("<", "").replace(">", ":") for text in turn.history]
    return attention_matrix(reply.weights.T, ["1", "2", "3"], names, gold=gold,
                            title=f"{turn.said[7:]}? {reply.text} (right: {turn.answer})").figure


two = next(i for i, t in enumerate(asked) if t.kind == "hotel of" and len(t.facts) == 2
           and right[3][i] and len(mentioned(t)) >= 3 and len(t.history) <= 20)
show(draw(two), alt="@HEATALT@")
""","hide-input")
co("facts-by-hop","""
print("facts   share of questions whose heaviest turn is a fact       chance")
scores = {}
for count in (1, 2, 3):
    group = np.flatnonzero(facts == count)
    scores[count] = facts_found([by_hops[3][i].weights for i in group],
                                [asked[i].facts for i in group])
    hops = "   ".join(f"hop {k + 1} {x:.2f}" for k, x in enumerate(scores[count].by_hop))
    print(f"{count:5}   {hops}{scores[count].chance:20.2f}")
for count in (1, 2):
    claim("{count} facts: the worst hop, against chance",
          scores[count].by_hop.min() / scores[count].chance, at_least=2, count=count)
""")
md("which-fact-when","""
For one and two facts, far above chance in every hop. Does it also take the first step before the second? For the right answers to *in which hotel is …?*:
""")
co("fact-by-hop","""
group = [i for i, t in enumerate(asked) if t.kind == "hotel of" and len(t.facts) == 2 and right[3][i]]
visits = np.array([[[by_hops[3][i].weights[hop].argmax() == asked[i].facts[fact]
                     for fact in range(2)] for hop in range(3)] for i in group]).mean(axis=0)
ax = attention_matrix(visits, ["1st: person", "2nd: hotel"], ["hop 1", "hop 2", "hop 3"],
                      title="heaviest turn, share of right answers")
show(ax.figure, alt="@VISITALT@")
claim("the last hop is at the hotel", visits[2, 1], at_least=0.6)
claim("an earlier hop is at the person, more often than the last", visits[:2, 0].max() - visits[2, 0],
      at_least=0.2);
""","hide-input")
md("which-fact-answer","""
@VISITS@
""")
md("three-facts","""
And the question of section 1, which needs three? It was answered, too.
""")
co("heat-map-three","""
three_facts = asked.index(turn)
print("answered rightly:", bool(right[3][three_facts]), "  prices mentioned:", mentioned(turn))
show(draw(three_facts), alt="@HEATALT3@")
""","hide-input")
md("three-facts-answer","""
@THREE@
""")
md("intervene","""
### Does it need what it looks at?

A weight is not yet a reason. So intervene: take the fact away that the answer stands in, and ask again. As a control, take away another
user's turn instead.
""")
co("erase","""
def without(turn, place):
    \"\"\"The turn with one earlier turn, and the bot's reply to it, erased.\"\"\"
    return Turn(turn.history[:place] + turn.history[place + 2:], turn.said)


generator = np.random.default_rng(0)
chosen = [i for i in np.flatnonzero(facts >= 1) if right[3][i]]
fact = [without(asked[i], asked[i].facts[-1]) for i in chosen]
other = [without(asked[i], int(generator.choice(
    [p for p in range(0, len(asked[i].history), 2) if p not in asked[i].facts]
    or [asked[i].facts[-1]]))) for i in chosen]
still = [np.mean([r.text == asked[i].answer for r, i in zip(three.answer(turns), chosen, strict=True)])
         for turns in (fact, other)]
claim("still right without the fact", still[0], at_most=@ERASE@)
claim("still right without another turn", still[1], at_least=@KEEP@);
""")
md("erase-answer","""
@ERASED@
""")
md("babi","""
## 6. Real data: bAbI

bAbI ([Weston et al. 2016](REFERENCES.md#weston2016)) is the test that memory networks were made for: 20 tasks, 10,000 questions each, written by a simulation, with the facts marked. One
of its stories (task 2; CC BY 3.0):
""")
co("babi-story","""
if real_data("babi", cell="a story of task 2"):
    from course_utils.datasets.public.babi import babi

    question = babi(2, "test")[0]
    for place, text in enumerate(question.story):
        print("*" if place in question.facts else " ", text)
    print("  ", question.question + "?", question.answer)
    claim("facts of this question", len(question.facts), at_least=2, at_most=2)
""","real-data")
md("babi-setting","""
We train each task on its own, once with a short linear start and once with a long one, and keep what is best on validation. Beside it stands the paper's column *PE LS RN*: position encoding, linear start and noise, each
task on its own, the best of ten trainings. Ours has these options, is wider, and has the rectifier. A task whose training file is missing is left out.

**Predict:** is any task out of reach for three looks?
""")
co("babi-best","""
published = load_study("memory_networks_published")["babi"]["errors"]


def on_validation(run):
    best = max(run["curve"], key=lambda row: (row["valid_accuracy"], -row["valid_loss"]))
    return best["valid_accuracy"], -best["valid_loss"]


runs = load_study("babi")["runs"]
best = {task: max((run for run in runs if run["task"] == task), key=on_validation)
        for task in sorted({run["task"] for run in runs})}
print("missing:", [task for task in range(1, 21) if task not in best] or "none")
""")
co("babi-table","""
from course_utils.datasets.public.babi import TASKS  # noqa: E402

print(f"{'test error in %':30}ours   paper   both trainings")
for task, run in best.items():
    both = sorted(r["test_error"] for r in runs if r["task"] == task)
    print(f"{task:3} {TASKS[task]:26}{run['test_error']:6.1f}{published[str(task)]:8.1f}   "
          + "  ".join(f"{e:.1f}" for e in both))
""")
co("babi-mean","""
ours = np.mean([run["test_error"] for run in best.values()])
theirs = np.mean([published[str(task)] for task in best])
print(f"mean error on the same {len(best)} tasks: paper {theirs:.2f} %")
claim("ours", ours, at_most=@BABIMEAN@)
claim("tasks with an error above 5 %", sum(run["test_error"] > 5 for run in best.values()),
      at_most=@BABIFAIL@);
""")
md("babi-answer","""
@BABI@
""")
md("linear-start","""
### Why leave the softmax out at first?

Task 16: *Lily is a swan. Lily is yellow. Greg is a swan. What colour is Greg?* A softmax that has not learnt anything yet gives every sentence nearly the same
weight, and then gradients say little about where to look. Three seeds each, all else equal:
""")
co("linear-start-runs","""
starts = load_study("linear_start")["runs"]
errors = {}
for variant in ("linear start", "softmax from the start"):
    errors[variant] = [run["test_error"] for run in starts if run["variant"] == variant]
    print(f"{variant:24}", *(f"{e:6.1f} %" for e in errors[variant]))
claim("best error with a linear start", min(errors["linear start"]), at_most=@LS1@)
claim("best error without it", min(errors["softmax from the start"]), at_least=@LS2@)
by_start = {run["variant"]: run["test_error"] for run in runs}
worse = [t for t in best if by_start[f"task {t}, long linear start"] > by_start[f"task {t}"] + 2]
claim("tasks that suffer from a long linear start by over two points", len(worse), at_least=4);
""")
md("linear-start-answer","""
@LSTEXT@
""")
md("babi-facts","""
### Does it look at the facts there, too?

bAbI marks the facts of each answer. Chance is the share of the sentences that are facts.
""")
co("babi-facts-figure","""
fig, ax = new_figure(9.5, 3.4)
tasks = list(best)
for hop in range(3):
    ax.bar([i + 0.25 * (hop - 1) for i in range(len(tasks))],
           [best[t]["facts_by_hop"][hop] for t in tasks], width=0.25, label=f"hop {hop + 1}")
ax.plot(range(len(tasks)), [best[t]["facts_chance"] for t in tasks], "k_", markersize=16,
        label="chance")
ax.set(xticks=range(len(tasks)), xticklabels=tasks, xlabel="task", ylabel="heaviest is a fact",
       ylim=(0, 1.05))
ax.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
show(fig, alt="@BABIFACTALT@")
""","hide-input")
co("babi-facts-claims","""
@BABIFACTS@
""")
md("babi-facts-answer","""
@BABIFACTTEXT@
""")
md("dialog-babi","""
## 7. Dialog bAbI: a reply instead of a word

[Bordes et al. 2017](REFERENCES.md#bordes2017) turned the test into dialogues with a booking system. The bot has to choose each of its replies among 4,212. A second test set has cities, dishes and
restaurants that never occur in training (*unknown names*).

A network that has never met *resto_bombay_cheap_french* cannot have learnt its vector. It can only **copy**: look at the right line of the memory, and prefer the candidate with the same
words. Nothing in ordinary training asks for that, since it can learn the training names by heart. So in every training step we **exchange the rare words at random**, everywhere alike: a name then means nothing by itself.
""")
co("dialog-table","""
paper = load_study("memory_networks_published")["dialog_babi"]
booked = {run["task"]: run for run in load_study("dialog_babi")["runs"]}
print(f"{'right replies in %':12}    known names          unknown names      whole dialogues")
print(f"{'':16}ours    paper        ours    paper      known  unknown")
for task, run in booked.items():
    print(f"task {task:<9}{run['test_replies']:8.1f}{paper['test'][str(task)]:8.1f}"
          f"{run['oov_replies']:12.1f}{paper['oov'][str(task)]:8.1f}"
          f"{run['test_dialogues']:12.1f}{run['oov_dialogues']:8.1f}")
""")
co("dialog-claims","""
ahead = {split: {task: run[f"{split}_replies"] - paper[split][str(task)]
                 for task, run in booked.items()} for split in ("test", "oov")}
claim("unknown names: smallest lead over the published network, points",
      min(ahead["oov"].values()), at_least=2)
claim("known names, tasks 1 to 4: smallest lead, points",
      min(ahead["test"][task] for task in (1, 2, 3, 4)), at_least=-0.1)
claim("known names, task 5: lead, points", ahead["test"][5], at_most=0);
""")
md("dialog-answer","""
@DIALOG@
""")
md("talk-to-it","""
## 8. Talk to it

The chat that comes with the course was trained longer, with more dialogues. Change the lines and run the cell again; in a terminal, `python -m course_utils chat` does the same.
""")
co("chat","""
bot = Conversation(Answerer.load("dialogue-chat"))
for line in ("Hello!", "Anna is in Vienna.", "In Vienna there is a hotel, the Palace.",
             "A night at the Palace costs 80 euros.", "We need a table for four.",
             "Actually, make it six people.", "How many are we?", "What does Anna pay?"):
    reply = bot.say(line)
    print(f"{line:42}{reply.text}")
    for hop, w in enumerate(reply.weights if line.endswith("?") else (), start=1):
        print(f"{'':10}hop {hop} looks at: {reply.history[w.argmax()]} ({w.max():.2f})")
claim("the last answer is eighty euros", reply.text == "eighty euros", at_least=1);
""")
md("strangers","""
### Turns that nobody generated

Its test dialogues come from the same grammar as its training. People do not talk by that grammar. The next table has turns that people *wrote*, each with what a right answer has to contain.
**Predict:** how many of twenty are answered rightly, compared with the test score?
""")
co("strangers-table","""
def judged(dialogue):
    bot = Conversation(answerer)
    replies = [(turn, bot.say(turn["said"])) for turn in dialogue]
    return [(turn, r, set(turn["right"].split()) <= set(r.text.split())) for turn, r in replies]


answerer, shares = Answerer.load("dialogue-chat"), []
for people in load_study("chat_turns")["sets"]:
    found = [row for dialogue in people["dialogues"] for row in judged(dialogue)]
    shares.append(np.mean([ok for *_, ok in found]))
    print(f"{sum(ok for *_, ok in found)} of {len(found)} by {people['author']}; wrong:")
    for turn, reply, ok in found:
        if not ok:
            print(f"   {turn['said']:58}{reply.text}")
claim("share of right answers in the worst set", min(shares), at_most=1.0);
""")
md("strangers-answer","""
@STRANGERS@
""")
md("misleads","""
## 9. Where it misleads

**It answers everything.** Asked for something that it cannot know, a network with a softmax still reads *something*, and picks a candidate. Our dialogues contain questions about things that were never
said, so it could learn *you have not told me*. **Predict:** how often does it say so when it should, and how often when it should not?
""")
co("untold","""
everything = [turn for talk in dialogues("test") for turn in talk if turn.kind in KINDS]
replies = answerer.answer([Turn(t.history, t.said) for t in everything])
needs = np.array([len(t.facts) for t in everything])
says = np.array([r.text == "you have not told me" for r in replies])
print(f"nothing was said: {says[needs == 0].mean():.2f} admit it")
print(f"something was said: {says[needs > 0].mean():.3f} say that it was not")
claim("admits it when nothing was said", says[needs == 0].mean(), at_least=@ADMIT@)
claim("says so wrongly", says[needs > 0].mean(), at_most=@WRONGLY@);
""")
md("untold-answer","""
@UNTOLD@
""")
md("shortcut","""
**It may be right without having followed the chain.** Where only one price was said, the answer to *what does Anna pay?* is right whoever Anna is. Take the small network with three hops, which did no
better than guessing at three facts, and sort these questions by the number of prices that were mentioned:
""")
co("shortcut-measure","""
prices = np.array([len(mentioned(t)) if t.kind == "price of" and t.facts else 0 for t in asked])
for count in (1, 2, 3):
    group = prices == count
    print(f"{count} mentioned: {group.sum():4} questions, right {right[3][group].mean():.2f}, "
          f"guessing {1 / count:.2f}")
claim("right where one price was mentioned", right[3][prices == 1].mean(), at_least=@ONEPRICE@)
claim("right where three were mentioned", right[3][prices == 3].mean(), at_most=@THREEPRICES@);
""")
md("shortcut-answer","""
@SHORTCUTTEXT@
""")
md("summary","""
## Summary

@SUMMARY@
""")
md("exercises","""
## Exercises

Each is checked as you go; `solution("08.1")` shows one way. All of them can be solved with this notebook alone.
""","skip")
md("references","""
## References

- [Bordes et al. 2017](REFERENCES.md#bordes2017): dialogues with a booking system
- [Sukhbaatar et al. 2015](REFERENCES.md#sukhbaatar2015): end-to-end memory networks
- [Weston et al. 2016](REFERENCES.md#weston2016): the tasks of bAbI
""","skip")
V=json.load(open('/tmp/d8/values.json'))
for c in cells:
    for k,v in V.items(): c["source"]=c["source"].replace(f"@{k}@",v)
    left=re.findall(r'@[A-Z0-9]+@',c["source"])
    if left: print("left",c["id"],left)
    src=c["source"]; c["source"]=[l+"\n" for l in src.split("\n")[:-1]]+[src.split("\n")[-1]]
nb={"cells":cells,"metadata":{"kernelspec":{"display_name":"Python 3 (ipykernel)","language":"python","name":"python3"},"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}
json.dump(nb,open(P,'w'),indent=1,ensure_ascii=False); open(P,'a').write("\n")
