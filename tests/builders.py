"""Comparisons between what a notebook builds by hand and what the package offers.

For every tag ``builds:course_utils.x.y`` in a notebook, there is one function here. It receives the
notebook's and the package's version of y and asserts that they do the same: equal results on the
same input, for layers after copying the weights. All dimensions have different sizes.

    @compares("course_utils.attention.length_mask")
    def length_mask(built, packaged):
        lengths = torch.tensor([3, 0, 5])
        assert torch.equal(built(lengths), packaged(lengths))

The notebook's version may lack options of the package's version: compare what both offer.
"""

import torch

from course_utils.attention import length_mask, make_score
from course_utils.batches import Example, make_batch
from course_utils.memory import Memory
from course_utils.models.memory_network import StoryBatch
from course_utils.vocabulary import BOS, EOS
from tools.hand_built import compares
from tools.tiny import random_batch, tiny_translator


@compares("course_utils.attention.masked_softmax")
def masked_softmax(built, packaged):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 5, generator=generator)
    mask = torch.rand(2, 3, 5, generator=generator) < 0.6
    mask[..., 0] = True
    torch.testing.assert_close(built(scores, mask), packaged(scores, mask))
    mask[1, 2] = False  # a row without any key: zeros in both
    torch.testing.assert_close(built(scores, mask), packaged(scores, mask))


@compares("course_utils.attention.AdditiveScore")
def additive_score(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(7, 4, 6), packaged(7, 4, 6)
    ours.load_state_dict(theirs.state_dict())
    query, keys = torch.randn(2, 3, 7), torch.randn(2, 5, 4)
    prepared = ours.prepare(keys)
    torch.testing.assert_close(prepared, theirs.prepare(keys))
    torch.testing.assert_close(ours(query, prepared), theirs(query, theirs.prepare(keys)))


@compares("course_utils.attention.Attention")
def attention(built, packaged):
    torch.manual_seed(0)
    score = make_score("general", 7, 4)
    query, keys, values = torch.randn(2, 3, 7), torch.randn(2, 5, 4), torch.randn(2, 5, 6)
    per_query = torch.rand(2, 3, 5) < 0.6
    per_query[1, 2] = False
    for mask in (None, length_mask(torch.tensor([5, 0])), per_query):
        ours = built(score)(query, keys, values, attend_mask=mask)
        theirs = packaged(score)(query, keys, values, attend_mask=mask)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other)


@compares("course_utils.attention.MultiHeadAttention")
def multi_head_attention(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(12, 3, 4, 6), packaged(12, 3, 4, 6)
    ours.load_state_dict(theirs.state_dict())
    query, keys, values = torch.randn(2, 7, 12), torch.randn(2, 5, 4), torch.randn(2, 5, 6)
    per_query = torch.rand(2, 7, 5) < 0.6
    per_query[1, 2] = False
    for mask in (None, length_mask(torch.tensor([5, 0])), per_query):
        result = ours(query, keys, values, attend_mask=mask)
        expected = theirs(query, keys, values, attend_mask=mask)
        for one, other in zip(result, expected, strict=True):
            torch.testing.assert_close(one, other)


@compares("course_utils.models.decoders.BahdanauDecoder")
def bahdanau_decoder(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(13, 6, 10, 8), packaged(13, 6, 10, 8)
    ours.load_state_dict(theirs.state_dict())
    memory = tiny_translator().remember(random_batch([(5, 0), (3, 0)]))
    tokens = torch.tensor([[BOS, 4, 7, 12], [BOS, 9, 5, EOS]])
    for one, other in zip(ours(memory, tokens), theirs(memory, tokens), strict=True):
        torch.testing.assert_close(one, other)
    state, packaged_state = ours.start(memory), theirs.start(memory)
    for column in tokens.unbind(dim=1):
        logits, state, weights = ours.step(state, column)
        expected, packaged_state, other = theirs.step(packaged_state, column)
        torch.testing.assert_close(logits, expected)
        torch.testing.assert_close(weights, other)


@compares("course_utils.models.decoders.AttentionDecoder")
@compares("course_utils.models.decoders.FixedVectorDecoder")
def decoder_of_the_other_order(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(13, 6, 10, 10), packaged(13, 6, 10, 10)  # a dot product has one width
    ours.load_state_dict(theirs.state_dict())
    memory = tiny_translator().remember(random_batch([(5, 0), (3, 0)]))
    tokens = torch.tensor([[BOS, 4, 7, 12], [BOS, 9, 5, EOS]])
    logits, weights = theirs(memory, tokens)
    for one, other in zip(ours(memory, tokens), (logits, weights), strict=True):
        torch.testing.assert_close(one, other)
    state = ours.start(memory)
    for t, column in enumerate(tokens.unbind(dim=1)):
        step_logits, state, step_weights = ours.step(state, column)
        torch.testing.assert_close(step_logits, logits[:, t])
        torch.testing.assert_close(step_weights, weights[:, t])


@compares("course_utils.training.train_step")
def train_step(built, packaged):
    def trained(step):
        model = tiny_translator(seed=1, dropout=0.0, train=True, sharpness=4.0)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        batches = [random_batch([(5, 4), (3, 6)], seed) for seed in range(3)]
        losses = [step(model, batch, optimizer, clip=0.5) for batch in batches]
        return losses, torch.cat([p.flatten() for p in model.parameters()])

    (losses, weights), (expected, other) = trained(built), trained(packaged)
    assert losses == expected
    torch.testing.assert_close(weights, other)


@compares("course_utils.search.greedy_search")
def greedy_search(built, packaged):
    for seed in range(5):
        model = tiny_translator(seed=seed)
        memory = model.remember(random_batch([(5, 0), (3, 0), (7, 0)], seed))
        for limit in (1, 6, 30):
            expected = [h.tokens for h in packaged(model.decoder, memory, limit)]
            assert built(model.decoder, memory, limit) == expected


@compares("course_utils.search.beam_search")
def beam_search(built, packaged):
    found = 0
    for seed in range(8):
        model = tiny_translator(seed=seed)
        model.decoder.output_bias.data[EOS] = 2.0  # so that outputs end
        memory = model.remember(random_batch([(5, 0)], seed))
        for width, alpha in ((1, 0.0), (3, 1.0), (5, 0.6)):
            ours = built(model.decoder, memory, width, 20, alpha)
            (theirs,) = packaged(model.decoder, memory, width, 20, alpha, best=width)
            theirs = [h for h in theirs if h.finished]
            if ours:
                found += 1
                assert ours[0][1] == theirs[0].tokens
                assert abs(ours[0][0] - theirs[0].score) < 1e-4
    assert found > 8


@compares("course_utils.models.image_encoders.GridEncoder")
def grid_encoder(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(6, 5, 4), packaged(6, 5, 4)
    ours.load_state_dict(theirs.state_dict())
    for encoder in (ours, theirs):
        encoder.eval()
        encoder.features = lambda source: source
    source = torch.randn(3, 6, 5)
    batch = make_batch([Example(x, [7]) for x in source])
    one, other = ours(batch), theirs(batch)
    for name in ("keys", "values", "summary"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert torch.equal(one.attend_mask, other.attend_mask)


@compares("course_utils.tasks.captioning.pointing.cover")
def cover(built, packaged):
    mask = torch.rand(6, 8, generator=torch.Generator().manual_seed(0)).numpy() < 0.4
    for rows, columns in ((2, 4), (3, 2), (6, 8), (1, 1)):
        assert (built(mask, rows, columns) == packaged(mask, rows, columns)).all()


@compares("course_utils.training.doubly_stochastic")
def doubly_stochastic(built, packaged):
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 3, 5, generator=generator)
    targets = torch.tensor([[4, 5, 2], [6, 2, 0]])
    torch.testing.assert_close(built(weights, targets), packaged(weights, targets))


@compares("course_utils.attention.LocationScore")
def location_score(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(7, 4, 6, 3, 5), packaged(7, 4, 6, 3, 5)
    ours.load_state_dict(theirs.state_dict())
    query, keys, previous = torch.randn(2, 1, 7), torch.randn(2, 9, 4), torch.rand(2, 9)
    torch.testing.assert_close(
        ours(query, ours.prepare(keys), previous), theirs(query, theirs.prepare(keys), previous)
    )


@compares("course_utils.models.classifiers.AttentionTextClassifier")
def attention_text_classifier(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(19, 5, 7, 3), packaged(19, 5, 7, 3)
    ours.load_state_dict(theirs.state_dict())
    ids = torch.tensor([[4, 9, 12, 3, 18], [7, 2, 0, 0, 0], [0, 0, 0, 0, 0]])
    for one, other in zip(ours.attend(ids), theirs.attend(ids), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours(ids), theirs(ids))


@compares("course_utils.models.pointer.pointer_distribution")
def pointer_distribution(built, packaged):
    generator = torch.Generator().manual_seed(0)
    generated = torch.rand(2, 3, 7, generator=generator).softmax(dim=-1)
    weights = torch.rand(2, 3, 5, generator=generator).softmax(dim=-1)
    ids = torch.tensor([[4, 9, 9, 7, 0], [1, 2, 3, 4, 5]])
    p_gen = torch.tensor([0.0, 1.0, 0.3, 0.8, 0.5, 1.0]).view(2, 3, 1)
    for words in (ids, ids.clamp_max(6)):  # with and without an extension
        ours, theirs = (make(generated, weights, words, p_gen) for make in (built, packaged))
        torch.testing.assert_close(ours, theirs)


@compares("course_utils.models.pointer.coverage_loss")
def coverage_loss(built, packaged):
    weights = torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    targets = torch.tensor([[5, 6, EOS, 0], [7, 8, 9, EOS]])
    torch.testing.assert_close(built(weights, targets), packaged(weights, targets))


@compares("course_utils.models.memory_network.position_weights")
def position_weights(built, packaged):
    lengths = torch.tensor([3, 1, 5])
    torch.testing.assert_close(built(lengths, 5, 4), packaged(lengths, 5, 4))


@compares("course_utils.models.memory_network.MemoryNetwork")
def memory_network(built, packaged):
    """The built one has a matrix for each level; the packaged one holds them side by side."""
    torch.manual_seed(0)
    settings = {"embed_dim": 6, "hops": 3, "memories": 4}
    candidates = [[4, 0], [5, 6], [7, 0]]
    ours = built(11, torch.tensor(candidates), **settings)
    theirs = packaged(11, [[4], [5, 6], [7]], spread=0.7, **settings).eval()
    for tables, whole in ((ours.words, theirs.embedding), (ours.times, theirs.ages)):
        for table, part in zip(tables, whole.weight.split(6, dim=1), strict=True):
            table.weight.data.copy_(part.data)
    stories = torch.tensor([[[4, 5, 0], [6, 7, 8], [9, 0, 0]], [[5, 4, 6], [0, 0, 0], [0, 0, 0]]])
    questions = torch.tensor([[5, 9], [7, 0]])
    told = [[tuple(i for i in row if i) for row in story if any(row)] for story in stories.tolist()]
    batch = StoryBatch.of(told, [[5, 9], [7]], [0, 0])
    for one, other in zip(ours.attend(stories, questions), theirs.attend(batch), strict=True):
        torch.testing.assert_close(one, other)


@compares("course_utils.models.answerers.StackedAttention")
def stacked_attention(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(7, 3, 4), packaged(7, 3, 4)
    ours.load_state_dict(theirs.state_dict())
    states, mask = torch.randn(2, 5, 7), length_mask(torch.tensor([5, 3]))
    memory = Memory(states, torch.randn(2, 5, 7), mask, states.mean(dim=1))
    question, picture_of = torch.randn(6, 7), torch.tensor([1, 0, 0, 1, 1, 0])
    for one, other in zip(
        ours(question, memory, picture_of), theirs(question, memory, picture_of), strict=True
    ):
        torch.testing.assert_close(one, other)


@compares("course_utils.models.answerers.PlannedScore")
def planned_score(built, packaged):
    torch.manual_seed(0)
    ours, theirs = built(7, 4), packaged(7, 4)
    ours.load_state_dict(theirs.state_dict())
    query, keys = torch.randn(2, 3, 7), torch.randn(2, 5, 4)
    torch.testing.assert_close(ours(query, ours.prepare(keys)), theirs(query, theirs.prepare(keys)))


@compares("course_utils.models.positions.sinusoidal")
def sinusoidal(built, packaged):
    for length, width in ((1, 2), (7, 10), (40, 6)):
        torch.testing.assert_close(built(length, width), packaged(length, width))


@compares("course_utils.models.positions.rotate")
def rotate(built, packaged):
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    for first in (0, 9):
        torch.testing.assert_close(built(x, first), packaged(x, first))


@compares("course_utils.models.transformer.TransformerLayer")
def transformer_layer(built, packaged):
    torch.manual_seed(0)
    x, memory = torch.randn(2, 4, 12), torch.randn(2, 5, 10)
    masks = length_mask(torch.tensor([4, 2])), length_mask(torch.tensor([3, 5]))
    for norm in ("pre", "post"):
        for memory_dim in (None, 10):
            ours = built(12, 3, 7, memory_dim, norm=norm)
            theirs = packaged(12, 3, 7, memory_dim, norm=norm)
            ours.load_state_dict(theirs.state_dict())
            if memory_dim is None:
                result, read = ours(x, attend_mask=masks[0]), None
            else:
                result = ours(x, attend_mask=masks[0], memory=memory, memory_mask=masks[1])
                read = theirs.memory_attention.project(memory, memory)
            expected = theirs(x, attend_mask=masks[0], source=read, source_mask=masks[1])[0]
            torch.testing.assert_close(result, expected)


@compares("course_utils.efficient_attention.tiled_attention")
def tiled_attention(built, packaged):
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, n, d, generator=generator) for n, d in ((7, 4), (9, 4), (9, 3))]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    per_query = torch.rand(2, 7, 9, generator=generator) < 0.5
    per_query[1, 3] = False  # a row without any key
    for mask in (None, length_mask(torch.tensor([9, 0])), per_query, per_query[:1]):
        for tile in (1, 4, 64):
            found = []
            for attend in (built, packaged):
                context = attend(*inputs, attend_mask=mask, tile=tile)
                found.append([context, *torch.autograd.grad(context.square().sum(), inputs)])
            for one, other in zip(*found, strict=True):
                torch.testing.assert_close(one, other)


@compares("course_utils.sampling.narrowed")
def narrowed(built, packaged):
    logits = 3 * torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    for settings in (
        {},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.6},
        {"temperature": 2.0, "top_k": 5, "top_p": 0.7},
    ):
        torch.testing.assert_close(built(logits, **settings), packaged(logits, **settings))


@compares("course_utils.tasks.language_modelling.heads.prefix_matching")
def prefix_matching(built, packaged):
    from course_utils.models.builders import build_language_model
    from course_utils.tasks.language_modelling.heads import twice

    torch.manual_seed(0)
    model = build_language_model(11, embedding_dim=12, hidden_dim=10, layers=2, heads=3)
    tokens = twice(11, length=5, count=4)
    torch.testing.assert_close(built(model, tokens), packaged(model, tokens))
