"""Scenes: small generated pictures of things whose positions, attributes and relations are known.

A scene has 1 to 4 things on a noisy background. A thing has a shape (7), a colour (6), a size (2)
and a texture (3); no two things touch. Each scene has captions in several phrasings, with counts
and spatial relations, and **for each word the pixels that it refers to**, so a heat map over such a
picture can be scored. Attributes and relations of the things are known, too: questions about a
picture ask for them.

The same split, count and seed always give the same scenes; thousands take a few seconds.

    from course_utils.datasets.generated.scenes import scenes
    scene = scenes("valid", count=1)[0]
    scene.image          # (64, 64, 3) bytes
    scene.captions[0]    # words, and for each word the things that it names
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations

import numpy as np

__all__ = [
    "COLOURS",
    "RELATIONS",
    "SHAPES",
    "SIDE",
    "SIZES",
    "SPLITS",
    "TEXTURES",
    "Caption",
    "Scene",
    "Thing",
    "scenes",
]

SIDE = 64  # pixels
SPLITS = {"train": 20000, "valid": 400, "test": 1000}

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "ring", "star")
COLOURS = {
    "red": (214, 40, 40),
    "green": (44, 160, 60),
    "blue": (50, 90, 220),
    "yellow": (240, 210, 40),
    "purple": (140, 60, 180),
    "orange": (245, 130, 30),
}
SIZES = {"small": (6.0, 7.0), "large": (10.0, 11.5)}  # range of the radius in pixels
TEXTURES = ("plain", "striped", "dotted")
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
OPENINGS = ("", "there is", "we see", "a picture of")
NUMBERS = ("no", "a", "two", "three", "four")
GAP = 2.0  # pixels between two things, at least

_REACH = 13  # half the side of the square patch on which a thing is drawn
_FINE = 2  # samples per pixel in each direction
_DARK = 0.35  # brightness of stripes and dots


@dataclass(frozen=True)
class Thing:
    """One thing of a scene; ``x`` points to the right and ``y`` down, in pixels."""

    shape: str
    colour: str
    size: str
    texture: str
    x: float
    y: float
    radius: float

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """(size, texture, colour, shape): captions count things of the same kind together."""
        return self.size, self.texture, self.colour, self.shape


@dataclass(frozen=True)
class Caption:
    """A true sentence about a scene.

    words: the sentence.
    names: for each word the indices of the things that it names; empty for "a", "and", "left" …
    """

    words: tuple[str, ...]
    names: tuple[tuple[int, ...], ...]

    @property
    def text(self) -> str:
        """The words, joined by spaces."""
        return " ".join(self.words)


@dataclass(frozen=True)
class Scene:
    """A picture and all that is known about it.

    image: (64, 64, 3) uint8.
    owner: (64, 64) uint8, 0 for the background and i + 1 where thing i is.
    things: from left to right.
    seed: of the choice among its captions.
    """

    image: np.ndarray
    owner: np.ndarray
    things: tuple[Thing, ...]
    seed: tuple[int, ...] = field(default=(0,), repr=False)

    def mask(self, names: int | Iterable[int]) -> np.ndarray:
        """The pixels of one or several things, (64, 64) bool.

        Raises ValueError for an index that does not exist.
        """
        chosen = np.asarray([names] if np.isscalar(names) else list(names), dtype=int)
        if chosen.size and not (0 <= chosen.min() and chosen.max() < len(self.things)):
            raise ValueError(f"the scene has things 0 to {len(self.things) - 1}, got {names}")
        return np.isin(self.owner, chosen + 1)

    def relation(self, one: int | Iterable[int], other: int | Iterable[int]) -> list[str]:
        """The relations of ``one`` to ``other`` (things or groups of things): "left of" …

        "left of" holds if a vertical line separates the two, so that all of ``one`` is to the left
        of all of ``other``; the same goes for the other relations. Two things may have two
        relations, such as "left of" and "above", or none.
        """
        one, other = (
            [self.things[i] for i in ([x] if np.isscalar(x) else x)] for x in (one, other)
        )
        found = []
        for name, (right, down) in RELATIONS.items():
            near = max((right * -t.x + down * -t.y) + t.radius for t in one)
            far = min((right * -t.x + down * -t.y) - t.radius for t in other)
            if near < far:
                found.append(name)
        return found

    def find(self, **attributes: str) -> list[int]:
        """Indices of the things with these attributes: ``scene.find(colour="red", shape="star")``.

        Raises ValueError for an unknown attribute.
        """
        for name in attributes:
            if name not in ("shape", "colour", "size", "texture"):
                raise ValueError(f"a thing has shape, colour, size and texture, but no {name!r}")
        return [
            i
            for i, thing in enumerate(self.things)
            if all(getattr(thing, name) == value for name, value in attributes.items())
        ]

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """Things of the same kind in groups, from left to right (by the mean of their x)."""
        kinds: dict[tuple, list[int]] = {}
        for i, thing in enumerate(self.things):
            kinds.setdefault(thing.kind, []).append(i)
        return sorted(
            (tuple(group) for group in kinds.values()),
            key=lambda group: float(np.mean([self.things[i].x for i in group])),
        )

    @cached_property
    def _cores(self) -> tuple[list, list]:
        """What may follow the opening: (lists from left to right, sentences with a relation)."""
        groups = self.groups
        phrases = [self._phrase(group) for group in groups]
        related = []
        for one, other in permutations(range(len(groups)), 2):
            rest = [phrases[i] for i in range(len(groups)) if i not in (one, other)]
            for relation in self.relation(groups[one], groups[other]):
                core = phrases[one] + _plain(relation) + phrases[other]
                for phrase in rest:
                    core = core + _plain(", and" if phrase is rest[0] else "and") + phrase
                related.append((groups[one], core))
        listed = list(phrases[0])
        for phrase in phrases[1:-1]:
            listed += _plain(",") + phrase
        if len(phrases) > 1:
            listed += _plain("and") + phrases[-1]
        return [(groups[0], listed)], related

    @cached_property
    def captions(self) -> list[Caption]:
        """All true captions of the grammar; each names all things with all their attributes.

        "[opening] G1 , G2 and G3" lists the groups from left to right; "[opening] G1 above G2 ,
        and G3" relates two of them and then lists the rest from left to right.
        """
        listed, related = self._cores
        return [_open(opening, *core) for core in listed + related for opening in OPENINGS]

    def some_captions(self, count: int) -> list[Caption]:
        """Captions for training: lists and, if there are any, sentences with a relation, 1 : 1."""
        generator = np.random.default_rng(self.seed)
        listed, related = self._cores
        found = []
        for _ in range(count):
            cores = related if related and generator.random() < 0.5 else listed
            core = cores[generator.integers(len(cores))]
            found.append(_open(OPENINGS[generator.integers(len(OPENINGS))], *core))
        return found

    def _phrase(self, group: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
        """(word, things that it names) for a group: "two large striped red stars"."""
        size, texture, colour, shape = self.things[group[0]].kind
        several = len(group) > 1
        plural = ("es" if shape.endswith("s") else "s") if several else ""
        words = [size, *([texture] if texture != "plain" else []), colour, shape + plural]
        number = (NUMBERS[len(group)], group if several else ())
        return [number, *((word, group) for word in words)]


def scenes(split: str = "train", count: int | None = None, seed: int = 0) -> list[Scene]:
    """Scenes of a split: "train" (20,000), "valid" (400), "test" (1,000), or the first ``count``.

    The splits share no random numbers. Raises ValueError for an unknown split or a count below 1.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: choose one of {', '.join(SPLITS)}")
    count = SPLITS[split] if count is None else count
    if count < 1:
        raise ValueError(f"count = {count}: choose at least one scene")
    number = list(SPLITS).index(split)
    generators = [np.random.default_rng((seed, number, i)) for i in range(count)]
    layouts = [_layout(generator) for generator in generators]
    owners, shades = _draw(layouts)
    found = []
    for i, (generator, things) in enumerate(zip(generators, layouts, strict=True)):
        image = _paint(owners[i], shades[i], things, generator)
        found.append(Scene(image, owners[i], tuple(things), (seed, number, i, 1)))
    return found


# --- words ------------------------------------------------------------------------------------


def _plain(words: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(word, ()) for word in words.split()]


def _open(opening: str, first: tuple[int, ...], core: list) -> Caption:
    if opening == "there is" and len(first) > 1:
        opening = "there are"
    words, names = zip(*(_plain(opening) + core), strict=True)
    return Caption(words, names)


# --- pictures ---------------------------------------------------------------------------------


def _layout(generator: np.random.Generator) -> list[Thing]:
    """Things of one scene, from left to right, none of which touch."""
    while True:
        count = 1 + int(generator.choice(4, p=(0.25, 0.3, 0.25, 0.2)))
        kinds: list[tuple[str, str, str, str]] = []
        for _ in range(count):
            if kinds and generator.random() < 0.2:
                kinds.append(kinds[generator.integers(len(kinds))])  # one more of the same kind
            else:
                kinds.append(
                    tuple(
                        options[generator.integers(len(options))]
                        for options in (tuple(SIZES), TEXTURES, tuple(COLOURS), SHAPES)
                    )
                )
        things = _places(kinds, generator)
        if things is not None:
            return sorted(things, key=lambda thing: thing.x)


def _places(kinds, generator) -> list[Thing] | None:
    """A position for each kind; None if one does not fit, and the layout must be drawn again."""
    things: list[Thing] = []
    for size, texture, colour, shape in kinds:
        radius = generator.uniform(*SIZES[size])
        for _ in range(30):
            x, y = generator.uniform(radius + 1, SIDE - radius - 1, 2)
            if all(np.hypot(x - t.x, y - t.y) > radius + t.radius + GAP for t in things):
                things.append(Thing(shape, colour, size, texture, float(x), float(y), radius))
                break
        else:
            return None
    return things


def _inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Which points are inside a shape of radius 1; ``u`` points to the right, ``v`` down."""
    r = np.hypot(u, v)
    if shape == "circle":
        return r < 0.95
    if shape == "ring":
        return (r < 1) & (r > 0.52)
    if shape == "square":
        return np.maximum(abs(u), abs(v)) < 0.8
    if shape == "diamond":
        return abs(u) / 0.8 + abs(v) < 1
    if shape == "triangle":
        return (v < 0.7) & (v > 1.9 * abs(u) - 1)
    if shape == "cross":
        return (np.minimum(abs(u), abs(v)) < 0.3) & (np.maximum(abs(u), abs(v)) < 0.92)
    # A five-pointed star: the radius of its edge falls and rises five times.
    angle = np.mod(np.arctan2(u, -v), 2 * np.pi / 5)
    angle = np.minimum(angle, 2 * np.pi / 5 - angle)  # 0 at a point, π/5 in a notch
    inner = 0.45
    edge = (
        inner
        * np.sin(np.pi / 5)
        / (
            np.sin(angle) * (1 - inner * np.cos(np.pi / 5))
            + inner * np.sin(np.pi / 5) * np.cos(angle)
        )
    )
    return r < edge


def _draw(layouts: list[list[Thing]]) -> tuple[np.ndarray, np.ndarray]:
    """Owner of each pixel, (scenes, 64, 64), and its coverage and brightness, (scenes, 2, 64, 64).

    All things of the same shape are drawn at once, each on a patch around its centre.
    """
    owners = np.zeros((len(layouts), SIDE, SIDE), np.uint8)
    shades = np.zeros((len(layouts), 2, SIDE, SIDE), np.float32)  # cover, brightness
    flat = [(s, i, thing) for s, things in enumerate(layouts) for i, thing in enumerate(things)]
    steps = (np.arange(2 * _REACH * _FINE) + 0.5) / _FINE  # sample points of a patch, in pixels
    for shape in SHAPES:
        chosen = [entry for entry in flat if entry[2].shape == shape]
        for start in range(0, len(chosen), 1000):
            part = chosen[start : start + 1000]
            x, y, radius = (
                np.array([getattr(t, name) for _, _, t in part], np.float32)[:, None, None]
                for name in ("x", "y", "radius")
            )
            left, top = np.floor(x) - _REACH, np.floor(y) - _REACH
            across, down = left + steps[None, None, :], top + steps[None, :, None]
            inside = _inside(shape, (across - x) / radius, (down - y) / radius)
            texture = np.array([TEXTURES.index(t.texture) for _, _, t in part])[:, None, None]
            stripes = np.mod(across + down, 5) < 2.2
            dots = (np.mod(across, 4) < 2) & (np.mod(down, 4) < 2)
            dark = np.where(texture == 1, stripes, np.where(texture == 2, dots, False))
            light = np.where(dark, _DARK, 1.0) * inside
            cover, light = _average(inside), _average(light)
            for (s, i, _), c, b, j, k in zip(
                part, cover, light, left[:, 0, 0].astype(int), top[:, 0, 0].astype(int), strict=True
            ):
                rows = slice(max(k, 0), min(k + 2 * _REACH, SIDE))
                columns = slice(max(j, 0), min(j + 2 * _REACH, SIDE))
                patch = (
                    slice(rows.start - k, rows.stop - k),
                    slice(columns.start - j, columns.stop - j),
                )
                shades[s, 0, rows, columns] += c[patch]
                shades[s, 1, rows, columns] += b[patch]
                owners[s, rows, columns][c[patch] >= 0.5] = i + 1
    return owners, shades


def _average(samples: np.ndarray) -> np.ndarray:
    """Samples (n, 2·reach·fine, 2·reach·fine) → means of the pixels (n, 2·reach, 2·reach)."""
    n, side = len(samples), 2 * _REACH
    return samples.reshape(n, side, _FINE, side, _FINE).mean(axis=(2, 4), dtype=np.float32)


def _paint(owner, shade, things, generator) -> np.ndarray:
    """Colours, with a small random change for each thing, on a background with two noises."""
    ground = generator.uniform(70, 190) + generator.normal(0, 8, 3)
    coarse = generator.normal(0, 14, (8, 8)).repeat(8, axis=0).repeat(8, axis=1)
    image = ground + coarse[..., None] * np.ones(3)
    palette = np.array(
        [(0, 0, 0)] + [np.array(COLOURS[t.colour]) + generator.normal(0, 10, 3) for t in things]
    )
    cover, light = shade[0][..., None], shade[1][..., None]
    # A partly covered pixel at an edge may have no owner: it takes the nearest thing's colour.
    image = image * (1 - cover) + light * palette[_nearest(cover[..., 0] > 0, things)]
    image += generator.normal(0, 9, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _nearest(covered: np.ndarray, things: list[Thing]) -> np.ndarray:
    """For covered pixels the number, from 1, of the thing whose edge is nearest; elsewhere 0."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    far = np.stack([np.hypot(columns - t.x, rows - t.y) - t.radius for t in things])
    return np.where(covered, far.argmin(axis=0) + 1, 0)
