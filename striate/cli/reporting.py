"""Run a command and tell whatever goes wrong in one message on stderr, without a traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence

import click

from striate.errors import NotationError, StriateError, is_out_of_memory

DONE, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130

_FIXES = {
    errno.ENOSPC: "the disk is full: free some space, or write to another disk",
    errno.EDQUOT: "your disk quota is used up: free some space, or write to another disk",
    errno.EROFS: "the file system is read-only: write to another folder",
    errno.EACCES: "permission denied: change its permissions, or give another path",
    errno.EPERM: "permission denied: change its permissions, or give another path",
    errno.ENOENT: "there is no such file or folder: make it first, or give another path",
    errno.ENOTDIR: "a part of this path is a file where a folder is expected",
    errno.EISDIR: "this is a folder where a file is expected",
    errno.EEXIST: "there is something of this name already",
    errno.ENAMETOOLONG: "the name is too long for the file system",
}
"""What a user can mend about a file; any other error of the system is a failure."""


def run(command: click.Command, arguments: Sequence[str] | None) -> int:
    """Run a click command and return the program's exit status."""
    _write_any_character()
    try:
        result = command.main(
            None if arguments is None else list(arguments),
            prog_name="striate",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else DONE
    except SystemExit as exit:  # click leaves so when the reader of a pipe is gone
        return exit.code if isinstance(exit.code, int) else FAILED
    except BaseException as error:
        if os.environ.get("STRIATE_DEBUG"):
            import traceback

            traceback.print_exc()
        message, status = explain(error)
        click.echo(message, err=True)
        return status


def explain(error: BaseException) -> tuple[str, int]:
    """The message for an exception, and the exit status that goes with it."""
    if isinstance(error, NotationError):
        return str(error), error.exit_status
    message, status = _plain(error)
    return f"striate: {message}", status


def _plain(error: BaseException) -> tuple[str, int]:
    match error:
        case StriateError():
            return str(error), error.exit_status
        case click.UsageError():
            return _usage(error), MISTAKE
        case click.ClickException():
            return error.format_message(), MISTAKE
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case _ if is_out_of_memory(error):
            return "out of memory: take a smaller --batch, --input or network", FAILED
        case OSError() if error.errno is not None:
            return _system(error)
    kind = type(error).__name__
    return f"{kind}: {error}\nThis is a bug. STRIATE_DEBUG=1 shows where it happened.", FAILED


def _system(error: OSError) -> tuple[str, int]:
    reason = _FIXES.get(error.errno or 0, error.strerror or str(error))
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return f"{where}{reason}", MISTAKE if error.errno in _FIXES else FAILED


def _usage(error: click.UsageError) -> str:
    message = error.format_message()
    wrong_value = isinstance(error, click.BadParameter)
    if error.ctx is None or (wrong_value and not isinstance(error, click.MissingParameter)):
        return message
    parts = [message, error.ctx.get_usage(), (error.ctx.command.epilog or "").removeprefix("\b\n")]
    return "\n".join(part for part in parts if part)


def _write_any_character() -> None:
    """Let a terminal that is not UTF-8 show `?` where it lacks a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
