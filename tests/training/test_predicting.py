from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import DataSet, read_picture
from striate.errors import UserError
from striate.modules import Network
from striate.training.evaluate import Views, probabilities
from striate.training.predicting import predict
from striate.training.run import Run, open_run, write_record

from .conftest import NORMALISE


def test_a_picture_gets_the_classes_of_the_network_in_order(
    run: Run, pictures: Path, trained: Network
) -> None:
    file = sorted(pictures.glob("*/*"))[0]
    [found] = predict(run, [file])
    pixels = read_picture(file, run.record.preprocess)
    expected = probabilities(trained, pixels[None], NORMALISE)[0]
    order = np.argsort(-expected)[:5]
    assert found.file == str(file)
    assert [name for name, _ in found.classes] == [run.record.classes[i] for i in order]
    np.testing.assert_allclose([p for _, p in found.classes], expected[order], rtol=1e-5)


def test_many_pictures_come_in_natural_order_and_right(
    run: Run, pictures: Path, digits: DataSet
) -> None:
    found = list(predict(run.folder, [pictures], top=1))
    assert [p.file for p in found] == [str(f) for f in sorted(pictures.glob("*/*"))]
    right = [Path(p.file).parent.name == p.classes[0][0] for p in found]
    assert sum(right) > 50


def test_more_pictures_than_a_batch_keep_their_places(
    run: Run, tmp_path: Path, digits: DataSet
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(200):
        Image.fromarray(digits.test.images[index, :, :, 0]).save(folder / f"{index}.png")
    for index in (0, 63, 64, 130, 199):
        (folder / f"{index}.png").write_bytes(b"no picture")
    predictions = predict(run, [folder], top=1)
    found = list(predictions)
    assert [p.file for p in found] == [str(folder / f"{i}.png") for i in range(200)]
    assert [i for i, p in enumerate(found) if p.error] == [0, 63, 64, 130, 199]
    expected = probabilities(run.load_network(), digits.test.images[:200], NORMALISE).argmax(1)
    assert all(p.error or p.classes[0][0] == str(expected[i]) for i, p in enumerate(found))
    assert (predictions.done, predictions.failed, predictions.exit_status) == (200, 5, 1)


def test_unreadable_pictures_are_told_with_their_reason(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("some text")
    predictions = predict(run, [bad])
    [found] = predictions
    assert found.classes == ()
    assert found.error == ("not a picture (expected JPEG, PNG, BMP, GIF, WebP, TIFF, PPM or PGM)")
    assert predictions.exit_status == 2


def test_all_read_is_status_0(run: Run, pictures: Path) -> None:
    predictions = predict(run, [pictures])
    assert len(list(predictions)) == 60
    assert predictions.exit_status == 0


def test_preprocessing_is_the_runs(run: Run, tmp_path: Path, digits: DataSet) -> None:
    large = Image.fromarray(digits.test.images[0, :, :, 0]).resize((80, 60)).convert("RGB")
    large.save(tmp_path / "large.png")
    [found] = predict(run, [tmp_path / "large.png"], top=10)
    pixels = read_picture(tmp_path / "large.png", run.record.preprocess)
    assert pixels.shape == (8, 8, 1)
    expected = probabilities(run.load_network(), pixels[None], run.record.normalise)[0]
    assert dict(found.classes) == pytest.approx(
        dict(zip(run.record.classes, expected.tolist(), strict=True)), rel=1e-5
    )


def test_a_run_that_learned_mirrored_pictures_sees_both_sides(run: Run, pictures: Path) -> None:
    file = sorted(pictures.glob("*/*"))[0]
    settings = replace(run.record.settings, flip=True)
    write_record(run.folder, replace(run.record, settings=settings))
    [found] = predict(run.folder, [file], top=10)
    pixels = read_picture(file, run.record.preprocess)[None]
    expected = probabilities(run.load_network(), pixels, NORMALISE, views=Views(flip=True))[0]
    assert dict(found.classes) == pytest.approx(
        dict(zip(run.record.classes, expected.tolist(), strict=True)), rel=1e-5
    )


def test_top_is_bounded_by_the_classes(run: Run, pictures: Path) -> None:
    file = next(pictures.glob("*/*"))
    [found] = predict(run, [file], top=99)
    assert len(found.classes) == 10
    assert sum(p for _, p in found.classes) == pytest.approx(1, abs=1e-5)


def test_bad_calls_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^top is 0; expected a whole number, 1 or more$"):
        predict(run, [tmp_path], top=0)
    with pytest.raises(UserError, match=r"nothing\.png: no such file or folder\.$"):
        predict(run, [tmp_path / "nothing.png"])
    with pytest.raises(UserError, match="no picture was named"):
        predict(run, [])


def test_json_is_one_array(run: Run, pictures: Path) -> None:
    (pictures / "bad.jpg").write_text("text")
    text = "\n".join(predict(run, [pictures], top=2).lines("json"))
    content = json.loads(text)
    assert len(content) == 61
    bad = [entry for entry in content if "error" in entry]
    assert [Path(entry["file"]).name for entry in bad] == ["bad.jpg"]
    assert [set(pair) for pair in content[0]["classes"]] == [{"class", "probability"}] * 2


def test_csv_has_a_row_for_every_file(run: Run, pictures: Path) -> None:
    (pictures / 'a "quoted", name.png').write_text("text")
    rows = list(csv.DictReader(predict(run, [pictures], top=2).lines("csv")))
    assert len(rows) == 61
    assert list(rows[0]) == [
        "file", "error", "class 1", "probability 1", "class 2", "probability 2"
    ]  # fmt: skip
    bad = next(row for row in rows if row["error"])
    assert bad["file"].endswith('a "quoted", name.png') and bad["class 1"] == ""
    assert 0 < float(rows[0]["probability 1"]) <= 1


def test_the_table_of_one_picture_has_a_line_for_each_class(run: Run, pictures: Path) -> None:
    file = next(pictures.glob("3/*"))
    lines = list(predict(run, [file], top=3).lines("table"))
    assert lines[0] == str(file)
    assert len(lines) == 4
    assert lines[1].startswith("  3  ") and "%" in lines[1] and "█" in lines[1]


def test_the_table_of_many_has_a_line_for_each_within_100_columns(run: Run, pictures: Path) -> None:
    classes = tuple(f"{'long ' * 9}class {i}" for i in range(10))
    write_record(run.folder, replace(run.record, classes=classes))
    (pictures / "bad.jpg").write_text("text")
    lines = list(predict(open_run(run.folder), [pictures]).lines("table"))
    assert len(lines) == 61
    bad = [line for line in lines if "  not read: not a picture (expected" in line]
    assert len(bad) == 1
    assert all(len(line) <= 100 and line.endswith(" %") for line in lines if line not in bad)


def test_only_what_is_needed_is_imported(run: Run, pictures: Path) -> None:
    file = next(pictures.glob("*/*"))
    code = (
        "import sys\nfrom striate.training.predicting import predict\n"
        f"assert len(list(predict({str(run.folder)!r}, [{str(file)!r}]))) == 1\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name.split(".")[0] for name in done.stdout.split()}
    assert not names & {"torchvision", "sklearn", "scipy", "sympy", "matplotlib"}
