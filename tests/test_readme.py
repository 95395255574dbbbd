"""The README is true: its examples run, its commands exist, and its tree is the tree."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from workbench import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
EXAMPLES = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    *(line.partition("  #")[0].strip() for language, code in BLOCKS if language == "sh" for line in code.splitlines()),
    *re.findall(r"`((?:pip|make|workbench) [^`]+)`", README),
]
TREE = next(code for language, code in BLOCKS if language == "text")


@pytest.mark.parametrize("code", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(code, tmp_path):
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, timeout=120)


def test_there_are_examples_and_commands():
    assert EXAMPLES
    assert {"make app", "make test"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command])
def test_commands_exist(command, capsys):
    program, *words = shlex.split(command)
    check = {
        "make": check_make,
        "workbench": check_workbench,
        "python": check_python,
        "python3": check_python,
        "pip": check_pip,
        "conda": check_conda,
        ".": lambda words, _: None,
    }[program]
    check(words, capsys)


def check_make(words, _):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(words) <= set(targets)


def check_workbench(words, capsys):
    """The command is in the table, and its help knows the options."""
    if words == ["--help"]:
        return
    assert words[0] in cli.COMMANDS or " ".join(words[:2]) in cli.COMMANDS
    with pytest.raises(SystemExit):
        cli.main([*words[: 1 if words[0] in cli.COMMANDS else 2], "--help"])
    options = re.findall(r"--[\w-]+", capsys.readouterr().out)
    assert {word for word in words if word.startswith("--")} <= set(options)


def check_python(words, capsys):
    if words[0] == "app.py":
        check_workbench(["app", *words[1:]], capsys)
    else:
        assert words == ["-m", "venv", ".venv"]


def check_pip(words, _):
    assert words[:2] == ["install", "-e"]
    extra = re.fullmatch(r"\.(?:\[(\w+)\])?", words[2])[1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extra is None or extra in project["optional-dependencies"]


def check_conda(words, _):
    environment = ROOT / "environment.yml"
    if words[0] == "activate":
        assert f"name: {words[1]}\n" in environment.read_text(encoding="utf-8")
    else:
        assert words == ["env", "create", "-f", environment.name]


def test_links_and_pictures_are_there():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def tree() -> dict[str, str]:
    """Path to phrase, from the indented block."""
    paths: dict[str, str] = {}
    folders: list[str] = []
    for line in TREE.splitlines():
        indent, name, phrase = re.fullmatch(r"((?:  )*)(\S+)(?:  +(.+))?", line).groups()
        folders[len(indent) // 2 :] = [name]
        paths["".join(folders)] = phrase or ""
    return paths


def expected() -> list[str]:
    """Every module of the package (a folder stands for its __init__), and every file at the top."""
    modules = [path for path in sorted((ROOT / "workbench").rglob("*.py")) if path.name != "__init__.py"]
    top = [path for path in sorted(ROOT.iterdir()) if path.is_file() and not path.name.startswith(".")]
    return [path.relative_to(ROOT).as_posix() for path in [*top, *modules]]


def test_the_tree_names_what_is_there():
    missing = [path for path in tree() if not (ROOT / path).exists()]
    assert not missing, f"README's tree names what is not there; take out: {missing}"


def test_every_line_of_the_tree_has_a_phrase():
    assert not [path for path, phrase in tree().items() if not phrase]


@pytest.mark.parametrize("path", expected())
def test_the_tree_names_every_file(path):
    assert path in tree(), f"README's tree lacks {path}; add the line:\n{suggestion(path)}"


def suggestion(path: str) -> str:
    name = "  " * path.count("/") + Path(path).name
    text = (ROOT / path).read_text(encoding="utf-8")
    phrase = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0] if path.endswith(".py") else ""
    return f"{name:<26}  {phrase or 'what it is, in a phrase'}"
