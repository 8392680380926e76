"""Studies of captioning: on scenes, whose true captions and masks are known, and on photos."""

from collections.abc import Callable, Iterable
from functools import partial

from course_utils.datasets.generated.scenes import COLOURS, SIZES, TEXTURES, Scene, scenes
from course_utils.metrics import bleu, exact_match, score_by_bucket
from course_utils.tasks.captioning import recipes
from course_utils.tasks.captioning.captioner import Captioner
from course_utils.tasks.captioning.data import flickr8k_pairs
from course_utils.tasks.captioning.pointing import pointing, word_masks
from course_utils.tasks.study import Study, Variant

__all__ = ["STUDIES", "measure_photos", "measure_scenes", "pointing_by_kind"]


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


def measure_photos(captioner: Captioner) -> dict:
    """BLEU on the validation photos, greedy and with a beam of 3. No study uses the test set."""
    pairs = flickr8k_pairs("valid", progress=False)
    features, truth = [x for x, _ in pairs], [texts for _, texts in pairs]
    return {
        f"valid_bleu_{name}": round(bleu(captioner.predict(features, beam), truth, True).score, 2)
        for name, beam in (("greedy", 1), ("beam3", 3))
    }


BUDGET = 1000
PHOTO_BUDGET = 1000
POOLED = {"decoder": "fixed_vector", "positions": False}
COORDINATES = {"decoder": "fixed_vector"}

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
        "Attention against a pooled vector on real photos",
        (
            Variant("pooled with coordinates", COORDINATES, PHOTO_BUDGET),
            Variant("attention", {}, PHOTO_BUDGET),
        ),
        seeds=(0,),
    ),
)
