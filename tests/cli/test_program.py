"""The program as a whole: its help, its verbs, completion in real shells, and a broken pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import striate
from striate.cli import VERBS

PROGRAM = Path(sys.executable).with_name("striate")


def test_version(run) -> None:
    assert run("--version") == (0, f"striate {striate.__version__}\n", "")


def test_without_a_verb_the_help_is_shown(run) -> None:
    assert run() == run("--help") == run("-h")
    assert run().status == 0


def test_the_help_lists_every_verb(run) -> None:
    out = run("--help").out
    for verb, line in VERBS.items():
        assert f"  {verb}" in out
        assert line in out


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_s_help_begins_with_its_line_and_ends_with_examples(run, verb: str) -> None:
    status, out, err = run(verb, "--help")
    assert (status, err) == (0, "")
    assert VERBS[verb].rstrip(".") in " ".join(out.split())
    assert f"\n  Examples:\n    striate {verb}" in out or 'eval "$(striate completion' in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_module_with_its_command(verb: str) -> None:
    assert import_module(f"striate.cli.{verb}").command.name == verb


def test_a_misspelt_verb_names_the_nearest(run) -> None:
    assert run("sise", "vgg16") == (
        2,
        "",
        "striate: There is no verb 'sise'. Did you mean 'size'?\n"
        "Usage: striate [OPTIONS] VERB …\n"
        "Examples:\n  striate size vgg16\n  striate train quick photos/\n",
    )


def test_an_unknown_verb_lists_them_all(run) -> None:
    first = run("quux").err.splitlines()[0]
    assert first == f"striate: There is no verb 'quux'. The verbs are: {', '.join(VERBS)}."


def test_a_missing_argument_shows_examples(run) -> None:
    status, out, err = run("size")
    assert (status, out) == (2, "")
    usage = "Usage: striate size [OPTIONS] NET [OTHER]\n"
    assert err.startswith(f"striate: Missing argument 'NET'.\n{usage}")
    assert "Examples:\n  striate size vgg16\n" in err


def test_an_unknown_option_names_the_nearest(run) -> None:
    status, out, err = run("size", "vgg16", "--bath", "3")
    assert (status, out) == (2, "")
    assert "--bath" in err.splitlines()[0]
    assert "Did you mean" in err.splitlines()[0]
    assert "--batch" in err.splitlines()[0]


def test_two_forms_of_output_are_refused(run) -> None:
    err = run("size", "vgg16", "--json", "--csv").err
    assert err.startswith(
        "striate: --json and --csv are two forms of one output: give one of them.\nUsage: "
    )


def completions(words: str, folder: Path | None = None) -> list[str]:
    environment = os.environ | {
        "_STRIATE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    out = subprocess.run(
        [PROGRAM], env=environment, cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    return out.splitlines()


def test_verbs_are_completed() -> None:
    assert completions("striate t") == ["plain,train", "plain,test"]


def test_options_are_completed() -> None:
    assert completions("striate size --bat") == ["plain,--batch"]


def test_networks_are_completed_from_the_zoo_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "vgg_mine.net").touch()
    (tmp_path / "vgg_mine.txt").touch()
    found = completions("striate size vgg", tmp_path)
    assert {"plain,vgg16", "plain,vgg19_bn", "plain,vgg_mine.net"} <= set(found)
    assert "plain,vgg_mine.txt" not in found


def test_the_zoo_completes_its_own_names() -> None:
    assert completions("striate zoo vgg1") == [
        *("plain,vgg11", "plain,vgg11_bn", "plain,vgg13", "plain,vgg13_bn"),
        *("plain,vgg16", "plain,vgg16_bn", "plain,vgg19", "plain,vgg19_bn"),
    ]


def test_networks_are_completed_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "a.net").touch()
    assert completions("striate size nets/", tmp_path) == ["plain,nets/a.net"]


def test_constants_of_a_network_are_completed(tmp_path: Path) -> None:
    (tmp_path / "mine.net").write_text("width = 8\nwide = 3\nconv3-width -> relu")
    assert completions("striate size 'mobilenet_v2(al") == ["plain,mobilenet_v2(alpha=1)"]
    assert completions("striate size 'mine.net(", tmp_path) == [
        "plain,mine.net(width=8)",
        "plain,mine.net(wide=3)",
    ]
    assert completions("striate size 'mine.net(wide=3,", tmp_path) == [
        "plain,mine.net(wide=3,width=8)"
    ]
    assert completions("striate size '(conv3-8") == ["file,(conv3-8"]


def test_data_sets_are_completed_and_folders_left_to_the_shell() -> None:
    assert completions("striate train lenet5 fash") == ["plain,fashion-mnist"]
    assert completions("striate train lenet5 pho") == ["file,pho"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_accepted_by_the_shell(run, shell: str, tmp_path: Path) -> None:
    status, script, err = run("completion", shell)
    assert (status, err) == (0, "")
    assert "_STRIATE_COMPLETE" in script
    executable = shutil.which(shell)
    if executable is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script, encoding="utf-8")
    assert subprocess.run([executable, "-n", path], capture_output=True).stderr == b""


def test_an_unknown_shell(run) -> None:
    assert run("completion", "tcsh") == (
        2,
        "",
        "striate: Invalid value for 'SHELL': 'tcsh' is not one of 'bash', 'zsh', 'fish'.\n",
    )


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{PROGRAM} size resnet152 | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_to_a_full_disk() -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [PROGRAM, "size", "lenet5"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.returncode == 2
    assert result.stderr == (
        "striate: the disk is full: free some space, or write to another disk\n"
    )


def test_a_terminal_without_unicode_gets_question_marks() -> None:
    result = subprocess.run(
        [PROGRAM, "size", "lenet5"],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lenet5" in result.stdout


def test_python_dash_m() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "striate", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout == f"striate {striate.__version__}\n"
