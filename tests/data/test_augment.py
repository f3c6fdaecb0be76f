"""Augmentation: steps of a recipe, their checks, and what they do to pictures."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from inpaintkit.components.kornia_names import KORNIA
from inpaintkit.core.config.schema import signature_of
from inpaintkit.core.config.structure import Structurer
from inpaintkit.core.errors import OptionError, RecipeError
from inpaintkit.core.plugins import installed
from inpaintkit.data.augment import AugmentationStep, augmenter, check_augment


def structured(value):
    structurer = Structurer(installed())
    found = structurer.structure(value, AugmentationStep)
    if problems := structurer.problems:
        raise RecipeError(problems)
    return found


def step(name, options=None):
    return structured({name: options})


CROP = step("RandomCrop", {"size": [24, 24]})
SHRINK = step("Resize", {"size": [16, 16]})
FLIP = step("RandomHorizontalFlip", {"p": 0.5})


def pictures(count=8, side=32):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def refused(name, options):
    with pytest.raises(RecipeError) as caught:
        step(name, options)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_steps_end_at_the_size_in_range():
    result = augmenter([CROP, SHRINK, FLIP], (16, 16))(pictures())
    assert result.shape == (8, 3, 16, 16)
    assert result.dtype == torch.float32
    assert result.min() >= 0
    assert result.max() <= 1


def test_seed_and_input_decide():
    steps = [CROP, SHRINK, FLIP, step("ColorJiggle", {"brightness": 0.2, "hue": [-0.1, 0.1]})]
    run, images = augmenter(steps, (16, 16)), pictures()

    def drawn(seed):
        torch.manual_seed(seed)
        return run(images)

    first = drawn(5)
    drawn(6)
    assert torch.equal(first, drawn(5))
    torch.manual_seed(5)
    assert torch.equal(first, augmenter(steps, (16, 16))(images))  # nothing is kept from step to step
    assert not torch.equal(first, drawn(6))


def test_the_pictures_of_a_batch_are_augmented_apart():
    same = pictures(1).expand(32, 3, 32, 32).contiguous()
    flipped = augmenter([FLIP], (32, 32))(same)
    kinds = [torch.equal(picture, same[0]) for picture in flipped]
    assert all(torch.equal(p, same[0]) or torch.equal(p, same[0].flip(-1)) for p in flipped)
    assert 4 < sum(kinds) < 28
    crops = augmenter([CROP], (24, 24))(same)
    assert len({crop.numpy().tobytes() for crop in crops}) > 16


def test_a_random_crop_only_cuts():
    image = pictures(1)
    [crop] = augmenter([CROP], (24, 24))(image)
    windows = image[0].unfold(1, 24, 1).unfold(2, 24, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
    assert (windows - crop).flatten(1).abs().amax(1).min() < 1e-6


def test_without_steps_nothing_happens():
    images = pictures()
    assert augmenter([], (32, 32))(images) is images
    with pytest.raises(OptionError, match=r"32x32, but `size` is 16x16: end it with `- Resize: \{size: \[16, 16\]\}`"):
        augmenter([], (16, 16))(images)


def test_a_size_of_two_sides():
    steps = [step("Resize", {"size": [16, 24]})]
    assert augmenter(steps, (16, 24))(pictures()).shape == (8, 3, 16, 24)
    check_augment(steps, 32, (16, 24))
    with pytest.raises(OptionError, match="ends at 16x24, but `size` is 24x16"):
        check_augment(steps, 32, (24, 16))


def test_results_are_clamped():
    brighter = step("RandomGaussianNoise", {"std": 2.0, "p": 1.0})
    result = augmenter([brighter], (32, 32))(pictures())
    assert (result.min(), result.max()) == (0, 1)


def test_no_gradient_and_no_change_of_the_input():
    images = pictures()
    kept = images.clone()
    assert not augmenter([CROP, SHRINK], (16, 16))(images.requires_grad_()).requires_grad
    assert torch.equal(images, kept)


# what kornia's signatures say


def test_every_mistake_of_one_step_is_reported_with_its_place():
    messages = refused("RandomCrop", {"size": [160, 1.5], "paddin": 2, "same_on_batch": "no", "p": 3})
    expected = {("RandomCrop", key) for key in ("paddin", "same_on_batch", "p")} | {("RandomCrop", "size", 1)}
    assert set(messages) == expected
    assert messages["RandomCrop", "size", 1] == "expected integer, not 1.5"
    assert "did you mean 'padding'?" in messages["RandomCrop", "paddin"]
    assert messages["RandomCrop", "same_on_batch"] == "expected true or false, not 'no' (write false)"
    assert messages["RandomCrop", "p"] == "expected a probability from 0 to 1, not 3"


def test_what_is_required_is_named_with_its_type():
    assert refused("RandomCrop", {}) == {
        ("RandomCrop",): "missing 'size' of augmentation 'RandomCrop': expected list [integer, integer]"
    }


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RandomHorizontalFlip", {"p": True}),
        ("RandomHorizontalFlip", {"p": "0.5"}),
        ("RandomCrop", {"size": 16}),
        ("RandomCrop", {"size": [16]}),
        ("RandomCrop", {"size": [16, True]}),
        ("RandomCrop", {"size": [16, 16], "padding_mode": 3}),
        ("Resize", {"size": 16.0}),
        ("Resize", {"size": 16, "antialias": 1}),
        ("RandomRotation", {"degrees": "ten"}),
        ("RandomRotation", {"degrees": {"from": 1}}),
        ("RandomBoxBlur", {"kernel_size": [3, None]}),
    ],
)
def test_values_of_another_type_are_refused(name, options):
    assert {path[:2] for path in refused(name, options)} == {(name, list(options)[-1])}


def test_enumerations_list_their_names():
    messages = refused("Resize", {"size": 16, "resample": "bilinaer"})
    assert messages["Resize", "resample"] == (
        "expected integer or 'nearest', 'bilinear' or 'bicubic', not 'bilinaer', did you mean 'bilinear'?"
    )
    assert step("Resize", {"size": 16, "resample": "BICUBIC"})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("RandomRotation", {"degrees": 10}),
        ("RandomRotation", {"degrees": [-5, 5]}),
        ("RandomAffine", {"degrees": 0, "translate": [0.05, 0.05], "scale": None}),
        ("RandomFisheye", {"center_x": [-0.3, 0.3], "center_y": [-0.3, 0.3], "gamma": [0.9, 1.0]}),
        ("RandomErasing", {"scale": [0.02, 0.1], "value": 1}),
        ("RandomCrop", {"size": (16, 16), "padding": [1, 2, 3, 4], "fill": [0.1, 0.2, 0.3]}),
    ],
)
def test_what_kornia_takes_is_taken_and_runs(name, options):
    check_augment([step(name, options), step("Resize", {"size": [16, 16]})], 24, (16, 16))


def test_unknown_names_have_a_nearest():
    assert "did you mean 'RandomCrop'?" in refused("RandomCrp", {})["RandomCrp",]
    assert "known: CenterCrop, ColorJiggle" in refused("Zzz", {})["Zzz",]


@pytest.mark.parametrize("name", ["Normalize", "RandomDissolving", "RandomCrop3D", "RandomMixUpV2", "CenterCrop3D"])
def test_what_is_no_augmentation_of_single_pictures_is_refused(name):
    assert (name,) in refused(name, {})


def test_what_the_constructor_refuses_is_reported_in_its_words():
    [(path, message)] = refused("RandomRotation", {"degrees": [-5, 5, 4]}).items()
    assert path == ("RandomRotation",)
    assert "degrees should be" in message


NEEDS_NO_OPTIONS = [
    name
    for name in KORNIA
    if not any(option.required for option in signature_of(installed().registry.get("augmentation", name).load()))
]


@pytest.mark.parametrize("name", NEEDS_NO_OPTIONS)
def test_everything_that_kornia_has_runs_and_is_seeded_by_torch(name):
    check_augment([step(name)], 32, (32, 32))
    run = step(name).build()
    results = []
    for noise in (1, 2):
        random.seed(noise)
        np.random.seed(noise)
        torch.manual_seed(0)
        results.append(run(pictures(2)))
    assert torch.equal(*results)


# as recipes write it


@pytest.mark.parametrize(
    ("value", "options"),
    [
        ("RandomVerticalFlip", {}),
        ({"RandomVerticalFlip": None}, {}),
        ({"RandomVerticalFlip": {"p": 0.1}}, {"p": 0.1}),
        ({"use": "RandomVerticalFlip", "p": 0.1}, {"p": 0.1}),
        ({"use": "inpaintkit:RandomVerticalFlip"}, {}),
    ],
)
def test_a_step_is_read_from_a_recipe(value, options):
    spec = structured(value).spec
    assert spec.name.endswith("RandomVerticalFlip")
    assert spec.options == options


@pytest.mark.parametrize(
    "value",
    [3, None, [], {}, {"Resize": {"size": 3}, "RandomVerticalFlip": {}}, {3: {}}, {"Resize": 16}, {"use": 3}],
)
def test_what_is_no_step_is_refused(value):
    with pytest.raises(RecipeError):
        structured(value)


# on two small pictures


def test_a_crop_that_does_not_fit_is_refused_instead_of_enlarging():
    with pytest.raises(OptionError, match="RandomCrop of 24x24 does not fit into pictures of 20x20") as caught:
        check_augment([FLIP, CROP], 20, (24, 24))
    assert caught.value.path == (1, "RandomCrop", "size")
    check_augment([step("RandomCrop", {"size": [24, 24], "pad_if_needed": True})], 20, (24, 24))


def test_a_wrong_end_names_the_fix():
    with pytest.raises(OptionError, match="ends at 24x24, but `size` is 16x16"):
        check_augment([CROP], 32, (16, 16))
    with pytest.raises(OptionError, match="without augmentation the pictures are 32x32"):
        check_augment([], 32, (16, 16))


def test_a_step_that_fails_seldom_is_found():
    options = {"kernel_size": [99, 99], "sigma": [0.1, 2.0], "p": 1e-6}  # reflects more than there is
    seldom = step("RandomGaussianBlur", options)
    with pytest.raises(OptionError, match="RandomGaussianBlur fails on pictures of 32x32") as caught:
        check_augment([FLIP, seldom], 32, (32, 32))
    assert caught.value.path == (1, "RandomGaussianBlur")


def test_the_check_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    check_augment([CROP, SHRINK, FLIP], 32, (16, 16))
    assert torch.equal(state, torch.get_rng_state())


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 40), st.integers(4, 40), st.integers(4, 40))
def test_the_check_agrees_with_the_run(side, crop, size):
    steps = [step("RandomCrop", {"size": [crop, crop]})]
    try:
        check_augment(steps, side, (size, size))
    except OptionError:
        assert crop > side or crop != size
    else:
        assert augmenter(steps, (size, size))(pictures(2, side)).shape == (2, 3, size, size)
