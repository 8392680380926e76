"""Generated scenes: what is said about a picture is true of its pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.datasets.generated.scenes import (
    COLOURS,
    RELATIONS,
    SHAPES,
    SIZES,
    TEXTURES,
    Scene,
    Thing,
    scenes,
)
from tools.tiny import quick

FOUND = scenes("train", 150)
any_scene = st.sampled_from(FOUND)


def box(mask):
    """First and last row and column of a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1], columns[0], columns[-1]


def test_equal_arguments_give_equal_scenes_and_a_smaller_count_the_first_ones():
    again = scenes("train", 40)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(again, FOUND, strict=False))
    assert [a.things for a in again] == [b.things for b in FOUND[:40]]
    assert [a.some_captions(3) for a in again] == [b.some_captions(3) for b in FOUND[:40]]


def test_splits_and_seeds_differ():
    pictures = [scenes("train", 1), scenes("valid", 1), scenes("test", 1), scenes("train", 1, 1)]
    images = [found[0].image.tobytes() for found in pictures]
    assert len(set(images)) == 4


def test_everything_that_can_be_drawn_is_drawn():
    things = [thing for scene in FOUND for thing in scene.things]
    assert {t.shape for t in things} == set(SHAPES)
    assert {t.colour for t in things} == set(COLOURS)
    assert {t.size for t in things} == set(SIZES)
    assert {t.texture for t in things} == set(TEXTURES)
    assert {len(scene.things) for scene in FOUND} == {1, 2, 3, 4}
    assert any(len(group) > 1 for scene in FOUND for group in scene.groups)


def test_no_two_things_touch():
    for scene in FOUND:
        for i in range(len(scene.things)):
            mask = scene.mask(i)
            grown = mask.copy()
            for shift in (-1, 1):
                grown |= np.roll(mask, shift, 0) | np.roll(mask, shift, 1)
            others = (scene.owner > 0) & ~mask
            assert mask.sum() > 20
            assert not (grown & others).any()


def test_a_thing_stands_whole_inside_the_picture_where_it_says():
    for scene in FOUND:
        for i, thing in enumerate(scene.things):
            top, bottom, left, right = box(scene.mask(i))
            assert 0 < top and bottom < 63 and 0 < left and right < 63
            assert abs((left + right + 1) / 2 - thing.x) < 1.5
            assert bottom - top + 1 <= 2 * thing.radius + 1.5


def test_the_pixels_have_the_colour_that_is_named():
    palette = np.array(list(COLOURS.values()), float)
    for scene in FOUND:
        for i, thing in enumerate(scene.things):
            pixels = scene.image[scene.mask(i)].astype(float)
            lit = pixels[pixels.sum(1) > np.median(pixels.sum(1))]  # not the dark of a texture
            nearest = np.linalg.norm(palette - lit.mean(0), axis=1).argmin()
            if thing.texture == "plain":
                assert list(COLOURS)[nearest] == thing.colour


def test_a_texture_makes_dark_pixels():
    dark = {texture: [] for texture in TEXTURES}
    for scene in FOUND:
        for i, thing in enumerate(scene.things):
            pixels = scene.image[scene.mask(i)].sum(1)
            dark[thing.texture].append((pixels < 0.6 * np.percentile(pixels, 90)).mean())
    assert np.mean(dark["plain"]) < 0.1 < 0.2 < np.mean(dark["dotted"]) < np.mean(dark["striped"])


@quick
@given(any_scene)
def test_a_relation_holds_for_the_pixels_and_its_converse_the_other_way(scene):
    converse = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    assert set(converse) == set(RELATIONS)
    for i in range(len(scene.things)):
        for j in range(len(scene.things)):
            found = scene.relation(i, j)
            assert sorted(converse[r] for r in found) == sorted(scene.relation(j, i))
            one, other = box(scene.mask(i)), box(scene.mask(j))
            if "left of" in found:
                assert one[3] <= other[2]
            if "above" in found:
                assert one[1] <= other[0]
            if i == j:
                assert not found


def test_relations_of_a_layout_worked_out_by_hand():
    def thing(x, y, radius):
        return Thing("circle", "red", "small", "plain", x, y, radius)

    blank = np.zeros((64, 64), np.uint8)
    scene = Scene(blank, blank, (thing(10, 10, 6), thing(30, 12, 6), thing(20, 50, 10)))
    assert scene.relation(0, 1) == ["left of"]  # their rows overlap
    assert scene.relation(0, 2) == ["above"]  # their columns overlap
    assert scene.relation((0, 1), 2) == ["above"]
    assert scene.relation(2, (0, 1)) == ["below"]


@quick
@given(any_scene)
def test_every_caption_names_every_thing_with_all_its_attributes(scene):
    assert len({caption.text for caption in scene.captions}) == len(scene.captions)
    for caption in scene.captions:
        said = {i: [] for i in range(len(scene.things))}
        for word, names in zip(caption.words, caption.names, strict=True):
            for i in names:
                said[i].append(word)
        for i, thing in enumerate(scene.things):
            wanted = {thing.size, thing.colour} | ({thing.texture} - {"plain"})
            assert wanted <= set(said[i])
            (shape,) = [w for w in said[i] if w.startswith(thing.shape)]
            kind = {name: getattr(thing, name) for name in ("size", "colour", "shape", "texture")}
            several = len(scene.find(**kind)) > 1
            assert (shape == thing.shape) == (not several)


@quick
@given(any_scene)
def test_the_relation_in_a_caption_is_true(scene):
    for caption in scene.captions:
        for relation in RELATIONS:
            words = relation.split()
            for at in range(len(caption.words)):
                if list(caption.words[at : at + len(words)]) == words:
                    before = caption.names[at - 1]
                    after = next(names for names in caption.names[at + len(words) :] if names)
                    assert relation in scene.relation(before, after)


@quick
@given(any_scene)
def test_a_list_goes_from_left_to_right_and_counts(scene):
    listed = scene.captions[0]
    words = zip(listed.words, listed.names, strict=True)
    groups = [names for word, names in words if names and word in SIZES]
    assert groups == scene.groups
    for word, names in zip(listed.words, listed.names, strict=True):
        if word in ("two", "three", "four"):
            assert len(names) == ("two", "three", "four").index(word) + 2


@quick
@given(any_scene)
def test_captions_for_training_are_true(scene):
    assert {c.text for c in scene.some_captions(5)} <= {c.text for c in scene.captions}


def test_some_captions_use_every_phrasing():
    texts = [caption.text for scene in FOUND for caption in scene.some_captions(2)]
    for start in ("we see", "there is", "there are", "a picture of", "a large", "two"):
        assert any(text.startswith(start) for text in texts), start
    for relation in RELATIONS:
        assert any(relation in text for text in texts)


def test_find_and_mask():
    for scene in FOUND[:20]:
        first = scene.things[0]
        assert 0 in scene.find(colour=first.colour, shape=first.shape)
        everything = scene.mask(range(len(scene.things)))
        assert np.array_equal(everything, scene.owner > 0)
        assert not scene.mask(()).any()
    with pytest.raises(ValueError, match="things 0 to"):
        FOUND[0].mask(4)
    with pytest.raises(ValueError, match="weight"):
        FOUND[0].find(weight="heavy")


def test_wrong_arguments():
    with pytest.raises(ValueError, match="train, valid, test"):
        scenes("dev")
    with pytest.raises(ValueError, match="count = 0"):
        scenes("train", 0)
