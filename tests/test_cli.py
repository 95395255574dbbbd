"""The command line: what each command prints, and how mistakes are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench import cli
from workbench.errors import UserError

WORKBENCH = [sys.executable, "-m", "workbench"]


@pytest.fixture
def commands(monkeypatch):
    """Replaces the table of commands."""
    return lambda table: monkeypatch.setattr(cli, "COMMANDS", table)


def fail(error):
    def command() -> None:
        """Fail."""
        raise error

    return command


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_overview_names_every_command(words, capsys):
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in cli.COMMANDS.items():
        (line,) = [line for line in lines if line.startswith(f"  {name}  ")]
        assert line.endswith(command.__doc__.splitlines()[0])


def test_the_overview_is_there_at_once(processor_seconds):
    took, _ = processor_seconds([*WORKBENCH, "--help"])
    assert took < 0.5


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_tells_its_options(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([*name.split(), "--help"])
    assert stopped.value.code in (0, None)
    assert f"workbench {name}" in capsys.readouterr().out


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == workbench.__version__


def test_an_unknown_command_is_answered_with_the_known_ones(capsys):
    assert cli.main(["modles"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: Unknown command 'modles'.")
    assert captured.err.count("\n") == 1
    assert all(name in captured.err for name in cli.COMMANDS)


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["models", "--sise", "3"])
    assert stopped.value.code == 2
    assert "--sise" in capsys.readouterr().err


def test_a_user_error_is_one_sentence_and_status_2(commands, capsys):
    commands({"fail": fail(UserError("No such thing."))})
    assert cli.main(["fail"]) == 2
    assert capsys.readouterr().err == "error: No such thing.\n"


def test_a_mistake_of_ours_is_not_hidden(commands):
    commands({"fail": fail(ValueError("ours"))})
    with pytest.raises(ValueError, match="ours"):
        cli.main(["fail"])


def test_ctrl_c_is_quiet(commands, capsys):
    commands({"fail": fail(KeyboardInterrupt())})
    assert cli.main(["fail"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen([*WORKBENCH, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


class TestGroups:
    """Commands of two words."""

    @pytest.fixture(autouse=True)
    def table(self, commands):
        self.seen = []

        def check(folder: str) -> None:
            """Look at a data set."""
            self.seen.append(folder)

        commands({"data check": check, "data prepare": fail(AssertionError()), "models": fail(AssertionError())})

    def test_run(self):
        assert cli.main(["data", "check", "--folder", "somewhere"]) == 0
        assert self.seen == ["somewhere"]

    @pytest.mark.parametrize("words", [["data"], ["data", "--help"]])
    def test_are_listed(self, words, capsys):
        assert cli.main(words) == 0
        out = capsys.readouterr().out
        assert "data check" in out
        assert "Look at a data set." in out
        assert "models" not in out

    def test_answer_an_unknown_second_word(self, capsys):
        assert cli.main(["data", "chekc"]) == 2
        assert capsys.readouterr().err == (
            "error: Unknown command 'data chekc'. Choose one of: data check, data prepare.\n"
        )


def numbers_of(name, out):
    (line,) = [line.split() for line in out.splitlines() if line.startswith(f"{name} ")]
    return float(line[1]), float(line[2])


def test_models_lists_sizes(capsys):
    assert cli.main(["models"]) == 0
    out = capsys.readouterr().out
    assert numbers_of("attention_unet", out) == (34.88, 66.42)
    assert "smp_unet " not in out


def test_models_counts_for_another_size(capsys):
    assert cli.main(["models", "--size", "128"]) == 0
    parameters, multiply_adds = numbers_of("attention_unet", capsys.readouterr().out)
    assert parameters == 34.88
    assert multiply_adds == pytest.approx(66.42 / 4, abs=0.01)


def test_models_lists_those_of_smp_when_asked(capsys):
    assert cli.main(["models", "--smp", "--size", "64"]) == 0
    assert numbers_of("smp_unet", capsys.readouterr().out)[0] == 24.44


def test_devices_lists_the_cpu(capsys):
    assert cli.main(["devices"]) == 0
    assert any(line.startswith("cpu ") for line in capsys.readouterr().out.splitlines())


def test_import_weights_hands_everything_on(monkeypatch, capsys, tmp_path):
    asked = []
    monkeypatch.setattr("workbench.models.import_weights", lambda *words, **more: asked.append((words, more)))
    target = tmp_path / "model.safetensors"
    assert cli.main(["import-weights", "net.pkl", "--to", str(target), "--recurrent-steps", "3"]) == 0
    assert asked == [((Path("net.pkl"), target), {"recurrent_steps": 3})]
    assert str(target) in capsys.readouterr().out


def test_import_weights_of_a_missing_file_is_one_sentence(tmp_path, capsys):
    target = tmp_path / "model.safetensors"
    assert cli.main(["import-weights", str(tmp_path / "nothing.pkl"), "--to", str(target)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "nothing.pkl" in captured.err
    assert captured.err.count("\n") == 1
    assert not target.exists()
