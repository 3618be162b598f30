"""The contenders of `training_speed.py`: each trains one network and takes turns at its steps.

Every function yields the number of images after each step; they import what they need themselves,
so that those that are not installed cost nothing.
"""

from __future__ import annotations

import io
import os
import queue
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import striate
from striate.graph import Graph

SMALLEST_CROP = 0.08
"""The smallest share of a picture's area that is cut out, where crops are asked for: torchvision's
default."""


@dataclass(frozen=True)
class Task:
    """What all contenders train."""

    folder: Path
    network: str
    size: int
    batch: int
    crops: bool
    """Random-resized crops rather than shifts."""

    def built(self) -> nn.Module:
        """The network as a torch module."""
        return striate.build(self.graph(), seed=0)

    def graph(self) -> Graph:
        """The network at the task's size."""
        return striate.load_graph(self.network, input=(3, self.size, self.size))


def plain(task: Task, low: bool = False) -> Iterator[int]:
    """torchvision's ImageFolder, a DataLoader with two workers, SGD; `low` in bfloat16."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    size = task.size
    cut = (
        [transforms.RandomResizedCrop(size, scale=(SMALLEST_CROP, 1))]
        if task.crops
        else [
            transforms.Resize(size),
            transforms.CenterCrop(size),
            transforms.RandomCrop(size, padding=size // 8),
        ]
    )
    pipeline = transforms.Compose(
        [
            *cut,
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ]
    )
    data = datasets.ImageFolder(str(task.folder), pipeline)
    loader = DataLoader(data, task.batch, shuffle=True, num_workers=2, drop_last=True)
    yield from _looped(loader, task.built(), low)


def autocast(task: Task) -> Iterator[int]:
    """The plain loop with channels-last memory and bfloat16 autocast."""
    return plain(task, low=True)


def with_timm(task: Task) -> Iterator[int]:
    """The plain loop over timm's loader."""
    from timm.data.dataset import ImageDataset
    from timm.data.loader import create_loader

    loader = create_loader(
        ImageDataset(str(task.folder)),
        input_size=(3, task.size, task.size),
        batch_size=task.batch,
        is_training=True,
        use_prefetcher=False,
        color_jitter=0.0,
        num_workers=2,
    )
    yield from _looped(loader, task.built(), low=False)


def _looped(
    loader: Iterable[tuple[torch.Tensor, torch.Tensor]], model: nn.Module, low: bool
) -> Iterator[int]:
    """Steps over the batches of a loader, again and again."""
    if low:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    while True:
        for images, labels in loader:
            if low:
                images = images.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield len(images)


def with_fastai(task: Task) -> Iterator[int]:
    """fastai's Learner, which waits between its batches."""
    from fastai.vision.all import (
        Callback,
        CrossEntropyLossFlat,
        ImageDataLoaders,
        Learner,
        RandomResizedCrop,
        Resize,
        aug_transforms,
    )

    def train(waits: Callable[[int], None]) -> None:
        class Turns(Callback):
            def after_batch(self) -> None:
                if self.training:
                    waits(task.batch)

        size = task.size
        cut = RandomResizedCrop(size, min_scale=SMALLEST_CROP) if task.crops else Resize(size)
        loaders = ImageDataLoaders.from_folder(
            str(task.folder),
            valid_pct=0.01,
            item_tfms=cut,
            batch_tfms=aug_transforms(size=size, max_rotate=0, max_lighting=0, max_warp=0),
            bs=task.batch,
            num_workers=2,
        )
        learner = Learner(loaders, task.built(), CrossEntropyLossFlat(), cbs=Turns())
        with learner.no_bar(), learner.no_logging():
            learner.fit(10_000, 0.001)

    yield from _in_turns(train)


def with_keras(task: Task, backend: str, policy: str = "float32") -> Iterator[int]:
    """Keras 3: `image_dataset_from_directory`, its augmenting layers in tf.data, `model.fit`."""
    os.environ |= {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    import keras
    import tensorflow

    threads = torch.get_num_threads()
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    keras.config.set_dtype_policy(policy)
    size = (task.size, task.size)
    pictures = keras.utils.image_dataset_from_directory(
        task.folder,
        image_size=size,
        batch_size=task.batch,
        crop_to_aspect_ratio=True,
        verbose=False,
    )
    moves = (
        keras.layers.RandomZoom((-0.7, 0.0))
        if task.crops
        else keras.layers.RandomTranslation(1 / 8, 1 / 8)
    )
    mirror = keras.layers.RandomFlip("horizontal")
    batches = (
        pictures.map(
            lambda images, labels: (moves(mirror(images)) / 63.75 - 2.0, labels),
            num_parallel_calls=tensorflow.data.AUTOTUNE,
        )
        .repeat()
        .prefetch(tensorflow.data.AUTOTUNE)
    )
    model = in_keras(task.graph())
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    def train(waits: Callable[[int], None]) -> None:
        class Turns(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: object = None) -> None:
                waits(task.batch)

        model.fit(batches, epochs=1, steps_per_epoch=10**9, verbose=0, callbacks=[Turns()])

    yield from _in_turns(train)


def in_keras(graph: Graph) -> Any:
    """The same network of Keras's layers; raises KeyError for kinds that the benchmark has not."""
    import keras
    from keras import layers

    def padded(image: Any, layer: Any) -> tuple[Any, str]:
        """torch's padding: Keras's own 'same' pads other sides where a stride leaves rows over."""
        sides = layer.kernel_size if layer.padding == "same" else (1, 1)
        pad = tuple((side - 1) // 2 for side in sides)
        if isinstance(layer.padding, int):
            pad = (layer.padding, layer.padding)
        if not any(pad):
            return image, "valid"
        if layer.padding == "same" and layer.stride == (1, 1):
            return image, "same"
        return layers.ZeroPadding2D(pad)(image), "valid"

    image = keras.Input((*graph.input[1:], graph.input[0]))
    found: dict[int, Any] = {-1: image}
    for number, node in enumerate(graph):
        given = [found[each] for each in node.inputs]
        layer: Any = node.layer
        if node.kind == "conv":
            value, padding = padded(given[0], layer)
            made = layers.Conv2D(
                layer.out_channels, layer.kernel_size, layer.stride, padding, use_bias=layer.bias
            )(value)
        elif node.kind == "bn":
            made = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(given[0])
        elif node.kind == "pool":
            value, padding = padded(given[0], layer)
            stride = layer.stride if any(layer.stride) else layer.kernel_size
            made = layers.MaxPooling2D(layer.kernel_size, stride, padding)(value)
        elif node.kind == "relu":
            made = layers.ReLU()(given[0])
        elif node.kind == "id":
            made = given[0]
        elif node.kind == "add":
            made = layers.Add()(given)
        elif node.kind == "fc":
            made = layers.Dense(layer.out_channels, use_bias=layer.bias)(given[0])
        else:
            made = {"gap": layers.GlobalAveragePooling2D, "gmp": layers.GlobalMaxPooling2D}[
                node.kind
            ]()(given[0])
        found[number] = made
    return keras.Model(image, layers.Activation("linear", dtype="float32")(made))


def with_ultralytics(task: Task) -> Iterator[int]:
    """ultralytics' classification trainer, on the same module."""
    from ultralytics.models.yolo.classify import ClassificationTrainer

    module = task.built()

    def train(waits: Callable[[int], None]) -> None:
        class Trainer(ClassificationTrainer):
            def setup_model(self) -> None:
                self.model = _Scored(module, self.data["names"])

        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "data"
            root.mkdir()
            for split in ("train", "val"):
                (root / split).symlink_to(task.folder.resolve())
            trainer = Trainer(
                overrides={
                    "model": "given",
                    "data": str(root),
                    "imgsz": task.size,
                    "batch": task.batch,
                    "epochs": 10_000,
                    "workers": 2,
                    "device": "cpu",
                    "optimizer": "SGD",
                    "val": False,
                    "plots": False,
                    "save": False,
                    "verbose": False,
                    "auto_augment": None,
                    "erasing": 0.0,
                    "scale": 1 - SMALLEST_CROP,
                    "project": place,
                }
            )
            trainer.add_callback("on_train_batch_end", lambda _: waits(task.batch))
            trainer.train()

    yield from _in_turns(train)


class _Scored(nn.Module):
    """A classifier as ultralytics' trainer wants it: a batch's loss when it is given a batch."""

    def __init__(self, module: nn.Module, names: dict[int, str]) -> None:
        super().__init__()
        self.module, self.names = module, names
        self.yaml: dict[str, object] = {}
        self.stride = torch.tensor([1.0])

    def forward(self, batch: Any) -> Any:
        if not isinstance(batch, dict):
            return self.module(batch)
        loss = functional.cross_entropy(self.module(batch["img"]), batch["cls"])
        return loss, {"loss": loss.detach()}


def ours(task: Task, recipe: str = "default") -> Iterator[int]:
    """A step of Striate's loop at each turn."""
    from striate.training import clock, loop
    from striate.training.choosing import Wishes
    from striate.training.progress import Display
    from striate.training.train import fit

    def train(waits: Callable[[int], None]) -> None:
        class Turned(clock.Clock):
            def stop(self) -> None:
                super().stop()
                waits(self.batch)
                self.start()

        loop.Clock = Turned  # type: ignore[attr-defined]
        settings = {"crop": SMALLEST_CROP} if task.crops else {}
        with tempfile.TemporaryDirectory() as run:
            fit(
                task.network,
                str(task.folder),
                Wishes(recipe, epochs=10_000, batch=task.batch, settings=settings),
                output=Path(run) / "run",
                input=(3, task.size, task.size),
                display=Display(io.StringIO()),
            )

    yield from _in_turns(train)


def _in_turns(train: Callable[[Callable[[int], None]], None]) -> Iterator[int]:
    """Steps of a training that runs in a thread of its own and waits after each.

    `train` is given what it calls after a step, with the step's images.
    """
    turns: queue.Queue[None] = queue.Queue()
    done: queue.Queue[int | BaseException] = queue.Queue()

    def waits(images: int) -> None:
        done.put(images)
        turns.get()

    def run() -> None:
        try:
            train(waits)
        except BaseException as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        yield found
        turns.put(None)


CONTENDERS: dict[str, tuple[str, Callable[[Task], Iterator[int]]]] = {
    "plain": ("torchvision", plain),
    "autocast": ("torchvision", autocast),
    "timm": ("timm", with_timm),
    "fastai": ("fastai", with_fastai),
    "keras-tensorflow": ("tensorflow", lambda task: with_keras(task, "tensorflow")),
    "keras-tensorflow-bf16": (
        "tensorflow",
        lambda task: with_keras(task, "tensorflow", "mixed_bfloat16"),
    ),
    "keras-torch": ("tensorflow", lambda task: with_keras(task, "torch")),
    "keras-jax": ("jax", lambda task: with_keras(task, "jax")),
    "ultralytics": ("ultralytics", with_ultralytics),
    "striate": ("striate", ours),
    "striate-sgd": ("striate", lambda task: ours(task, "sgd")),
}
"""By name: the package that each needs, and its steps."""
