"""`auditor`: the command line. Engines are imported where they are used, so that `--help` is quick."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from io import TextIOWrapper
from typing import Annotated

import typer

from app.commands.auditing import defend, demo, run
from app.commands.initialising import init
from app.commands.judging import compare, judge
from app.commands.reading import checks, doctor, inspect
from app.commands.serving import serve
from app.commands.signing import keygen, sign, verify
from auditor.errors import AuditError, one_line

__all__ = ["cli", "invoke", "main"]

CTRL_C = 130  # what the parser makes of an interruption
HELP = "What a PyTorch model looks at, how it breaks, and whom it treats differently: measured, with its uncertainty."

cli = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for command in (run, demo, defend, init, checks, inspect, doctor, judge, compare, keygen, sign, verify, serve):
    cli.command()(command)


def _version(asked: bool) -> None:
    """Prints the version and ends, where it is `asked` for."""
    if asked:
        print(f"torch-auditor {metadata.version('torch-auditor')}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What stands before a command."""


def invoke(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Errors are one line on standard error."""
    from typer._click.exceptions import ClickException  # the parser that typer brings

    try:
        result = cli(args=list(arguments) or ["--help"], standalone_mode=False)
    except AuditError as e:
        return _ended(3, str(e))
    except ClickException as e:
        return _ended(3, f"{one_line(e.format_message())} (auditor --help lists what there is)")
    except (Exception, SystemExit) as e:  # noqa: BLE001 - the last resort: one line, and a code of its own
        if isinstance(e.__context__, BrokenPipeError):
            return 0  # the parser's own end when nobody reads its help to the end
        return _ended(4, f"internal error, please report it: {type(e).__name__}: {one_line(str(e))}")
    if result == CTRL_C:
        return _ended(2, "interrupted before it had finished")
    return result if isinstance(result, int) else 0


def _ended(code: int, line: str) -> int:
    print(f"auditor: {line}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the `auditor` command."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may lack a character
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what libraries warn each other about is not the user's
    sys.exit(invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()
