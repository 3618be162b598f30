from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from striate.data.finding import BUILT_IN, find, native_shape
from striate.data.pictures import Preprocess
from striate.data.pools import ArrayPool
from striate.errors import UserError

Photos = Callable[..., Path]


def two_classes(root: Path, photos: Photos, size: tuple[int, int] = (8, 6)) -> Path:
    photos(root / "a", 2, size=size)
    photos(root / "b", 2, size=size)
    return root


class TestNativeShape:
    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("digits", (1, 8, 8)),
            ("mnist", (1, 28, 28)),
            ("fashion-mnist", (1, 28, 28)),
            ("cifar10", (3, 32, 32)),
            ("cifar100", (3, 32, 32)),
        ],
    )
    def test_built_in(self, name: str, shape: tuple[int, int, int]) -> None:
        assert native_shape(name) == shape

    def test_one_size(self, tmp_path: Path, photos: Photos) -> None:
        assert native_shape(str(two_classes(tmp_path, photos))) == (3, 6, 8)

    def test_grey_unless_any_is_coloured(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            Image.new("L", (8, 6)).save(tmp_path / name / "x.png")
        assert native_shape(str(tmp_path)) == (1, 6, 8)
        Image.new("RGB", (8, 6)).save(tmp_path / "b" / "y.png")
        assert native_shape(str(tmp_path)) == (3, 6, 8)

    def test_two_sizes(self, tmp_path: Path, photos: Photos) -> None:
        two_classes(tmp_path, photos)
        photos(tmp_path / "c", 1, size=(9, 6))
        assert native_shape(str(tmp_path)) is None

    def test_unreadable_pictures_do_not_count(self, tmp_path: Path, photos: Photos) -> None:
        two_classes(tmp_path, photos)
        (tmp_path / "a" / "broken.jpg").touch()
        assert native_shape(str(tmp_path)) == (3, 6, 8)

    def test_a_sample_of_many_reaches_the_last_class(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 290, size=(2, 2))
        photos(tmp_path / "b", 10, size=(2, 3))
        assert native_shape(str(tmp_path)) is None


class TestNames:
    def test_misspelt(self) -> None:
        with pytest.raises(UserError) as caught:
            find("minst", Path("data"), download=False)
        assert str(caught.value) == (
            "minst: no such folder, and no built-in data set of that name. "
            "Did you mean 'mnist'?\n"
            "Built-in: digits, mnist, fashion-mnist, cifar10, cifar100."
        )

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"), ("cifar-10", "cifar10")],
    )
    def test_near_names(self, typed: str, meant: str) -> None:
        with pytest.raises(UserError, match=f"Did you mean '{meant}'"):
            native_shape(typed)

    def test_like_nothing(self) -> None:
        with pytest.raises(UserError) as caught:
            native_shape("holidays")
        assert str(caught.value) == (
            "holidays: no such folder, and no built-in data set of that name.\n"
            "Built-in: digits, mnist, fashion-mnist, cifar10, cifar100."
        )

    def test_a_folder_goes_before_a_built_in_set(
        self, tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        two_classes(tmp_path / "digits", photos)
        assert find("digits", Path("data"), download=False).root is None
        monkeypatch.chdir(tmp_path)
        found = find("digits", Path("data"), download=False)
        assert found.root == str(tmp_path / "digits")
        assert found.notices == (
            "'digits' is read from the folder ./digits; "
            "the built-in set of that name is used where there is no such folder",
        )

    def test_an_unrelated_folder_in_the_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "digits" / "only").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        for look in (native_shape, lambda spec: find(spec, Path("data"), download=False)):
            with pytest.raises(UserError) as caught:
                look("digits")
            lines = str(caught.value).splitlines()
            assert lines[0] == "digits: no picture found."
            assert lines[-1] == (
                "('digits' is read from the folder ./digits; "
                "the built-in set of that name is used where there is no such folder.)"
            )

    def test_a_folder_without_a_name_of_its_own(
        self, tmp_path: Path, photos: Photos, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(two_classes(tmp_path / "pets", photos))
        assert find(".", Path("data"), download=False).name == "pets"

    def test_sizes_that_differ(self, tmp_path: Path, photos: Photos) -> None:
        two_classes(tmp_path, photos)
        photos(tmp_path / "c", 1, size=(9, 6))
        with pytest.raises(UserError) as caught:
            find(str(tmp_path), Path("data"), download=False).native_preprocess()
        assert str(caught.value) == (
            f"{tmp_path}: the pictures differ in size, so there is no size to keep.\n"
            "Fix: name the size to bring them to, such as 'input 3x96x96' in the network."
        )

    def test_names_are_distinct(self) -> None:
        assert BUILT_IN == ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100")


class TestFingerprint:
    def fingerprint(self, root: Path, channels: int = 3) -> str:
        found = find(str(root), Path("data"), download=False)
        return found.fingerprint(Preprocess(channels, 6, 8))

    def test_changes_with_pictures_classes_and_preprocess(
        self, tmp_path: Path, photos: Photos
    ) -> None:
        two_classes(tmp_path, photos)
        seen = {self.fingerprint(tmp_path), self.fingerprint(tmp_path, 1)}
        photos(tmp_path / "a", 3)
        seen.add(self.fingerprint(tmp_path))
        (tmp_path / "a").rename(tmp_path / "z")
        seen.add(self.fingerprint(tmp_path))
        assert len(seen) == 4

    def test_does_not_change_with_place_and_time(self, tmp_path: Path, photos: Photos) -> None:
        one = self.fingerprint(two_classes(tmp_path / "one", photos))
        assert self.fingerprint(two_classes(tmp_path / "two", photos)) == one

    def test_of_arrays(self) -> None:
        digits = find("digits", Path("data"), download=False)
        again = find("digits", Path("data"), download=False)
        preprocess = digits.native_preprocess()
        assert digits.fingerprint(preprocess) == again.fingerprint(preprocess)
        pool = again.pools["train"]
        assert isinstance(pool, ArrayPool)
        other = pool.images.copy()
        other[0, 0, 0, 0] ^= 1
        assert ArrayPool(pool.prefix, other, pool.labels).stamp != pool.stamp
