"""What is told of each kind of failure, and with which exit status."""

from __future__ import annotations

import errno
import os

import click
import pytest

from striate.cli.reporting import explain, run
from striate.errors import NotationError, Problem, StriateError, UserError
from striate.source import Source, Span


def failing(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


def no_space(path: str) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (UserError("there is no such run"), "striate: there is no such run", 2),
        (StriateError("training diverged"), "striate: training diverged", 1),
        (
            no_space("runs/a/weights.safetensors"),
            "striate: runs/a/weights.safetensors: the disk is full: free some space, "
            "or write to another disk",
            2,
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.svg"),
            "striate: a.svg: permission denied: change its permissions, or give another path",
            2,
        ),
        (
            OSError(errno.EROFS, "Read-only file system", b"a.svg"),
            "striate: a.svg: the file system is read-only: write to another folder",
            2,
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a/b.svg"),
            "striate: a/b.svg: there is no such file or folder: make it first, "
            "or give another path",
            2,
        ),
        (
            OSError(errno.EIO, "Input/output error", "a.png"),
            "striate: a.png: Input/output error",
            1,
        ),
        (
            MemoryError(),
            "striate: out of memory: take a smaller --batch, --input or network",
            1,
        ),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
            "striate: out of memory: take a smaller --batch, --input or network",
            1,
        ),
        (
            RuntimeError("could not create a primitive"),
            "striate: out of memory: take a smaller --batch, --input or network",
            1,
        ),
        (KeyboardInterrupt(), "striate: interrupted", 130),
        (
            ZeroDivisionError("division by zero"),
            "striate: ZeroDivisionError: division by zero\n"
            "This is a bug. STRIATE_DEBUG=1 shows where it happened.",
            1,
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failures(
    error: BaseException, message: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(error) == (message, status)
    assert run(failing(error), []) == status
    assert capsys.readouterr() == ("", f"{message}\n") or isinstance(error, KeyboardInterrupt)


def test_a_notation_error_is_printed_as_it_is() -> None:
    error = NotationError(Source("conv3", "a.net"), [Problem("no channels", Span(0, 5))])
    assert explain(error) == ("a.net:1:1: no channels\n  conv3\n  ^^^^^", 2)


def test_an_interrupted_command_says_so_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(failing(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err.strip() == "striate: interrupted"


def test_the_traceback_is_shown_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STRIATE_DEBUG", "1")
    assert run(failing(UserError("no")), []) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith("\nstriate: no\n")


def test_a_command_that_works_has_status_0() -> None:
    @click.command()
    def command() -> None:
        click.echo("done")

    assert run(command, []) == 0
