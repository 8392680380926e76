"""Captioning: image encoders, gate and regulariser, `Captioner`, pointing, and the command."""

import os
import subprocess
import sys
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from course_utils import recipes
from course_utils.__main__ import main
from course_utils.batches import Example, make_batch
from course_utils.checkpoints import CheckpointError, load_checkpoint, save_checkpoint
from course_utils.datasets.generated.scenes import scenes
from course_utils.images import as_source
from course_utils.metrics import cider
from course_utils.models.builders import build_captioner
from course_utils.models.image_encoders import GridEncoder, ImageEncoder, PhotoEncoder
from course_utils.models.seq2seq import count_parameters
from course_utils.recipes import RECIPES, train
from course_utils.tasks.captioning.captioner import Captioner
from course_utils.tasks.captioning.data import CaptionData, captions_of, scene_pairs
from course_utils.tasks.captioning.pointing import cover, pointing, word_masks
from course_utils.tasks.captioning.studies import measure_scenes
from course_utils.tasks.translation.translator import Translator
from course_utils.training import FitSettings, doubly_stochastic, train_step
from course_utils.vocabulary import BOS, PAD, Vocabulary
from tools.tiny import few, quick, tiny_checkpoint

matplotlib.use("Agg")
torch.set_num_threads(1)

TEXTS = ["a red dog", "two cats on the green grass", "the dog", "a cat and a dog on the grass"]
WORDS = Vocabulary.words(TEXTS)
SIZES = {"embedding_dim": 6, "memory_dim": 10, "hidden_dim": 10}


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def captioner_model(pictures="photos", decoder="attention", sharpness=3.0, seed=0, **settings):
    torch.manual_seed(seed)
    model = build_captioner(
        len(WORDS), pictures=pictures, decoder=decoder, **(SIZES | settings)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(sharpness)
        model.decoder.output_bias.normal_()
    return model


def photos(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(40, 220, (count, 49, 320), generator=generator, dtype=torch.uint8)


def images(count):
    return [scene.image for scene in scenes("valid", count)]


def batch_of(sources, texts=TEXTS):
    targets = WORDS.encode_all([texts[i % len(texts)] for i in range(len(sources))])
    return make_batch([Example(as_source(s), t) for s, t in zip(sources, targets, strict=True)])


# --- encoders ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pictures", ["scenes", "photos"])
@torch.no_grad()
def test_a_memory_has_a_place_for_each_cell_and_the_mean_as_summary(pictures):
    model = captioner_model(pictures)
    sources = images(3) if pictures == "scenes" else photos(3)
    memory = model.remember(batch_of(sources))
    places = 64 if pictures == "scenes" else 49
    assert memory.keys.shape == (3, places, 10) and memory.attend_mask.all()
    close(memory.summary, memory.keys.mean(dim=1))
    alone = model.remember(batch_of(sources[1:2]))
    close(alone.keys, memory.keys[1:2])


@torch.no_grad()
def test_a_place_sees_its_own_part_of_the_picture():
    encoder = ImageEncoder(10).eval()
    picture = as_source(images(1)[0])
    changed = picture.clone()
    changed[:, 40:44, 8:12] = 255 - changed[:, 40:44, 8:12]  # row 5, column 1 of the places
    both = encoder(batch_of([picture, changed])).keys
    moved = (both[0] - both[1]).norm(dim=1).reshape(8, 8)
    assert int(moved.argmax()) == 5 * 8 + 1
    assert moved[:3].max() == 0 and moved[:, 4:].max() == 0  # 16 pixels and more away


@pytest.mark.parametrize("positions", [True, False])
@torch.no_grad()
def test_without_positions_the_pooled_vector_does_not_know_where(positions):
    torch.manual_seed(0)
    encoder = PhotoEncoder(10, positions=positions).eval()
    picture = photos(1)[0]
    order = torch.randperm(49, generator=torch.Generator().manual_seed(1))
    one, other = encoder(batch_of([picture, picture[order]])).summary
    assert torch.allclose(one, other, atol=1e-5) is not positions


def test_positions_cost_few_parameters():
    sizes = {
        name: count_parameters(build_captioner(40, pictures="scenes", **settings))
        for name, settings in (
            ("attention", {}),
            ("pooled", {"decoder": "fixed_vector", "positions": False}),
            ("coordinates", {"decoder": "fixed_vector"}),
        )
    }
    assert sizes["attention"] == sizes["coordinates"]
    assert 0.96 * sizes["attention"] < sizes["pooled"] < sizes["attention"]


def test_encoders_refuse_what_they_cannot_read():
    with pytest.raises(ValueError, match=r"\(B, 3, 64, 64\).*colours last"):
        ImageEncoder(10)(make_batch([Example(torch.zeros(64, 64, 3, dtype=torch.uint8), [5])]))
    with pytest.raises(ValueError, match="bytes"):
        PhotoEncoder(10)(make_batch([Example(torch.zeros(49, 320), [5])]))
    with pytest.raises(ValueError, match="50 grid cells"):
        PhotoEncoder(10)(make_batch([Example(torch.zeros(50, 320, dtype=torch.uint8), [5])]))
    with pytest.raises(ValueError, match="multiple of 8"):
        ImageEncoder(10, side=60)
    with pytest.raises(NotImplementedError, match="features"):
        GridEncoder(4, 5, 6)(make_batch([Example([5], [5])]))
    with pytest.raises(ValueError, match="unknown pictures 'films'.*scenes, patches, photos"):
        build_captioner(40, pictures="films")
    with pytest.raises(ValueError, match="unknown decoder"):
        build_captioner(40, pictures="photos", decoder="none")
    with pytest.raises(ValueError, match="gate"):
        build_captioner(40, pictures="photos", decoder="fixed_vector", gate=True)


# --- the gate and the regulariser -------------------------------------------------------------


@torch.no_grad()
def test_forward_is_repeated_step_with_a_gate():
    model = captioner_model(gate=True)
    batch = batch_of(photos(3))
    logits, weights = model(batch)
    memory = model.remember(batch)
    state = model.decoder.start(memory)
    for t in range(batch.target_in.shape[1]):
        step, state, looked = model.decoder.step(state, batch.target_in[:, t])
        close(step, logits[:, t])
        close(looked, weights[:, t])


@torch.no_grad()
def test_a_shut_gate_reads_nothing_and_an_open_one_changes_nothing():
    gated, plain = captioner_model(gate=True), captioner_model()
    plain.load_state_dict(gated.state_dict(), strict=False)
    batch = batch_of(photos(2))
    gated.decoder.gate.weight.zero_()
    gated.decoder.gate.bias.fill_(50.0)
    close(gated(batch)[0], plain(batch)[0])
    gated.decoder.gate.bias.fill_(-50.0)
    memory = gated.remember(batch)
    empty = type(memory)(memory.keys, 0 * memory.values, memory.attend_mask, memory.summary)
    close(gated.decoder(memory, batch.target_in)[0], plain.decoder(empty, batch.target_in)[0])
    close(gated(batch)[1], plain(batch)[1])


def test_doubly_stochastic_by_hand():
    weights = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]])
    targets = torch.tensor([[5, 6], [7, PAD]])
    # First input: totals .5, 1, .5. Second: its second step is padding, totals 1, 0, 0.
    expected = ((0.25 + 0 + 0.25) + (0 + 1 + 1)) / 2
    close(doubly_stochastic(weights, targets), torch.tensor(expected))
    full = torch.softmax(torch.randn(1, 4, 4), -1)
    full = full / full.sum(1, keepdim=True)  # every place receives 1 in total
    close(doubly_stochastic(full, torch.full((1, 4), 9)), torch.tensor(0.0))


def test_the_regulariser_spreads_the_attention():
    batch = batch_of(photos(4))

    def uneven(regulariser):
        model = captioner_model(sharpness=1.0).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(25):
            loss = train_step(model, batch, optimizer, regulariser=regulariser)
        with torch.no_grad():
            return doubly_stochastic(model.eval()(batch)[1], batch.target_out).item(), loss

    (with_it, loss), (without, plain) = uneven(1.0), uneven(0.0)
    assert with_it < without
    assert loss < 3 and plain < 3, "the returned loss is that of the words alone"


# --- data and captioner -----------------------------------------------------------------------


def test_pictures_become_sources():
    picture = images(1)[0]
    assert as_source(picture).shape == (3, 64, 64)
    assert torch.equal(as_source(picture)[:, 5, 9], torch.tensor(picture[5, 9]))
    assert as_source(photos(1)[0]).shape == (49, 320)
    with pytest.raises(ValueError, match="bytes"):
        as_source(np.zeros((64, 64, 3), np.float32))


def test_each_caption_is_an_example_and_the_validation_counts_the_first():
    data = CaptionData(
        [(p, TEXTS[:2]) for p in photos(3)], [(p, TEXTS[1:]) for p in photos(5, 1)], WORDS
    )
    assert len(data.examples) == 6
    assert torch.equal(data.examples[2].source, photos(3)[1])
    (batch,) = data.valid_batches
    assert batch.target.shape[0] == 5
    assert {WORDS.decode(row) for row in batch.target.tolist()} == {TEXTS[1]}
    assert data.valid[0][1] == TEXTS[1:], "the scores still compare with all of them"


def test_scene_pairs_hold_true_captions():
    from course_utils.datasets.generated import scenes as module

    small = dict.fromkeys(module.SPLITS, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SPLITS", small)
        train, valid = scene_pairs("train", captions=3), scene_pairs("valid")
    assert [len(texts) for _, texts in train] == [3] * 4
    for (image, texts), scene in zip(valid, scenes("valid", 4), strict=True):
        assert np.array_equal(image, scene.image)
        assert texts[0] in texts[1:] and set(texts) == {c.text for c in scene.captions}


def test_a_full_stop_at_the_end_is_not_a_word():
    from course_utils.datasets.public.flickr8k import CaptionedPhoto

    photo = CaptionedPhoto("x.jpg", ("A dog .", "Mr. Dog runs", "St. Bernard.", "two dogs"))
    assert captions_of(photo) == ["A dog", "Mr. Dog runs", "St. Bernard", "two dogs"]


@pytest.mark.parametrize("beam", [1, 3])
def test_neighbours_do_not_influence_a_caption(beam):
    captioner = Captioner(captioner_model(), WORDS)
    pictures = photos(7)
    together = captioner.caption(pictures, beam, batch_size=3)
    for picture, caption in zip(pictures, together, strict=True):
        (alone,) = captioner.caption([picture], beam)
        assert alone.text == caption.text
        np.testing.assert_allclose(alone.word_attention, caption.word_attention, atol=1e-5)
    assert len({c.text for c in together}) > 1
    assert captioner.predict([]) == []


def test_words_and_attention_belong_together():
    captioner = Captioner(captioner_model(), WORDS)
    for caption in captioner.caption(photos(4)):
        assert caption.word_attention.shape == (len(caption.words), 49)
        np.testing.assert_allclose(caption.word_attention.sum(1), 1, atol=1e-5)


def test_attention_of_a_given_caption_is_that_of_writing_it():
    captioner = Captioner(captioner_model(sharpness=2.0), WORDS)
    pictures = photos(5)
    written = captioner.caption(pictures)
    pairs = [(p, c.text) for p, c in zip(pictures, written, strict=True) if c.words]
    kept = [c for c in written if c.words]
    assert pairs
    for caption, weights in zip(kept, captioner.attention_of(pairs, batch_size=2), strict=True):
        np.testing.assert_allclose(weights, caption.word_attention, atol=1e-5)


def test_captioning_keeps_the_mode_of_the_model():
    model = captioner_model()
    for training in (True, False):
        model.train(training)
        Captioner(model, WORDS).predict(photos(1))
        assert model.training is training
    assert Captioner(model, WORDS).attends
    assert not Captioner(captioner_model(decoder="fixed_vector"), WORDS).attends
    assert Captioner(captioner_model(decoder="transformer", heads=2), WORDS).attends
    assert not Captioner(
        captioner_model(decoder="transformer", heads=2, pooled=True), WORDS
    ).attends


@torch.no_grad()
def test_a_pooled_memory_is_the_mean_in_one_place():
    apart, pooled = (
        captioner_model(decoder="transformer", heads=2, pooled=p) for p in (False, True)
    )
    assert count_parameters(apart) == count_parameters(pooled)
    batch = batch_of(photos(3))
    every, one = apart.remember(batch), pooled.remember(batch)
    close(one.keys, every.keys.mean(dim=1, keepdim=True))
    assert one.values is one.keys and one.attend_mask.shape == (3, 1)
    close(one.summary, every.summary)
    _, weights = pooled(batch)
    close(weights, torch.ones_like(weights))
    pooled.encoder.pooled = False  # at any time
    close(pooled(batch)[0], apart(batch)[0])


@torch.no_grad()
def test_the_weights_of_a_transformer_have_a_name():
    fine = torch.randint(40, 220, (2, 196, 112), dtype=torch.uint8)
    counts = {}
    for name in ("softmax", "sparsemax", "top4", "top1"):
        model = captioner_model(
            "photos-fine", "transformer", 1.0, heads=1, decoder_layers=1, weights=name
        )
        logits, weights = model(batch_of(fine))
        close(weights.sum(dim=2), torch.ones(weights.shape[:2]))
        counts[name] = (weights > 0).sum(dim=2).float()
    assert (counts["softmax"] == 196).all() and (counts["sparsemax"] < 196).all()
    assert (counts["top4"] == 4).all() and (counts["top1"] == 1).all()
    for settings in ({"weights": "hard", "decoder": "transformer"}, {"weights": "sparsemax"}):
        with pytest.raises(ValueError, match="chooses from softmax, sparsemax, top4, top1"):
            build_captioner(40, pictures="photos", **settings)


# --- pointing ---------------------------------------------------------------------------------


def test_cover_by_hand():
    mask = np.zeros((4, 6), bool)
    mask[0, 0] = mask[2:, 4:] = True
    np.testing.assert_allclose(cover(mask, 2, 3), [0.25, 0, 0, 0, 0, 1])
    with pytest.raises(ValueError, match="4 × 6 pixels"):
        cover(mask, 3, 3)


def test_pointing_by_hand():
    mask = np.zeros((4, 4), bool)
    mask[:2, :3] = True  # the two places of the upper row, the second one by a half
    weights = np.array([[0.1, 0.6, 0.2, 0.1], [0.1, 0.2, 0.4, 0.3], [0.0, 0.0, 0.0, 1.0]])
    score = pointing([weights], [[mask, mask, None]])
    assert (score.hits, score.words, score.chance) == (0.5, 2, 0.5)
    assert score.mass == pytest.approx((0.7 + 0.3) / 2)
    with pytest.raises(ValueError, match="3 rows of attention for 2 words"):
        pointing([weights], [[mask, mask]])
    with pytest.raises(ValueError, match="names anything"):
        pointing([weights], [[None] * 3])
    with pytest.raises(ValueError, match="square"):
        pointing([weights[:, :3]], [[mask, mask, None]])


@quick
@given(st.integers(0, 59), st.integers(0, 10**6))
def test_pointing_bounds(number, seed):
    scene = SCENES[number]
    caption = scene.captions[seed % len(scene.captions)]
    masks = word_masks(scene, caption)
    even = np.full((len(masks), 64), 1 / 64)
    score = pointing([even], [masks])
    assert score.mass == pytest.approx(score.chance)
    right = np.stack(
        [np.full(64, 1 / 64) if m is None else cover(m, 8, 8) / cover(m, 8, 8).sum() for m in masks]
    )
    best = pointing([right], [masks])
    assert best.hits == 1 and best.mass == pytest.approx(1)


SCENES = scenes("valid", 60)


@few
@given(st.integers(0, 59))
def test_words_that_name_something_have_masks(number):
    scene = SCENES[number]
    caption = scene.captions[-1]
    for word, mask in zip(caption.words, word_masks(scene, caption), strict=True):
        assert (mask is None) == (
            word in "a and , there is are we see picture of left right above below".split()
        )


# --- recipes and studies ----------------------------------------------------------------------


@pytest.fixture
def tiny_recipe(monkeypatch):
    """The recipe of the photos on five photos of noise."""
    pairs = [(p, [TEXTS[i % 4], TEXTS[(i + 1) % 4]]) for i, p in enumerate(photos(5))]
    recipe = replace(
        RECIPES["captioning-flickr8k"],
        name="tiny",
        data=lambda: CaptionData(pairs, pairs[:2], WORDS),
        test=lambda: pairs[2:],
        settings=FitSettings(steps=4, validate_every=2),
        batch_tokens=20,
        model={"pictures": "photos", **SIZES},
    )
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    return recipe


def test_a_captioner_is_trained_tested_and_loaded_again(tiny_recipe, tmp_path):
    card = train("tiny", out=tmp_path / "made")
    assert set(card["metrics"]) == {
        f"{split}_{name}_{search}"
        for split in ("valid", "test")
        for name in ("bleu", "cider")
        for search in ("greedy", "beam5")
    }
    assert "nrefs:2" in card["metrics"]["test_bleu_beam5"]["signature"]
    assert "tok:words" in card["metrics"]["test_cider_beam5"]["signature"]
    captioner = Captioner.load(tmp_path / "made")
    assert len(captioner.predict(photos(2))) == 2
    assert (tmp_path / "made" / "model.safetensors").stat().st_size < 100_000


def test_a_missing_optional_score_is_left_out_with_a_line(
    tiny_recipe, tmp_path, monkeypatch, capsys
):
    def missing(*arguments, **settings):
        raise ImportError("No module named 'pycocoevalcap'")

    task = replace(tiny_recipe.task, metrics=tiny_recipe.task.metrics | {"cider": missing})
    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny_recipe, task=task))
    card = train("tiny", out=tmp_path / "made")
    assert set(card["metrics"]) == {
        f"{split}_bleu_{search}" for split in ("valid", "test") for search in ("greedy", "beam5")
    }
    assert "cider is left out" in capsys.readouterr().err


def test_cider_by_its_properties():
    references = [[t, t.replace("dog", "hound")] for t in TEXTS]
    perfect = cider(TEXTS, references).score
    assert perfect > 3
    assert cider(TEXTS[::-1], references).score < 0.3 * perfect
    assert cider([t.upper() + " !" for t in TEXTS], references, lowercase=True).score == (
        pytest.approx(cider([f"{t} !" for t in TEXTS], references, lowercase=True).score)
    )
    with pytest.raises(ValueError, match="3 outputs for 4"):
        cider(TEXTS[:3], references)


def test_what_a_study_of_scenes_measures(monkeypatch):
    from course_utils.datasets.generated import scenes as module

    monkeypatch.setattr(module, "SPLITS", dict.fromkeys(module.SPLITS, 6))
    texts = [text for _, several in scene_pairs("test") for text in several]
    vocabulary = Vocabulary.words(texts)
    model = build_captioner(len(vocabulary), pictures="scenes", **SIZES).eval()
    measured = measure_scenes(Captioner(model, vocabulary))
    assert measured["test_exact"] == 0 and sum(r["scenes"] for r in measured["by_things"]) == 6
    kinds = measured["pointing"]
    assert set(kinds) == {"all", "size", "texture", "colour", "shape", "number"}
    parts = [kinds[kind]["words"] for kind in kinds if kind != "all"]
    assert kinds["all"]["words"] == sum(parts)
    fixed = build_captioner(
        len(vocabulary), pictures="scenes", decoder="fixed_vector", **SIZES
    ).eval()
    assert "pointing" not in measure_scenes(Captioner(fixed, vocabulary))


# --- the command ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("captions") / "tiny"
    model = captioner_model()
    model.load_state_dict({k: w.half().float() for k, w in model.state_dict().items()})
    build = {"size": len(WORDS), "pictures": "photos", **SIZES}
    save_checkpoint(place, model, WORDS, builder="captioner", settings=build, card={}, log=[])
    return place


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for name, size, mode in (
        ("wide.png", (40, 90), "RGB"),
        ("grey with space.png", (30, 30), "L"),
        ("alpha.webp", (25, 60), "RGBA"),
        ("palette.gif", (50, 20), "P"),
    ):
        pixels = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(place / name)
    return sorted(place.iterdir())


@pytest.fixture
def caption(folder, capfdbinary):
    def run(*arguments, checkpoint=folder):
        status = main(["caption", *map(str, arguments), "--checkpoint", str(checkpoint)])
        captured = capfdbinary.readouterr()
        return status, captured.out.decode().splitlines(), captured.err.decode()

    return run


def test_one_line_for_each_photo_in_order(caption, folder, files):
    from course_utils.images import read_photo
    from course_utils.models.photo_features import photo_features

    status, lines, errors = caption(*files, "--beam", 2)
    assert (status, errors) == (0, "")
    assert [line.split("\t")[0] for line in lines] == [str(path) for path in files]
    checkpoint = load_checkpoint(folder)
    features = photo_features([read_photo(path) for path in files])
    expected = Captioner(checkpoint.model, checkpoint.vocabulary).predict(list(features), beam=2)
    assert [line.split("\t")[1] for line in lines] == expected
    again = caption(*reversed(files), "--beam", 2)[1]
    assert again == lines[::-1]


def test_a_file_that_is_not_a_photo_gets_a_line_on_standard_error(caption, files, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    status, lines, errors = caption(files[0], text, files[1], tmp_path / "missing.png")
    assert status == 1
    assert [line.split("\t")[0] for line in lines] == [str(files[0]), str(files[1])]
    first, second = errors.splitlines()
    assert "notes.txt" in first and "missing.png" in second and "Traceback" not in errors


def test_only_bad_files(caption, tmp_path):
    status, lines, errors = caption(tmp_path)
    assert (status, lines) == (1, []) and errors.count("\n") == 1


def test_attention_into_a_file_files_and_a_folder(caption, files, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "course_utils.tasks.captioning.captioner.LONGEST", 5
    )  # few words: drawn faster

    def drawn(place):
        found = sorted(p.name for p in place.iterdir())
        for path in place.iterdir():
            assert np.asarray(Image.open(path)).std() > 1
        return found

    one, several, many = (tmp_path / name for name in ("one", "several", "many"))
    for place in (one, several, many):
        place.mkdir()
    assert caption(files[0], "--attention", one / "look.png")[0] == 0
    assert drawn(one) == ["look.png"]
    assert caption(*files[:2], "--attention", several / "look.png")[0] == 0
    assert drawn(several) == ["look-1.png", "look-2.png"]
    assert caption(*files[:2], "--attention", many)[0] == 0
    assert drawn(many) == sorted(f"{path.stem}.png" for path in files[:2])


def test_impossible_options(caption, files, tmp_path):
    for options, reason in (
        (("--beam", 0), "--beam must be at least 1"),
        (("--attention", tmp_path / "no" / "x.png"), "does not exist"),
    ):
        status, lines, errors = caption(files[0], *options)
        assert (status, lines) == (1, []) and reason in errors and errors.count("\n") == 1
    status, lines, errors = caption(files[0], checkpoint=tmp_path / "nothing")
    assert status == 1 and "no checkpoint" in errors and errors.count("\n") == 1


def test_a_checkpoint_of_another_task_is_refused(caption, files, tmp_path):
    tiny_checkpoint(tmp_path / "translator")
    status, lines, errors = caption(files[0], checkpoint=tmp_path / "translator")
    assert (status, lines) == (1, []) and errors.count("\n") == 1
    assert "TextEncoder" in errors and "needs a GridEncoder" in errors


def test_a_translator_refuses_a_captioner(folder):
    with pytest.raises(CheckpointError, match="PhotoEncoder.*Translator.*needs a TokenEncoder"):
        Translator.load(folder)


@pytest.mark.slow
def test_as_a_program(folder, files):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "course_utils",
            "caption",
            str(files[0]),
            "no-such-file",
            "--checkpoint",
            str(folder),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert done.stdout.startswith(f"{files[0]}\t") and done.stdout.count("\n") == 1
    assert done.stderr.count("\n") == 1 and "no-such-file" in done.stderr


def test_bos_is_never_written():
    captions = Captioner(captioner_model(), WORDS).caption(photos(6))
    assert all(BOS not in c.hypothesis.tokens and PAD not in c.hypothesis.tokens for c in captions)
