"""The README is true: its examples run, its commands exist, and its tree is the tree."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import readme_tree

from workbench import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
EXAMPLES = [code for language, code in BLOCKS if language == "python"]
COMMANDS = [
    *(line.partition("  #")[0].strip() for language, code in BLOCKS if language == "sh" for line in code.splitlines()),
    *re.findall(r"`((?:pip|make|workbench) [^`]+)`", README),
]
TREE = readme_tree.told(README)


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
        cli.main([*words[: 2 if " ".join(words[:2]) in cli.COMMANDS else 1], "--help"])
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


def test_the_tree_names_what_is_there():
    gone = [path for path in TREE if not (ROOT / path).exists()]
    assert not gone, f"README's tree names what is gone; `make tree` takes it out: {gone}"


def test_every_line_of_the_tree_has_a_phrase():
    assert not [path for path, phrase in TREE.items() if not phrase]


@pytest.mark.parametrize("path", readme_tree.expected())
def test_the_tree_names_every_file(path):
    line = f"{readme_tree.name(path)}  {readme_tree.phrase_of(path)}"
    assert path in TREE, f"README's tree lacks {path}; `make tree` adds the line:\n{line}"


def test_make_tree_leaves_a_true_tree_as_it_is():
    true = readme_tree.up_to_date(README)
    assert readme_tree.up_to_date(true) == true


def test_make_tree_adds_what_is_new_and_takes_out_what_is_gone():
    old = "# T\n```text\ngone.py  it went\nREADME.md  by hand\nworkbench/  package\n  cli.py  by hand too\n```\n"
    new = readme_tree.told(readme_tree.up_to_date(old))
    assert set(new) == set(readme_tree.expected())
    assert (new["README.md"], new["workbench/cli.py"]) == ("by hand", "by hand too")
    assert new["workbench/errors.py"] == "the one exception for mistakes that the user can mend"
