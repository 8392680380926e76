"""Studies of captioning: on scenes, whose true captions and masks are known, and on photos."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import torch

from course_utils.datasets.generated.scenes import COLOURS, SIZES, TEXTURES, Scene, scenes
from course_utils.memory import Memory
from course_utils.metrics import bleu, cider, exact_match, score_by_bucket
from course_utils.tasks.base import Pair
from course_utils.tasks.captioning import recipes
from course_utils.tasks.captioning.captioner import Captioner
from course_utils.tasks.captioning.data import CaptionData, flickr8k_data, flickr8k_pairs
from course_utils.tasks.captioning.pointing import pointing, word_masks
from course_utils.tasks.study import Study, Variant
from course_utils.training import sequence_loss

__all__ = [
    "STUDIES",
    "losses_by_choice",
    "measure_photos",
    "measure_scenes",
    "pointing_by_kind",
]


def pointing_by_kind(captioner: Captioner, found: list[Scene]) -> dict[str, dict]:
    """Pointing of a captioner on one caption of each scene, for all words and for kinds of words.

    The decoder reads the given caption (teacher forcing).
    """
    chosen = [scene.some_captions(1)[0] for scene in found]
    weights = captioner.attention_of(
        [(scene.image, caption.text) for scene, caption in zip(found, chosen, strict=True)]
    )
    masks = [word_masks(scene, caption) for scene, caption in zip(found, chosen, strict=True)]
    kinds = {
        "size": set(SIZES),
        "texture": set(TEXTURES),
        "colour": set(COLOURS),
        "number": {"two", "three", "four"},
    }
    known = set().union(*kinds.values())

    def of(keep: Callable[[str], bool]) -> dict:
        kept = [
            [mask if mask is not None and keep(word) else None for word, mask in pairs]
            for pairs in (
                list(zip(caption.words, named, strict=True))
                for caption, named in zip(chosen, masks, strict=True)
            )
        ]
        score = pointing(weights, kept)
        return {k: round(v, 4) for k, v in vars(score).items()}

    measured = {"all": of(lambda word: True)}
    for kind, words in kinds.items():
        measured[kind] = of(lambda word, words=words: word in words)
    measured["shape"] = of(lambda word: word not in known)
    return measured


def measure_scenes(captioner: Captioner) -> dict:
    """Exact match of greedy captions of the test scenes, also by number of things; pointing."""
    found = scenes("test")
    images = [scene.image for scene in found]
    truth = [[caption.text for caption in scene.captions] for scene in found]
    outputs = captioner.predict(images)
    counts = [len(scene.things) for scene in found]

    def exact(indices: Iterable[int]) -> float:
        score = exact_match([outputs[i] for i in indices], [truth[i] for i in indices]).score
        return round(score, 4)

    measured = {
        "test_exact": exact(range(len(found))),
        "by_things": [
            {"things": int(mean), "exact": score, "scenes": count}
            for mean, score, count in score_by_bucket(counts, [(n, n) for n in range(1, 5)], exact)
        ],
    }
    if captioner.attends:
        measured["pointing"] = pointing_by_kind(captioner, found)
    return measured


def losses_by_choice(captioner: Captioner, pairs: list[Pair], seed: int = 0) -> dict[str, float]:
    """Loss (nats a token) on all captions of some photos, with three ways to choose places.

    chosen   as the model does
    even     every place has the same weight: all keys are zero
    elsewhere  each word's weights lie on other places: keys and values are put together at random

    With one place there is nothing to choose, and all three are the same.
    """
    model, total, tokens = captioner.model.eval(), {}, 0
    batches = CaptionData([], [], captioner.vocabulary).batches_of(
        [(photo, text) for photo, texts in pairs for text in texts]
    )
    shuffle = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for batch in batches:
            batch = batch.to(model.device)
            found: Memory = model.remember(batch)
            order = torch.randperm(found.keys.shape[1], generator=shuffle)
            for way, keys in (
                ("chosen", found.keys),
                ("even", torch.zeros_like(found.keys)),
                ("elsewhere", found.keys[:, order]),
            ):
                logits, _ = model.decoder(replace(found, keys=keys), batch.target_in)
                nats = sequence_loss(logits, batch.target_out).item() * batch.target_tokens
                total[way] = total.get(way, 0.0) + nats
            tokens += batch.target_tokens
    return {way: round(nats / tokens, 4) for way, nats in total.items()}


def measure_photos(
    captioner: Captioner, grid: int | None = None, beam: int = 3, alpha: float = 0.7
) -> dict:
    """BLEU and CIDEr on the validation photos by beam search, and `losses_by_choice` there.

    No study uses the test photos. ``grid`` is that of `flickr8k_pairs`.
    """
    pairs = flickr8k_pairs("valid", progress=False, grid=grid)
    truth = [texts for _, texts in pairs]
    texts = captioner.predict([x for x, _ in pairs], beam=beam, alpha=alpha)
    return {
        f"valid_bleu_beam{beam}": round(bleu(texts, truth, True).score, 2),
        f"valid_cider_beam{beam}": round(cider(texts, truth, True).score, 4),
        "valid_loss": losses_by_choice(captioner, pairs),
    }


BUDGET = 1000
PHOTO_BUDGET = 1200
# Half as wide as the shipped captioner.
SMALL = {"embedding_dim": 128, "memory_dim": 128, "hidden_dim": 256}
PATCHES = {"pictures": "patches", "encoder_layers": 2}
STEM = {"encoder_layers": 2}
BFLOAT16, LOWER = {"bfloat16": True}, {"learning_rate": 1e-3}
POOLED = {"decoder": "fixed_vector", "positions": False}
COORDINATES = {"decoder": "fixed_vector"}

OfPhotos = partial(
    Variant, steps=PHOTO_BUDGET, fit={"validate_every": PHOTO_BUDGET // 3}, data=flickr8k_data
)
OnScenes = partial(Study, recipe=recipes.SCENES, measure=measure_scenes)
OnPhotos = partial(Study, recipe=recipes.FLICKR8K, measure=measure_photos)

STUDIES = (
    OnScenes(
        "pooled",
        "One pooled vector for the whole picture against attention",
        (
            Variant("attention", {}, BUDGET),
            Variant("attention without coordinates", {"positions": False}, BUDGET),
            Variant("pooled with coordinates", COORDINATES, BUDGET),
            Variant("pooled vector", POOLED, BUDGET),
        ),
        seeds=(0, 1),
    ),
    OnScenes(
        "pooled-converged",
        "One pooled vector against attention, trained to convergence",
        (
            Variant("attention", {}, 4 * BUDGET),
            Variant("pooled vector", POOLED, 4 * BUDGET),
            Variant("pooled with coordinates", COORDINATES, 4 * BUDGET),
        ),
        seeds=(0,),
    ),
    OnScenes(
        "extras",
        "The doubly stochastic regulariser and the gate",
        (
            Variant("regulariser", {}, BUDGET, {"regulariser": 0.01}),
            Variant("gate", {"gate": True}, BUDGET),
        ),
        seeds=(0, 1),
    ),
    OnPhotos(
        "photos",
        "Attention against a pooled vector on real photos, with the same Transformer decoder",
        (
            OfPhotos("7 × 7", SMALL),
            OfPhotos("pooled", SMALL | {"pooled": True}),
            OfPhotos("7 × 7, sparsemax", SMALL | {"weights": "sparsemax"}),
            OfPhotos("7 × 7, one place", SMALL | {"weights": "top1"}),
            OfPhotos("7 × 7, one head", SMALL | {"heads": 1}),
            OfPhotos(
                "14 × 14",
                SMALL | {"pictures": "photos-fine"},
                data=partial(flickr8k_data, grid=14),
                measure=partial(measure_photos, grid=14),
            ),
        ),
        seeds=(0, 1),
    ),
    # The shipped captioner's rival: its recipe and its search, without a choice of places.
    Study(
        "photos-converged",
        "A pooled vector in the place of attention, by the recipe of the shipped captioner",
        (
            Variant(
                "pooled",
                {"pooled": True},
                recipes.FLICKR8K.settings.steps,
                fit=BFLOAT16 | {"validate_every": 1000},
            ),
        ),
        seeds=(0,),
        recipe=recipes.FLICKR8K,
        measure=partial(
            measure_photos, beam=recipes.FLICKR8K.search.beam, alpha=recipes.FLICKR8K.search.alpha
        ),
    ),
    OnScenes(
        "patches",
        "A Vision Transformer against convolutions on the scenes",
        (
            Variant("patches", PATCHES, BUDGET, BFLOAT16),
            Variant("convolutions, then attention", STEM, BUDGET, BFLOAT16),
            Variant("patches, lower rate", PATCHES, BUDGET, BFLOAT16 | LOWER),
            Variant("convolutions, then attention, lower rate", STEM, BUDGET, BFLOAT16 | LOWER),
            Variant("patches, longer", PATCHES, 3 * BUDGET, BFLOAT16 | LOWER),
        ),
        seeds=(0,),
    ),
)
