"""Start-up costs nothing that the command does not use, and imports go one direction."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import striate

PACKAGE = Path(striate.__file__).parent
HEAVY = ("torch", "torchvision", "numpy", "PIL", "sklearn", "scipy", "safetensors", "matplotlib")

LEVELS = (
    ("source",),
    ("errors",),
    ("files",),
    ("recipes",),
    ("layers",),
    ("notation",),
    ("zoo",),
    ("graph",),
    ("sizing", "drawing"),
    ("patterns",),
    ("modules", "onnx_files"),
    ("tracing",),
    ("transcribing",),
    ("programs",),
    ("ledgers",),
    ("networks",),
    ("catalogue",),
    ("data",),
    ("equalities",),
    ("training",),
    ("timing",),
    ("seeing",),
    ("api",),
    ("cli",),
    ("__main__",),
)
"""Parts of the package from left to right: a part imports from those before it and from itself."""

LIGHT = (
    "source",
    "files",
    "recipes",
    "errors",
    "layers",
    "notation",
    "zoo",
    "graph",
    "sizing",
    "drawing",
    "patterns",
    "ledgers",
    "networks",
    "cli",
)
"""Parts that import nothing heavy when they are imported."""

WITH_TORCH = (PACKAGE / "layers" / "computed.py",)
"""Modules of light parts that import torch, and are imported inside functions only."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def part(path: Path) -> str:
    """The part of the package that a module belongs to; empty for `striate` itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def level(name: str) -> int:
    return next(index for index, parts in enumerate(LEVELS) if name in parts)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(node: ast.AST, *, functions: bool) -> list[str]:
    """Modules that a node imports when it runs; with `functions`, when its functions run too."""
    found: list[str] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            found += [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            module = child.module or ""
            found += [f"{module}.{alias.name}" for alias in child.names]
        elif is_type_checking(child):
            continue
        elif functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            found += imports(child, functions=functions)
    return found


def modules_after(code: str) -> set[str]:
    """Names in `sys.modules` after some code has run in a fresh interpreter."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stdout.splitlines()[-1].split())


def test_every_part_has_its_level() -> None:
    known = {name for parts in LEVELS for name in parts}
    assert {part(path) for path in MODULES} - {""} <= known


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_direction(path: Path) -> None:
    if not part(path):
        return  # the public names, each imported from its home when first used
    own = level(part(path))
    for name in imports(ast.parse(path.read_text(encoding="utf-8")), functions=True):
        if name.startswith("striate.") and name.split(".")[1] != part(path):
            other = name.split(".")[1]
            if other == "__version__":
                continue
            assert level(other) < own, f"{path.name} imports {name}, which stands to its right"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_slow_packages_are_imported_where_they_are_used(path: Path) -> None:
    light = part(path) in LIGHT and path not in WITH_TORCH
    banned = {"torchvision", "sklearn"} | ({"torch", "numpy"} if light else set())
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {name.split(".")[0] for name in imports(tree, functions=False)}
    assert not found & banned


def test_importing_the_light_parts_loads_nothing_heavy() -> None:
    names = ", ".join(f"striate.{name}" for name in LIGHT)
    loaded = modules_after(f"import striate, {names}")
    assert not loaded & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["size", "vgg16"],
        ["size", "lenet5", "--convention", "ptflops"],
        ["draw", "lenet5"],
        ["zoo", "vgg16"],
        ["train", "--help"],
        [],
    ],
)
def test_a_verb_loads_nothing_that_it_does_not_use(arguments: list[str]) -> None:
    code = f"from striate.cli import main; assert main({arguments!r}) == 0"
    assert not modules_after(code) & set(HEAVY)


def test_every_public_name_is_there() -> None:
    assert all(getattr(striate, name) is not None for name in striate.__all__)
    assert set(striate.__all__) <= set(dir(striate))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'striate' has no attribute 'sise'$"):
        striate.sise  # noqa: B018
