"""environment.yml says nothing that pyproject.toml says otherwise."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import pytest
import yaml


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def environment(root):
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def split(requirement: str) -> tuple[str, str]:
    """Name and version range."""
    name, versions = re.fullmatch(r"([\w.-]+)\s*(.*)", requirement).groups()
    return name, versions


def test_both_ask_for_the_same_python(project, environment):
    conda = dict(split(line) for line in environment["dependencies"] if isinstance(line, str))
    assert conda["python"] == project["requires-python"]


def test_conda_brings_python_and_pip_and_nothing_else(environment):
    *conda, pip = environment["dependencies"]
    assert {split(line)[0] for line in conda} == {"python", "pip"}
    assert set(pip) == {"pip"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_pip_installs_the_project_with_an_extra_that_exists(project, environment):
    (line,) = environment["dependencies"][-1]["pip"]
    extra = re.fullmatch(r"-e \.\[(\w+)\]", line)[1]
    assert extra == "notebooks"
    assert extra in project["optional-dependencies"]


def test_the_environment_has_the_project_s_name(project, environment):
    assert environment["name"] == project["name"]


@pytest.fixture(scope="module")
def requirements(project):
    """Every line, of the base and of the extras."""
    return [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]


def test_versions_are_ranges_named_once(project, requirements):
    foreign = [line for line in requirements if not line.startswith(f"{project['name']}[")]
    assert not [line for line in foreign if "==" in line or "~=" in line]
    names = [split(line)[0] for line in foreign]
    assert len(names) == len(set(names))


def test_extras_that_the_project_names_exist(project, requirements):
    groups = re.findall(rf"{project['name']}\[([\w,]+)\]", " ".join(requirements))
    assert {extra for group in groups for extra in group.split(",")} <= project["optional-dependencies"].keys()
