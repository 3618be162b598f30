"""The sections of the report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from striate import __version__, ledgers
from striate.drawing.scene import Scene
from striate.graph import load_graph
from striate.graph.program import is_program
from striate.layers import show
from striate.seeing.filters import Filters
from striate.seeing.html import (
    card,
    cell,
    facts,
    image,
    page,
    paragraph,
    picture,
    section,
    table,
    text,
    word,
)
from striate.seeing.mistakes import Mistake, Mistakes
from striate.sizing.table import big, big_bytes
from striate.training.choosing import ASKED
from striate.training.run import PROGRAM
from striate.training.tables import MOST_CLASSES, percent, top_confusions, worst_first

if TYPE_CHECKING:
    from striate.graph import Graph
    from striate.sizing import Ledger
    from striate.training.metrics import Metrics
    from striate.training.run import Record, Run
    from striate.training.testing import TestResult


@dataclass(frozen=True)
class Evidence:
    """The pictures of a run. None: there is nothing to show, for want of a test or of filters."""

    curves: Sequence[Scene]
    drawing: Scene
    filters: Filters | None
    confusion: Scene | None
    calibration: Scene | None
    mistakes: Mistakes | None


def report_page(run: Run, graph: Graph, test: TestResult | None, evidence: Evidence) -> str:
    """The text of `report.html`."""
    ledger = ledgers.size(graph)
    sections = {"Training": _training(evidence)}
    if test is not None:
        sections["Confusion"] = _confusion(test.metrics, evidence.confusion)
        sections["Classes"] = _classes(test.metrics)
    if evidence.calibration is not None:
        sections["Calibration"] = _calibration(evidence.calibration)
    if evidence.mistakes is not None:
        sections["Mistakes"] = _mistakes(evidence.mistakes)
    sections["Filters"] = _filters(evidence.filters)
    sections["Network"] = _network(run, evidence.drawing, ledger)
    sections["Settings"] = _settings(run)
    links = "\n".join(f'<a href="#{name.lower()}">{name}</a>' for name in sections)
    body = [
        "<header>",
        *_head(run, test, ledger),
        f"<nav>{links}</nav>",
        "</header>",
        "<main>",
        *(section(name.lower(), name, *parts) for name, parts in sections.items()),
        "</main>",
        f"<footer>Written by Striate {__version__}.</footer>",
    ]
    return page(f"{run.name}: report", body)


def _head(run: Run, test: TestResult | None, ledger: Ledger) -> Iterable[str]:
    record = run.record
    yield f"<h1>{text(run.name)}</h1>"
    classes = f"{len(record.classes)} classes"
    shape = show(ledger.input)
    yield paragraph(f"{record.network} on {record.data}: {classes}, images of {shape}")
    cards = [*_result(record, test)]
    cards.append(card(big(ledger.totals.parameters), "parameters"))
    cards.append(card(big(ledger.totals.macs), "MACs an image"))
    if isinstance(seconds := record.results.get("seconds"), int | float):
        epochs = record.results.get("epochs")
        told = f"of training, {epochs:.4g} epochs" if isinstance(epochs, int | float) else "trained"
        cards.append(card(_duration(seconds), told))
    yield f'<div class="cards">{"".join(cards)}</div>'
    if record.results.get("interrupted"):
        yield paragraph("The training was ended early; these are its best weights.")
    notices = dict.fromkeys((*record.notices, *(test.notices if test else ())))
    if notices:
        yield f"<ul>{''.join(f'<li>{text(notice)}</li>' for notice in notices)}</ul>"


def _result(record: Record, test: TestResult | None) -> Iterable[str]:
    if test is None:
        best = record.results.get("val_accuracy")
        if isinstance(best, int | float):
            yield card(percent(best), "accuracy on the validation pictures; no test", "main")
        else:
            yield card("not tested", "there were no pictures to hold out", "main")
        return
    metrics = test.metrics
    low, high = metrics.interval
    told = (
        f"test accuracy (95 % interval {100 * low:.1f} to {100 * high:.1f} %): "
        f"{metrics.right:,} of {metrics.images:,} pictures right"
    )
    yield card(percent(metrics.accuracy, 2), told, "main")
    if metrics.top5 is not None:
        yield card(percent(metrics.top5), "top-5 accuracy")
    yield card(percent(metrics.calibration.error), "calibration error")
    yield card(f"{metrics.log_loss:.3f}", "log-loss")


def _training(evidence: Evidence) -> tuple[str, ...]:
    plots = "".join(picture(scene) for scene in evidence.curves)
    told = (
        "Averages over the training pictures as they were seen, augmented, since the point before; "
        "and over the validation pictures at that point."
    )
    return (f'<div class="row">{plots}</div>', paragraph(told))


def _confusion(metrics: Metrics, scene: Scene | None) -> tuple[str, ...]:
    rows = [
        (
            word(metrics.classes[true]),
            word(metrics.classes[said]),
            cell(f"{count:,}"),
            cell(percent(count / metrics.per_class[true].support)),
        )
        for true, said, count in top_confusions(metrics)
    ]
    heads = ("true class", "said", "pictures", "of the class")
    found = table(heads, rows, left=2) if rows else paragraph("Every picture was told right.")
    if scene is None:
        note = f"A matrix of {len(metrics.classes)} classes has no room here; test.json holds it."
        return (found, paragraph(note))
    return (f'<div class="row">{picture(scene)}<div>{found}</div></div>',)


def _classes(metrics: Metrics) -> tuple[str, ...]:
    many = len(metrics.per_class) > MOST_CLASSES
    scores = worst_first(metrics.per_class) if many else metrics.per_class
    rows = [
        (
            word(score.name),
            cell(f"{score.support:,}"),
            *(cell(percent(v), v) for v in (score.precision, score.recall, score.f1)),
        )
        for score in scores
    ]
    order = "Those of the lowest F1 stand first. " if many else ""
    told = (
        f"{order}Precision: how much of what was said to be the class is it. Recall: how much of "
        "the class was found. F1: their harmonic mean."
    )
    return (
        table(("class", "pictures", "precision", "recall", "F1"), rows),
        paragraph(told),
    )


def _calibration(scene: Scene) -> tuple[str, ...]:
    told = (
        "Predictions in 15 bins by their confidence. On the diagonal, of the predictions made with "
        "a confidence of 80 % just 80 % are right; below it the network is too sure of itself. The "
        "calibration error is the mean distance from it (Guo et al. 2017)."
    )
    return (f'<div class="row">{picture(scene)}<div>{paragraph(told)}</div></div>',)


def _mistakes(mistakes: Mistakes) -> tuple[str, ...]:
    if not mistakes.worst:
        return (paragraph("Every picture was told right."),)
    shown = len(mistakes.worst)
    told = (
        f"{shown} of {mistakes.total:,}, the ones that the network was most sure of first: "
        "what it said, and what is true."
    )
    cards = "".join(_mistake(mistake, not mistakes.smooth) for mistake in mistakes.worst)
    return (paragraph(told), f'<div class="pictures">{cards}</div>')


def _mistake(mistake: Mistake, sharp: bool) -> str:
    shown = image(mistake.picture, f"{mistake.true} taken for {mistake.said}", sharp)
    return (
        f"<figure>{shown}<figcaption><b>{text(mistake.said)}</b> "
        f"{text(percent(mistake.probability, 0))}<br>is <b>{text(mistake.true)}</b> "
        f'({text(percent(mistake.true_probability, 0))})<br><span class="file">'
        f"{text(mistake.file)}</span></figcaption></figure>"
    )


def _filters(filters: Filters | None) -> tuple[str, ...]:
    if filters is None:
        none = (
            "No convolution with filters larger than 1×1 reads the image, so there is no picture."
        )
        return (paragraph(none),)
    return (picture(filters.scene()), paragraph(filters.caption))


def _network(run: Run, drawing: Scene, ledger: Ledger) -> tuple[str, ...]:
    totals = ledger.totals
    rows = [
        (
            word(row.name),
            word(row.notation),
            cell(show(row.output)),
            counted(row.parameters, totals.parameters, big),
            counted(row.macs, totals.macs, big),
            counted(row.output_bytes, totals.output_bytes, big_bytes),
            cell("whole" if row.whole_input else "×".join(map(str, row.receptive_field))),
        )
        for row in ledger.rows
    ]
    last = (
        word("total"),
        word(""),
        cell(""),
        cell(big(totals.parameters)),
        cell(big(totals.macs)),
        cell(big_bytes(totals.output_bytes)),
        cell(""),
    )
    heads = ("layer", "notation", "output", "parameters", "MACs", "bytes", "sees")
    told = (
        "For one image. A MAC is one product of a weight with a value; bytes are those of a "
        "layer's output in float32; what a unit sees is its receptive field on the image."
    )
    return (
        f'<div class="scroll drawing">{picture(drawing)}</div>',
        *_written(run),
        table(heads, [*rows, last], left=2, total=True),
        paragraph(told),
    )


def _written(run: Run) -> tuple[str, ...]:
    if is_program(run.source):
        return (
            paragraph(
                "The notation has no words for this network: what is kept of it are the "
                f"operations that it comes to, in {PROGRAM}."
            ),
        )
    return (f"<pre>{text(run.source.text.strip())}</pre>",)


def counted(value: int, total: int, write: Callable[[int], str]) -> str:
    """A cell with a number and a bar for its share of the total."""
    return cell(write(value) if value else "–", value / total if total else None)


def _settings(run: Run) -> tuple[str, ...]:
    record = run.record
    preprocess = record.preprocess
    read = f"{preprocess.channels}×{preprocess.height}×{preprocess.width}, {preprocess.fit}"
    means, deviations = (
        ", ".join(f"{value:.2f}" for value in values)
        for values in (record.normalise.mean, record.normalise.std)
    )
    settings = {
        name: value for name, value in record.settings.to_json().items() if value is not None
    }
    taken = {"pictures are read as": read, "mean taken": means, "divided by": deviations}
    if record.settings.flip:
        taken["predictions are"] = "means over a picture and its mirror image"
    if record.settings.moves:
        taken["predictions are"] = "means over a picture and its four moves by a pixel"
    told = "The same training again, to the same weights on the same machine and versions:"
    if record.settings.seconds is not None:
        told = (
            "The same training again; it stops by the clock, so the weights will differ a little:"
        )
    if is_program(run.source) and not _has_name(record.network):
        told = "With the same settings, from the weights of this run on:"
    return (
        f'<div class="row">{facts({**settings, **taken}.items())}'
        f"{facts(record.environment.items())}</div>",
        paragraph(told),
        f"<pre>{text(repeating(run))}</pre>",
    )


def _has_name(network: str) -> bool:
    """Whether a torch network is named as `striate train` takes it: `timm:NAME`."""
    return ":" in network


def repeating(run: Run) -> str:
    """The command that does the training again.

    A network that came without a name, live or from a file, and is kept as its operations alone,
    is trained on from its weights.
    """
    record, settings = run.record, run.record.settings
    words = ["striate", "train", str(run.network_path), record.data]
    if is_program(run.source) and _has_name(record.network):
        words[2] = record.network
        words += ["--input", "x".join(map(str, load_graph(run.source).input))]
    lasting = "epochs" if settings.epochs is not None else "seconds"
    words += [f"--{lasting}", f"{getattr(settings, lasting):g}"]
    words += ["--recipe", settings.recipe, "--batch", str(settings.batch), "--lr"]
    words += [f"{settings.lr:g}", "--seed", str(settings.seed)]
    for name in ("device", "precision"):
        if (value := getattr(settings, name)) != "auto":
            words += [f"--{name}", value]
    said = {lasting, "epochs", "seconds", "batch", "lr", "seed", "device", "precision"}
    for name, origin in record.origins.items():
        if origin == ASKED and name not in said:
            words += ["--set", f"{name}={json.dumps(getattr(settings, name))}".replace('"', "")]
    if record.root is not None:
        words += ["--root", record.root]
    return shlex.join(words)


def _duration(seconds: float) -> str:
    """ "5.4 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
    )
