"""Every metric against scikit-learn, statsmodels' published values or a closed form."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from striate.training.metrics import (
    Labels,
    Probabilities,
    calibrate,
    confusion,
    log_loss,
    measure,
    per_class,
    top_k,
    wilson,
)


def some(
    count: int, classes: int, seed: int = 0, sharpness: float = 2.0
) -> tuple[Probabilities, Labels]:
    draw = np.random.default_rng(seed)
    scores = sharpness * draw.normal(size=(count, classes))
    labels = draw.integers(0, classes, count)
    scores[np.arange(count), labels] += 1
    powers = np.exp(scores)
    return (powers / powers.sum(1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_is_the_published_one(
    right: int, count: int, low: float, high: float
) -> None:
    assert wilson(right, count) == pytest.approx((low, high), abs=5e-5)


@given(count=st.integers(1, 10**6), share=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_the_wilson_bounds_solve_the_score_equation(count: int, share: float) -> None:
    right = round(share * count)
    observed = right / count
    for bound in wilson(right, count):
        variance = bound * (1 - bound) / count
        assert abs(observed - bound) == pytest.approx(1.959963984540054 * variance**0.5, abs=1e-9)


@given(count=st.integers(0, 1000), share=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_the_wilson_interval_holds_the_share_and_mirrors(count: int, share: float) -> None:
    right = round(share * count)
    low, high = wilson(right, count)
    assert 0 <= low <= right / max(1, count) <= high <= 1
    assert wilson(count - right, count) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_the_confusion_matrix_is_scikit_learns() -> None:
    probabilities, labels = some(500, 7)
    said = probabilities.argmax(1)
    expected = oracle.confusion_matrix(labels, said, labels=range(7))
    assert confusion(labels, said, 7).tolist() == expected.tolist()


def test_scores_per_class_are_scikit_learns() -> None:
    probabilities, labels = some(300, 6)
    said = probabilities.argmax(1)
    expected = oracle.precision_recall_fscore_support(labels, said, labels=range(6))
    scores = per_class(confusion(labels, said, 6), list("abcdef"))
    found = [[getattr(s, name) for s in scores] for name in ("precision", "recall", "f1")]
    np.testing.assert_allclose(found, expected[:3])
    assert [score.support for score in scores] == expected[3].tolist()
    assert [score.name for score in scores] == list("abcdef")


def test_a_class_without_pictures_has_no_scores_but_may_be_said() -> None:
    matrix = confusion(np.array([0, 0, 1]), np.array([0, 2, 1]), 4)
    _, _, third, fourth = per_class(matrix, list("abcd"))
    assert (third.precision, third.support) == (0.0, 0)
    assert math.isnan(third.recall) and math.isnan(third.f1)
    assert math.isnan(fourth.precision) and math.isnan(fourth.recall)


def test_top_k_is_scikit_learns() -> None:
    probabilities, labels = some(400, 12)
    for k in (1, 3, 5):
        expected = oracle.top_k_accuracy_score(labels, probabilities, k=k, labels=range(12))
        assert top_k(probabilities, labels, k) == pytest.approx(expected)


def test_top_k_breaks_ties_as_the_prediction_does() -> None:
    even = np.full((1, 12), 1 / 12, np.float32)
    assert even.argmax() == 0
    assert [top_k(even, np.array([label]), 1) for label in range(3)] == [1.0, 0.0, 0.0]
    assert [top_k(even, np.array([label]), 5) for label in range(3, 7)] == [1.0, 1.0, 0.0, 0.0]


def test_log_loss_is_scikit_learns() -> None:
    probabilities, labels = some(300, 5)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    expected = oracle.log_loss(labels, exact, labels=range(5))
    assert log_loss(probabilities, labels) == pytest.approx(expected, rel=1e-5)


def test_log_loss_of_what_was_held_impossible_is_bounded() -> None:
    certain = np.array([[1.0, 0.0]], np.float32)
    assert log_loss(certain, np.array([1])) == pytest.approx(23 * math.log(2))
    assert log_loss(certain, np.array([0])) == 0


def plain_calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Guo et al. 2017, equations 2, 3 and 5, bin by bin."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    total = 0.0
    for m in range(15):
        inside = (confidence > m / 15) & (confidence <= (m + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize("seed", range(5))
def test_the_calibration_error_is_that_of_its_definition(seed: int) -> None:
    probabilities, labels = some(300, 4, seed)
    found = calibrate(probabilities, labels)
    assert found.error == pytest.approx(plain_calibration_error(probabilities, labels))
    assert found.error > 0.01
    assert sum(found.counts) == 300 and len(found.counts) == 15


def test_calibration_of_a_hand_made_case() -> None:
    probabilities = np.array([[0.75, 0.25], [0.75, 0.25], [0.0, 1.0]], np.float32)
    found = calibrate(probabilities, np.array([0, 1, 1]))
    assert found.counts[11] == 2 and found.counts[14] == 1
    assert (found.confidence[11], found.accuracy[11]) == (0.75, 0.5)
    assert (found.confidence[14], found.accuracy[14]) == (1.0, 1.0)
    assert found.error == pytest.approx(2 / 3 * 0.25)
    assert math.isnan(found.confidence[0])


def test_measure_puts_everything_together() -> None:
    probabilities, labels = some(200, 12)
    found = measure(probabilities, labels, [f"class {i}" for i in range(12)])
    assert found.accuracy == oracle.accuracy_score(labels, probabilities.argmax(1))
    assert found.interval[0] < found.accuracy < found.interval[1]
    assert found.top5 is not None and found.top5 > found.accuracy
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["images"] == 200
    assert content["accuracy"] == found.accuracy
    assert content["interval"] == list(found.interval)
    assert np.sum(content["confusion"]) == 200


def test_top5_is_told_from_eleven_classes_up() -> None:
    for classes, told in ((10, False), (11, True)):
        found = measure(*some(20, classes), [str(i) for i in range(classes)])
        assert (found.top5 is not None) is told


def test_one_picture_is_enough_and_json_has_no_nan() -> None:
    found = measure(np.array([[0.9, 0.1]], np.float32), np.array([0]), ["a", "b"])
    assert found.accuracy == 1
    assert found.interval == pytest.approx((1 / (1 + 1.959963984540054**2), 1.0))
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert content["classes"][1] == {
        "name": "b",
        "precision": None,
        "recall": None,
        "f1": None,
        "support": 0,
    }


@pytest.mark.parametrize("count", [0, 2])
def test_shapes_that_do_not_agree_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="cannot be measured"):
        measure(np.zeros((count, 3), np.float32), np.zeros(count, np.int64), ["a", "b"])
