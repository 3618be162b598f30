from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from striate.graph.naming import Scope


def test_layers_are_counted_by_kind() -> None:
    scope = Scope()
    words = ["conv", "relu", "conv", "pool", "fc"]
    assert [scope.counted(word) for word in words] == ["conv1", "relu1", "conv2", "pool1", "fc1"]


def test_a_word_that_ends_in_a_digit_is_kept_apart_from_its_count() -> None:
    scope = Scope("head")
    assert [scope.counted("relu6"), scope.counted("relu6")] == ["head.relu6_1", "head.relu6_2"]


def test_counts_step_around_labels() -> None:
    scope = Scope()
    assert scope.labelled("conv1") == "conv1"
    assert scope.counted("conv") == "conv2"


def test_names_of_the_text_are_kept_for_it() -> None:
    scope = Scope("stage1")
    scope.keep(["conv1", "stem"])
    assert scope.counted("conv") == "stage1.conv2"
    assert scope.labelled("conv1") == "stage1.conv1"


def test_a_label_given_again_is_numbered() -> None:
    scope = Scope()
    assert [scope.labelled("a") for _ in range(3)] == ["a", "a_2", "a_3"]


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["conv", "conv1", "conv_2", "relu6", "relu6_1"])),
        max_size=30,
    )
)
def test_no_name_is_given_twice(wishes: list[tuple[bool, str]]) -> None:
    scope = Scope("s")
    names = [scope.labelled(word) if label else scope.counted(word) for label, word in wishes]
    assert len(set(names)) == len(names)
