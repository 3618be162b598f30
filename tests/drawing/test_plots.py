from io import BytesIO
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from striate.drawing.plots import Series, heatmap, image_grid, line_plot, reliability
from striate.drawing.scene import Circle, Group, Image, Line, Rect, flat

EPOCHS = list(range(1, 31))


def _plot(*series, **settings):
    return line_plot(series, title="Loss", x_label="epoch", y_label="cross-entropy", **settings)


def _curves(scene):
    return {
        group.title: [shape for shape in group.shapes if isinstance(shape, Line)]
        for group in scene.shapes
        if isinstance(group, Group)
    }


def test_curves_with_a_legend(assert_sound, texts):
    training = Series("training", EPOCHS, [2 / n for n in EPOCHS])
    scene = _plot(training, Series("validation", EPOCHS, [2.2 / n for n in EPOCHS]))
    assert_sound(scene)
    assert {"Loss", "epoch", "cross-entropy", "training", "validation"} <= set(texts(scene))
    (curve,) = _curves(scene)["training"]
    assert len(curve.points) == 30
    heights = [y for _, y in curve.points]
    assert heights == sorted(heights)  # falls in the plot, so y grows


def test_equal_steps_in_value_are_equal_steps_in_the_picture_and_on_a_log_axis_equal_ratios():
    (curve,) = _curves(_plot(Series("a", [0, 1, 2], [1, 2, 3])))["a"]
    y = [point[1] for point in curve.points]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2])
    (curve,) = _curves(_plot(Series("a", [0, 1, 2], [1, 10, 100]), log_y=True))["a"]
    y = [point[1] for point in curve.points]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2])


def test_values_that_are_not_finite_leave_gaps(assert_sound):
    scene = _plot(Series("a", [1, 2, 3, 4, 5, 6], [1.0, 2.0, nan, 3.0, inf, 4.0]))
    assert [len(line.points) for line in _curves(scene)["a"]] == [2]
    dots = [shape for shape in flat(scene.shapes) if isinstance(shape, Circle)]
    assert len(dots) == 4
    assert_sound(scene)


def test_no_points_at_all(texts):
    assert "nothing to show yet" in texts(_plot())
    assert "nothing to show yet" in texts(_plot(Series("a", [1], [nan])))
    assert "nothing to show yet" in texts(_plot(Series("a", [1, 2], [0.0, -1.0]), log_y=True))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.floats(allow_nan=True, width=32), max_size=8), max_size=5),
    st.booleans(),
    st.text(max_size=80),
)
def test_any_numbers_and_names_give_a_sound_plot(assert_sound, columns, log_y, name):
    series = [Series(f"{name}{i}", range(len(y)), y) for i, y in enumerate(columns)]
    assert_sound(_plot(*series, log_y=log_y))


def _matrix(count):
    return [[(90 if i == j else (i * 7 + j) % 5) for j in range(count)] for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 10, 20, 21, 100])
def test_confusion_matrices_of_any_size(assert_sound, texts, count):
    labels = [f"a rather long class name, number {i}" for i in range(count)]
    scene = heatmap(_matrix(count), labels, "Confusion on the test images")
    assert_sound(scene)
    assert ("90" in texts(scene)) == (count <= 20)


def test_colour_is_the_share_of_the_row():
    scene = heatmap([[1, 1], [0, 1000]], ["cat", "dog"], "Confusion")
    cells = [shape.fill for shape in scene.shapes if isinstance(shape, Rect) and shape.fill]
    right_half, wrong_half, none, right_whole = cells
    assert right_whole == "#005a96"
    assert none == "#ffffff"
    assert right_half not in (right_whole, wrong_half)


def test_a_class_without_images_is_white():
    scene = heatmap([[0, 0], [1, 2]], ["cat", "dog"], "Confusion")
    cells = [shape.fill for shape in scene.shapes if isinstance(shape, Rect) and shape.fill]
    assert cells[:2] == ["#ffffff", "#ffffff"]


@pytest.mark.parametrize(
    ("matrix", "labels"), [([[1]], ["a", "b"]), ([[1, 2]], ["a"]), (_matrix(101), list(range(101)))]
)
def test_a_matrix_that_does_not_fit_its_labels(matrix, labels):
    with pytest.raises(ValueError, match="cannot be shown"):
        heatmap(matrix, labels, "Confusion")


def test_calibration(assert_sound):
    scene = reliability([0.25, 0.75, 0.95], [0.25, 0.5, 0.9], [10, 0, 90])
    assert_sound(scene)
    dots = [shape for shape in flat(scene.shapes) if isinstance(shape, Circle)]
    assert len(dots) == 2  # the bin without images is left out
    assert dots[1].radius > dots[0].radius
    assert "10 images: confidence 0.250, accuracy 0.250" in [
        shape.title for shape in scene.shapes if isinstance(shape, Group)
    ]


def _png(colour):
    buffer = BytesIO()
    Pictures.new("RGB", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("count", [0, 1, 8, 9, 30])
def test_a_grid_of_pictures(assert_sound, count):
    captions = [f"true class {i}\nsaid automobile 0.98" for i in range(count)]
    scene = image_grid([_png("red")] * count, captions, title="The worst mistakes")
    assert_sound(scene)
    images = [shape for shape in scene.shapes if isinstance(shape, Image)]
    assert len(images) == count
    assert len({image.y for image in images}) == -(-count // 8)


def test_a_grid_without_captions_is_tighter():
    pictures = [_png("blue")] * 9
    with_captions = image_grid(pictures, ["a"] * 9, columns=3)
    assert image_grid(pictures, columns=3).height < with_captions.height
