import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import ndimage, stats
from torch.nn import functional as F

from inpaintkit.components import masks as m
from inpaintkit.components.shapes import below, cubic, near_segment
from inpaintkit.core.errors import OptionError
from inpaintkit.runtime.seeds import generator

SAMPLERS = [
    m.CenterSquare(9),
    m.CenterSquare(5, (-5, 4)),
    m.RandomSquare(3, 12),
    m.RandomRectangles(2, 14),
    m.RandomRectangles(2, 8, 2, 5),
    m.Strokes(),
    m.RandomPixels(0.8),
    m.RandomPattern(),
    m.Half(),
    m.Half("top"),
    m.Outpainting(),
]
DETERMINISTIC = (m.CenterSquare, m.Outpainting)
by_name = pytest.mark.parametrize("sampler", SAMPLERS, ids=str)


def bounding_box(mask):
    """(top, left, height, width) of what is set in a (H, W) mask."""
    rows, columns = np.nonzero(mask.numpy())
    return rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1


@by_name
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 15)])
def test_masks_are_binary_float32_of_the_asked_shape(sampler, size):
    drawn = sampler(5, size, generator(1))
    assert drawn.shape == (5, 1, *size)
    assert drawn.dtype == torch.float32
    assert drawn.is_contiguous()
    assert set(drawn.unique().tolist()) <= {0.0, 1.0}
    assert (drawn.flatten(1).sum(1) > 0).all()


@by_name
def test_the_generator_alone_decides(sampler):
    torch.manual_seed(0)
    first = sampler(6, (20, 20), generator(3))
    torch.manual_seed(9)
    state = torch.get_rng_state()
    assert torch.equal(first, sampler(6, (20, 20), generator(3)))
    assert torch.equal(state, torch.get_rng_state())
    if not isinstance(sampler, DETERMINISTIC) and sampler != m.Half("top"):
        assert not torch.equal(first, sampler(6, (20, 20), generator(4)))


@by_name
def test_each_picture_has_its_own_mask(sampler):
    distinct = {mask.numpy().tobytes() for mask in sampler(12, (40, 40), generator(0))}
    if isinstance(sampler, DETERMINISTIC) or sampler == m.Half("top"):
        assert len(distinct) == 1
    elif sampler == m.Half():
        assert len(distinct) == 4
    else:
        assert len(distinct) >= 11


@by_name
def test_one_draw_does_not_leak_memory_into_another(sampler):
    drawn = sampler(3, (20, 20), generator(0))
    kept = drawn.clone()
    drawn[0] = 1 - drawn[0]
    assert torch.equal(drawn[1:], kept[1:])


@pytest.mark.parametrize(("size", "side"), [((8, 8), 4), ((9, 8), 3), ((7, 12), 7), ((5, 5), 1)])
def test_the_center_square_is_in_the_center(size, side):
    mask = m.center_squares(2, size, generator(0), side=side)[1, 0]
    top, left, height, width = bounding_box(mask)
    assert (height, width) == (side, side)
    assert mask.sum() == side * side
    assert 0 <= size[0] - side - 2 * top <= 1
    assert 0 <= size[1] - side - 2 * left <= 1


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_offset_moves_the_center_square_down_and_right_as_far_as_it_fits(data):
    size = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    side = data.draw(st.integers(1, min(size)))
    offset = data.draw(st.tuples(st.integers(-12, 12), st.integers(-12, 12)))
    top, left, *_ = bounding_box(m.center_squares(1, size, generator(0), side=side)[0, 0])
    top, left = top + offset[0], left + offset[1]
    if 0 <= top <= size[0] - side and 0 <= left <= size[1] - side:
        mask = m.center_squares(2, size, generator(0), side=side, offset=offset)[1, 0]
        assert bounding_box(mask) == (top, left, side, side)
        assert mask.sum() == side * side
    else:
        with pytest.raises(OptionError, match="leaves a picture of") as caught:
            m.center_squares(2, size, generator(0), side=side, offset=offset)
        assert caught.value.path == ("offset",)


def test_the_refusal_of_an_offset_names_the_possible_ones():
    words = r"at offset \(4, 0\) .* 9x8 .*: -2 to 3 rows and -2 to 2 columns are possible"
    with pytest.raises(OptionError, match=words):
        m.center_squares(1, (9, 8), generator(0), side=4, offset=(4, 0))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_squares_are_whole_squares_of_an_allowed_side(data):
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    largest = data.draw(st.integers(1, min(size)))
    smallest = data.draw(st.integers(1, largest))
    drawn = m.random_squares(4, size, generator(data.draw(st.integers(0, 99))), min=smallest, max=largest)
    for mask in drawn[:, 0]:
        _, _, height, width = bounding_box(mask)
        assert height == width
        assert smallest <= height <= largest
        assert mask.sum() == height * width


def test_side_and_place_of_random_squares_are_uniform():
    drawn = m.random_squares(6000, (10, 12), generator(0), min=3, max=6)[:, 0]
    boxes = np.array([bounding_box(mask) for mask in drawn])
    assert stats.chisquare(np.bincount(boxes[:, 2])[3:7]).pvalue > 1e-3
    four = boxes[boxes[:, 2] == 4]
    assert stats.chisquare(np.bincount(four[:, 0], minlength=7)).pvalue > 1e-3  # 10 - 4 + 1 rows
    assert stats.chisquare(np.bincount(four[:, 1], minlength=9)).pvalue > 1e-3
    assert len(np.bincount(four[:, 0])) == 7
    assert len(np.bincount(four[:, 1])) == 9


def test_sides_of_a_rectangle_are_independent():
    drawn = m.random_rectangles(3000, (16, 16), generator(0), min=2, max=9)[:, 0]
    boxes = np.array([bounding_box(mask) for mask in drawn])
    table = np.histogram2d(boxes[:, 2], boxes[:, 3], bins=[np.arange(2, 11) - 0.5] * 2)[0]
    assert table.min() > 0
    assert stats.chi2_contingency(table).pvalue > 1e-3
    assert (drawn.sum((1, 2)).numpy() == boxes[:, 2] * boxes[:, 3]).all()


def test_the_number_of_rectangles_covers_its_range():
    drawn = m.random_rectangles(300, (200, 200), generator(0), min=2, max=3, fewest=1, most=5)[:, 0]
    counts = [ndimage.label(mask.numpy())[1] for mask in drawn]  # small ones seldom touch
    assert set(counts) == {1, 2, 3, 4, 5}
    few = m.random_rectangles(50, (200, 200), generator(0), min=2, max=3, fewest=3, most=3)[:, 0]
    assert max(ndimage.label(mask.numpy())[1] for mask in few) == 3


@pytest.mark.parametrize("ratio", [0.01, 0.25, 0.8])
@pytest.mark.parametrize("draw", [m.random_pixels, m.random_pattern])
def test_the_stated_ratio_is_hit_exactly(draw, ratio):
    drawn = draw(7, (30, 41), generator(0), ratio=ratio)
    assert drawn.flatten(1).sum(1).tolist() == [round(ratio * 30 * 41)] * 7


def test_random_pixels_favor_no_place():
    hits = m.random_pixels(4000, (6, 6), generator(0), ratio=0.25).sum(0).flatten()
    assert stats.chisquare(hits.numpy()).pvalue > 1e-3


def perimeter(masks):
    """Changes between neighbors, per hidden pixel."""
    changes = (masks.diff(dim=-1).abs().sum() + masks.diff(dim=-2).abs().sum()) / masks.sum()
    return float(changes)


def test_pattern_blobs_grow_as_the_resolution_falls():
    draw = [m.random_pattern(8, (64, 64), generator(0), ratio=0.25, resolution=r) for r in (0.03, 0.06, 0.2, 1.0)]
    edges = [perimeter(masks) for masks in draw]
    assert edges == sorted(edges)
    assert edges[1] < 0.3 < 1.5 < edges[3]


def test_the_pattern_is_what_bicubic_enlarging_gives():
    """At a whole factor and phase 0 the weights must be those of torch's own bicubic kernel (a = -0.5, antialiased)."""
    noise = torch.rand(1, 1, 9, 9, generator=generator(0), dtype=torch.float64)
    at = 3 + torch.arange(8, dtype=torch.float64) / 8 + 1 / 16
    weights = cubic(at[:, None] - torch.arange(9))
    torch.testing.assert_close(weights.sum(1), torch.ones(8, dtype=torch.float64))
    enlarged = F.interpolate(noise, scale_factor=8, mode="bicubic", antialias=True)
    start = 3 * 8 + 4  # sample i of the enlarged picture lies at (i + 0.5) / 8 - 0.5
    expected = enlarged[0, 0, start : start + 8, start : start + 8]
    torch.testing.assert_close(weights @ noise[0, 0] @ weights.mT, expected)


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (2, 2)])
def test_halves(size):
    height, width = size
    expected = {
        "left": (slice(None), slice(0, width // 2)),
        "right": (slice(None), slice(width - width // 2, None)),
        "top": (slice(0, height // 2), slice(None)),
        "bottom": (slice(height - height // 2, None), slice(None)),
    }
    for side, region in expected.items():
        mask = torch.zeros(size)
        mask[region] = 1
        assert torch.equal(m.halves(1, size, generator(0), side=side)[0, 0], mask)
    at_random = m.halves(400, size, generator(0))
    four = [m.halves(1, size, generator(0), side=side)[0] for side in expected]
    counts = [sum(torch.equal(mask, half) for mask in at_random) for half in four]
    assert sum(counts) == 400
    assert min(counts) > 60


def test_outpainting_keeps_the_middle():
    mask = m.outpainting_frames(2, (8, 12), generator(0), border=0.25)[1, 0]
    expected = torch.ones(8, 12)
    expected[2:6, 3:9] = 0
    assert torch.equal(mask, expected)
    assert m.outpainting_frames(1, (8, 8), generator(0), border=0.01).sum() == 28  # one pixel at least


def test_segments_are_drawn_by_distance():
    start = torch.tensor([[4.0, 5.5], [3.0, 3.0], [9.0, 1.0]])
    end = torch.tensor([[17.0, 9.0], [3.0, 3.0], [1.0, 18.0]])
    reach = torch.tensor([3.0, 2.0, -1.0])
    rows, columns = torch.arange(20)[:, None], torch.arange(22)[None]
    drawn = near_segment(rows, columns, start, end, reach)
    for a, b, radius, got in zip(start.double(), end.double(), reach, drawn, strict=True):
        for y in range(20):
            for x in range(22):
                p = torch.tensor([y, x]).double()
                t = float((p - a) @ (b - a) / ((b - a) @ (b - a)).clamp_min(1e-9))
                distance = math.dist(p, a + min(max(t, 0), 1) * (b - a))
                if abs(distance - radius) > 1e-3:
                    assert got[y, x] == (distance < radius), (y, x)
    assert not drawn[2].any()


def test_strokes_are_connected_and_as_wide_as_said():
    three = m.strokes(40, (96, 96), generator(0), fewest=1, most=1, min_vertices=3, max_vertices=3)[:, 0].numpy()
    assert {ndimage.label(mask, np.ones((3, 3)))[1] for mask in three} == {1}
    straight = {"fewest": 1, "most": 1, "min_vertices": 1, "max_vertices": 1, "min_width": 0.1, "max_width": 0.1}
    pieces = m.strokes(40, (96, 96), generator(0), **straight)[:, 0].numpy()
    depth = [ndimage.distance_transform_edt(mask).max() for mask in pieces]  # more only where the border cuts
    assert abs(np.median(depth) - 4.8) < 0.7
    wide = m.strokes(40, (96, 96), generator(0), min_width=0.3, max_width=0.3)
    thin = m.strokes(40, (96, 96), generator(0), min_width=0.02, max_width=0.02)
    assert wide.mean() > 4 * thin.mean()


def test_more_strokes_and_more_pieces_hide_more():
    def hidden(**options):
        return float(m.strokes(100, (48, 48), generator(0), **options).mean())

    assert hidden(fewest=4, most=4) > 1.5 * hidden(fewest=1, most=1)
    assert hidden(min_vertices=12, max_vertices=12) > 1.5 * hidden(min_vertices=1, max_vertices=1)
    assert hidden(max_length=0.6) > 1.2 * hidden(max_length=0.1)


def test_below_reaches_every_value_and_no_more():
    drawn = below(torch.tensor([[1, 2, 5]]).expand(2000, 3), generator(0))
    assert [sorted(column.unique().tolist()) for column in drawn.T] == [[0], [0, 1], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("make", "paths"),
    [
        (lambda: m.RandomSquare(8, 4), [("min",)]),
        (lambda: m.RandomSquare(0, -1), [("min",), ("max",)]),
        (lambda: m.CenterSquare(0), [("side",)]),
        (lambda: m.RandomRectangles(5, 3, 4, 2), [("min",), ("fewest",)]),
        (lambda: m.RandomPixels(0.0), [("ratio",)]),
        (lambda: m.RandomPixels(1.0), [("ratio",)]),
        (lambda: m.RandomPattern(0.25, 2.0), [("resolution",)]),
        (lambda: m.Outpainting(0.5), [("border",)]),
        (lambda: m.Strokes(min_width=0.5, max_width=0.1), [("min_width",)]),
        (lambda: m.Strokes(max_length=0, fewest=0, min_vertices=0), [("max_length",), ("fewest",), ("min_vertices",)]),
        (lambda: m.Strokes(fewest=5, min_vertices=13), [("fewest",), ("min_vertices",)]),
        (lambda: m.RandomPixels(math.nan), [("ratio",)]),
    ],
)
def test_refused_options_are_named_all_together(make, paths):
    with pytest.raises(OptionError) as caught:
        make()
    assert [error.path for error in caught.value.problems] == paths


def test_an_unknown_side_has_a_nearest():
    with pytest.raises(OptionError, match="did you mean 'left'") as caught:
        m.Half("lefft")
    assert caught.value.path == ("side",)


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (m.CenterSquare(33), "33 pixels does not fit into a picture of 32x40"),
        (m.RandomSquare(8, 33), "33 pixels does not fit into a picture of 32x40"),
        (m.RandomRectangles(8, 33), "33 pixels does not fit into a picture of 32x40"),
    ],
)
def test_a_hole_larger_than_the_picture_says_both_sizes(sampler, said):
    with pytest.raises(OptionError, match=said):
        sampler(1, (32, 40), generator(0))


def test_a_frame_that_leaves_nothing_is_refused():
    with pytest.raises(OptionError, match="leaves nothing of a picture of 2x9"):
        m.Outpainting(0.3)(1, (2, 9), generator(0))


def test_a_hole_may_be_the_whole_picture():
    assert m.CenterSquare(6)(1, (6, 6), generator(0)).all()


@pytest.mark.gpu
@by_name
def test_masks_are_drawn_on_the_device_of_the_generator(sampler):
    drawn = sampler(4, (32, 32), generator(0, "cuda"))
    assert drawn.device.type == "cuda"
    assert torch.equal(drawn, sampler(4, (32, 32), generator(0, "cuda")))
