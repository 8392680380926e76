"""The Vision Transformer, and other grids whose cells attend to each other."""

import pytest
import torch

from course_utils.batches import Example, make_batch
from course_utils.models.builders import build_captioner
from course_utils.models.image_encoders import GridEncoder, PhotoEncoder, VisionTransformer

SIDE, PATCH, WIDTH = 12, 4, 8


def tiny(**settings):
    torch.manual_seed(0)
    settings = {"side": SIDE, "patch": PATCH, "layers": 2, "heads": 2} | settings
    return VisionTransformer(WIDTH, **settings).eval()


def pictures(count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)


def test_a_patch_is_a_square_of_pixels():
    source = pictures()
    patches = tiny().features(source)
    assert patches.shape == (3, 9, 3 * PATCH**2)
    square = source[1, :, 4:8, 8:12] / 127.5 - 1  # row 1, column 2 of the grid
    torch.testing.assert_close(patches[1, 1 * 3 + 2], square.flatten())


@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_every_patch_reads_every_other(layers):
    """Unlike a cell of the convolutions, which sees its own surroundings."""
    encoder = tiny(layers=layers)
    source = pictures()
    changed = source.clone()
    changed[0, :, :4, :4] = 255 - changed[0, :, :4, :4]
    before, after = encoder.encode(source), encoder.encode(changed)
    assert (after.keys[0] - before.keys[0]).norm(dim=1).min() > 1e-3
    torch.testing.assert_close(after.keys[1:], before.keys[1:])
    torch.testing.assert_close(after.summary, after.keys.mean(dim=1))
    assert after.attend_mask.all()


@pytest.mark.parametrize("positions", [True, False])
@torch.no_grad()
def test_without_positions_a_picture_is_a_bag_of_patches(positions):
    encoder = tiny(positions=positions)
    source = pictures(1)
    swapped = source.clone()
    swapped[..., :4, :4], swapped[..., 4:8, 8:] = source[..., 4:8, 8:], source[..., :4, :4]
    one, other = encoder.encode(source).keys[0], encoder.encode(swapped).keys[0]
    order = torch.tensor([5, 1, 2, 3, 4, 0, 6, 7, 8])
    assert torch.allclose(one[order], other, atol=1e-5) is not positions


@torch.no_grad()
def test_cells_of_any_grid_can_attend_to_each_other():
    torch.manual_seed(0)
    photo = torch.randint(256, (2, 49, 320), dtype=torch.uint8)
    changed = photo.clone()
    changed[0, 7] = 255 - changed[0, 7]
    for layers in (0, 1):
        encoder = PhotoEncoder(WIDTH, layers=layers, heads=2).eval()
        moved = (encoder.encode(changed).keys - encoder.encode(photo).keys)[0].norm(dim=1) > 1e-6
        assert moved[7] and bool(moved.all()) is (layers == 1)
        assert bool(moved[8:].any()) is (layers == 1)


def test_the_captioner_has_it_for_an_encoder():
    batch = make_batch([Example(torch.zeros(3, 64, 64, dtype=torch.uint8), [5, 6])])
    for settings in ({}, {"decoder": "transformer", "memory_dim": 32}, {"encoder_layers": 1}):
        model = build_captioner(11, pictures="patches", heads=2, **settings)
        logits, weights = model(batch)
        assert logits.shape == (1, 3, 11) and weights.shape == (1, 3, 64)
        assert model.encoder.stack.layers[0].self_attention.heads == 2
        assert len(model.encoder.stack.layers) == settings.get("encoder_layers", 4)
        logits.square().sum().backward()
        assert model.encoder.enter.weight.grad.any() and model.encoder.places.grad.any()
    hybrid = build_captioner(11, pictures="scenes", encoder_layers=2, decoder="transformer")
    assert len(hybrid.encoder.stack.layers) == 2
    plain = build_captioner(11, pictures="scenes")
    assert not plain.encoder.layers and isinstance(plain.encoder, GridEncoder)


def test_errors():
    with pytest.raises(ValueError, match="side=12 must be a multiple of patch=5"):
        tiny(patch=5)
    with pytest.raises(ValueError, match="layers=0 at least 1"):
        tiny(layers=0)
    with pytest.raises(ValueError, match=r"\(B, 3, 12, 12\).*colours last"):
        tiny().encode(pictures().permute(0, 2, 3, 1))
    with pytest.raises(ValueError, match="no settings; got heads=2"):
        build_captioner(11, pictures="scenes", heads=2)
