"""The pictures and the page that a training leaves in its run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from striate.drawing import draw_network, render_scene
from striate.drawing.plots import heatmap, reliability
from striate.drawing.scene import Scene
from striate.files import write_whole
from striate.seeing.curves import curve_scenes, side_by_side
from striate.seeing.filters import first_filters
from striate.seeing.mistakes import worst_mistakes
from striate.seeing.sections import Evidence, report_page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from striate.data import Part
    from striate.modules import Network
    from striate.training.clock import Row
    from striate.training.run import Run
    from striate.training.testing import TestResult

REPORT = "report.html"
_MOST_CLASSES = 100
"""Beyond them a confusion matrix has no room."""


def write_report(
    run: Run,
    network: Network,
    test: TestResult | None,
    part: Part,
    probabilities: NDArray[np.float32] | None,
    rows: Sequence[Row],
) -> list[Path]:
    """Write what there is to see of a run into its folder; returns the files.

    Curves, confusion matrix, calibration, first-layer filters, worst mistakes, the network's
    drawing, and `report.html`, which holds all of them. `test`, and `probabilities` N×K for the
    pictures of `part`, are None for a run without a test; what rests on them is left out then.
    Raises OSError when the folder cannot be written.
    """
    curves = curve_scenes(rows)
    graph = replace(network.graph, name=run.record.network)
    drawing = draw_network(graph)
    filters = first_filters(network)
    scenes = {"curves.svg": side_by_side(curves, "Training")}
    scenes["network.svg"] = drawing
    if filters:
        scenes["filters.png"] = filters.scene()
    confusion = calibration = mistakes = None
    files: dict[str, bytes | str] = {}
    if test is not None and probabilities is not None:
        confusion = confusion_scene(test)
        calibration = calibration_scene(test)
        mistakes = worst_mistakes(part, probabilities, run.record.classes)
        scenes["calibration.svg"] = calibration
        scenes["mistakes.png"] = mistakes.scene()
        if confusion:
            scenes["confusion.svg"] = confusion
        files["mistakes.csv"] = mistakes.to_csv()
    for name, scene in scenes.items():
        files[name] = render_scene(scene, name.rpartition(".")[2])
    for name in ("curves", "confusion", "calibration"):
        if f"{name}.svg" in scenes:
            files[f"{name}.png"] = render_scene(scenes[f"{name}.svg"], "png")
    evidence = Evidence(curves, drawing, filters, confusion, calibration, mistakes)
    files[REPORT] = report_page(run, graph, test, evidence)
    for name, content in files.items():
        write_whole(run.folder / name, content)
    return [run.folder / name for name in sorted(files)]


def confusion_scene(test: TestResult) -> Scene | None:
    """The confusion matrix; None when there are too many classes to show."""
    metrics = test.metrics
    if len(metrics.classes) > _MOST_CLASSES:
        return None
    return heatmap(metrics.confusion.tolist(), metrics.classes, "Confusion")


def calibration_scene(test: TestResult) -> Scene:
    """The reliability diagram."""
    found = test.metrics.calibration
    title = f"Calibration error {100 * found.error:.1f} %"
    return reliability(found.confidence, found.accuracy, found.counts, title=title)
