"""``aot``: the group of verbs, imported one by one only when called, and the one place where errors become exits."""

from __future__ import annotations

import errno
import importlib
import signal
import sys
from typing import TYPE_CHECKING

import click

from aot import __version__
from aot.errors import EXIT_INTERNAL, EXIT_OK, EXIT_SIGINT, EXIT_SIGTERM, AotError, ErrorClass, ErrorId

if TYPE_CHECKING:
    from types import FrameType

# verb -> (module that defines it, one-line help shown by `aot --help` without importing that module)
VERBS: dict[str, tuple[str, str]] = {
    "plan": ("aot.cli.plan", "Say what a build would do: key, fingerprint, risks. Compiles nothing."),
    "build": ("aot.cli.build", "Compile a model ahead of time into a content-addressed artifact."),
    "fingerprint": ("aot.cli.fingerprint", "Compute the serve-time hash, from flags, a command line or JSON Lines."),
    "explain": ("aot.cli.explain", "Say why two fingerprints differ, field by field."),
    "errors": ("aot.cli.errors", "Known compiler failures: explain a log, list, show."),
    "eos": ("aot.cli.eos", "Check that generation can stop."),
    "values": ("aot.cli.values", "Print the Helm values that serve an artifact."),
    "list": ("aot.cli.list_artifacts", "List the artifacts in a store."),
    "verify": ("aot.cli.verify", "Check every digest of an artifact."),
    "toolchain": ("aot.cli.toolchain", "The pinned AWS images: list, show, lock, capture, diff."),
    "doctor": ("aot.cli.doctor", "Check this machine for what a build needs."),
}

EXAMPLES = """\b
Examples:
  aot build Qwen/Qwen3-8B --target inf2 -tp 2 --max-model-len 2048 --max-num-seqs 2
  aot plan Qwen/Qwen3-8B -tp 2 --json
  aot errors explain build.log
  aot values sha256:1f2e... --repository registry.example.com/models/qwen3-8b
"""


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that ``finally`` blocks stop containers and remove half-written files."""


class LazyGroup(click.Group):
    """Knows its verbs by name; imports one only to run it or to print its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of a user's day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's click command, or None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table, so that ``aot --help`` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(
    cls=LazyGroup,
    epilog=EXAMPLES + "\nExit codes are listed in the README; every error prints its id.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="aot")
def cli() -> None:
    """Compile LLMs for AWS Inferentia2 and Trainium ahead of time, and serve them by digest."""


def main() -> None:
    """Entry point of the ``aot`` script: run, and turn every outcome into an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise Terminated


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; the traceback of a defect of ours is kept."""
    wants_json = "--json" in arguments
    try:
        # Not cli.main(): that one turns a reader that went away into exit status 1.
        with cli.make_context("aot", list(arguments)) as context:
            outcome: object = cli.invoke(context)
    except click.exceptions.Exit as asked:  # --help, --version
        return int(asked.exit_code)
    except AotError as error:
        return _report(error, wants_json)
    except click.ClickException as error:
        return _report_usage(error, wants_json)
    except (KeyboardInterrupt, click.Abort):
        return _report_stop("interrupted", EXIT_SIGINT, wants_json)
    except Terminated:
        return _report_stop("terminated", EXIT_SIGTERM, wants_json)
    except BrokenPipeError:
        # The reader of our stdout went away (`aot list | head`): not an error, and nothing left to say.
        sys.stdout = None
        return EXIT_OK
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            return _report_defect(wants_json)
        return _report_full()
    except Exception:  # noqa: BLE001 - the one place where an unexpected exception is shown, traceback and all
        return _report_defect(wants_json)
    return outcome if isinstance(outcome, int) else EXIT_OK


def _report(error: AotError, wants_json: bool) -> int:
    from aot.cli import display

    display.error(error, wants_json=wants_json)
    return error.exit_code


def _report_usage(error: click.ClickException, wants_json: bool) -> int:
    from aot.cli import display

    error.show()
    code = ErrorClass.USAGE.exit_code
    if wants_json:
        display.document({"error": display.error_fields("usage", error.format_message(), "see --help", code)})
    return code


def _report_full() -> int:
    """Standard output leads to a full disk; whatever writes elsewhere says so itself, with the place."""
    sys.stdout = None  # what is still buffered would fail again at exit
    problem = AotError(
        ErrorId.DISK_FULL,
        reason="no space left on device while writing the output",
        remedy="free space where standard output leads to",
    )
    return _report(problem, wants_json=False)


def _report_stop(what: str, exit_code: int, wants_json: bool) -> int:
    from aot.cli import display

    click.echo(f"aot: {what}; nothing half-written was kept", err=True)
    if wants_json:
        display.document({"error": display.error_fields(what, f"{what} by a signal", "run it again", exit_code)})
    return exit_code


def _report_defect(wants_json: bool) -> int:
    import traceback

    from aot.cli import display

    traceback.print_exc()
    click.echo(
        "aot: this is a defect of aot, not of your input. Please report it with the traceback above.",
        err=True,
    )
    if wants_json:
        reason = traceback.format_exc(limit=0).strip().splitlines()[-1]
        display.document(
            {"error": display.error_fields("defect", reason, "report it with the traceback", EXIT_INTERNAL)}
        )
    return EXIT_INTERNAL


if __name__ == "__main__":
    main()
