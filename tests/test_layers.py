"""Which module may import which: the table of CONTRIBUTING, held by walking every import, also those in functions."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "workbench"

WORDS = {"errors", "files", "knobs", "config", "task"}
THINGS = WORDS | {"models", "data", "metrics", "overlays", "plots", "page", "devices"}
RUNNING = THINGS | {"training", "inference", "runs"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "task": {"errors"},
    "knobs": {"errors"},
    "config": {"errors", "files", "knobs", "task"},
    "models": WORDS | {"models"},
    "data": WORDS | {"data", "overlays", "page"},
    "metrics": {"errors", "task"},
    "overlays": {"errors", "task"},
    "plots": {"errors", "files", "task"},
    "page": set(),
    "devices": {"errors", "task"},
    "training": THINGS | {"training"},
    "inference": THINGS | {"inference"},
    "runs": RUNNING,
    "tables": RUNNING,
    "web": set(),
    "ui": RUNNING | {"tables", "web", "ui"},
    "widgets": RUNNING | {"tables", "web", "widgets"},
    "commands": RUNNING | {"tables", "commands", "ui"},
    "cli": {"errors", "commands"},
    "__main__": {"cli"},
    "the package": set(),
}
"""A module or folder of workbench/ to those that it may know; "the package" is workbench/__init__.py,
which all may know, since it holds the version alone."""

ONLY_IN = {"gradio": {"ui"}, "ipywidgets": {"widgets"}, "anywidget": {"widgets"}, "tyro": {"cli", "commands"}}
"""The libraries of the faces, and the faces that know them."""

ANSWER_WITHOUT_TORCH = WORDS | {
    "devices",
    "overlays",
    "plots",
    "tables",
    "web",
    "ui",
    "commands",
    "cli",
    "__main__",
    "the package",
}
"""They import torch in functions or for types alone."""

OPTIONAL = {"onnx", "onnxscript", "onnxruntime", "openvino", "ncnn", "pnnx", "pydicom", "nibabel", "matplotlib"}
"""Packages that may be missing, so only functions import them."""

every_module = pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)


def part(path: Path) -> str:
    """The row of the table that a file belongs to."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "the package" if first == "__init__" else first


def part_of_name(name: str) -> str | None:
    """The row of the table that an imported name belongs to; None for other people's packages."""
    first, *rest = name.split(".")
    if first != "workbench":
        return None
    known = rest and ((PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").exists())
    return rest[0] if known else "the package"


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The full names of all that is imported anywhere in this code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path, from `workbench` on"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class Later(ast.NodeTransformer):
    """Leaves out what does not run when a module is imported: functions, and imports for types alone."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        return None

    def visit_If(self, node: ast.If) -> ast.If | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else node


@every_module
def test_imports_point_down(path):
    here = part(path)
    assert here in MAY_IMPORT, f"{here} has no place yet: add it to MAY_IMPORT here and to the table of CONTRIBUTING.md"
    names = set(imported(parse(path)))
    above = {name for name in names if part_of_name(name) not in MAY_IMPORT[here] | {None, "the package"}}
    assert not above, f"{here} must not know {above}"
    faces = {name for name in names if here not in ONLY_IN.get(name.partition(".")[0], {here})}
    assert not faces, f"{here} must not know {faces}"


@every_module
def test_what_is_optional_or_slow_comes_late(path):
    packages = {name.partition(".")[0] for name in imported(Later().visit(parse(path)))}
    late = OPTIONAL | ({"torch", "torchvision"} if part(path) in ANSWER_WITHOUT_TORCH else set())
    assert not packages & late, f"import {packages & late} in the function that needs it"


def test_the_optional_packages_are_those_of_the_extras():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    packages = {
        re.match(r"[\w-]+", requirement)[0]
        for name in ("export", "runtimes", "medical")
        for requirement in extras[name]
    }
    assert packages <= OPTIONAL


@every_module
def test_nothing_is_bound_to_one_vendor(path):
    calls = (node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call))
    lines = [call.lineno for call in calls if isinstance(call, ast.Attribute) and call.attr == "cuda"]
    assert not lines, "devices are reached through torch.accelerator and accelerate"


def test_the_app_s_command_has_no_logic():
    assert set(imported(parse(ROOT / "app.py"))) == {"sys", "workbench.cli.main"}


@pytest.mark.parametrize(
    ("module", "absent", "seconds"),
    [
        ("workbench", "torch gradio plotly numpy pydantic tyro", 0.3),
        ("workbench.cli", "torch gradio plotly numpy", 0.5),
    ],
)
def test_importing_is_light(module, absent, seconds, processor_seconds):
    code = f"import sys, {module}; print(*set('{absent}'.split()) & set(sys.modules))"
    took, found = processor_seconds([sys.executable, "-c", code])
    assert found.split() == []
    assert took < seconds


def test_the_app_is_there_before_torch():
    code = "import sys; from workbench.ui.app import create_app; create_app(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
