"""Options that say how something is run in an image, and the engine they choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from aot.errors import AotError, ErrorId

if TYPE_CHECKING:
    from collections.abc import Callable

    from aot.compile.engine import Engine
    from aot.progress import Progress

F = TypeVar("F", bound="Callable[..., Any]")
GIB = 1 << 30
CONTAINER_OPTIONS = ("memory", "keep_container", "simulator_image")


def engine_options(function: F) -> F:
    """``--engine``, ``--timeout``, ``--memory``, ``--simulator-image``."""
    options = [
        click.option(
            "--engine",
            "engine_name",
            type=click.Choice(["docker", "local"]),
            default="docker",
            show_default=True,
            help="What runs the image; local needs --simulate.",
        ),
        click.option("--timeout", type=click.FloatRange(min=1), metavar="SECONDS", help="Limit of one run."),
        click.option("--memory", type=click.FloatRange(min=0.1), metavar="GIB", help="Memory limit of the container."),
        click.option(
            "--simulator-image", metavar="IMAGE", envvar="AOT_SIMULATOR_IMAGE", help="For --simulate with docker."
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def check(name: str, *, simulate: bool) -> None:
    """Refuse engine ``local`` for anything real. Raises ``ENGINE_LOCAL_REAL``."""
    if name == "local" and not simulate:
        raise AotError(
            ErrorId.ENGINE_LOCAL_REAL,
            reason="engine local runs the simulator only: the real compiler lives in AWS's image",
            remedy="use --engine docker, or add --simulate",
        )


def make(name: str, toolchain: str, progress: Progress) -> Engine:
    """The engine; ``toolchain`` is what the simulator plays on engine ``local``."""
    if name == "docker":
        from aot.compile.container import ContainerEngine

        return ContainerEngine(progress)
    from aot import resources
    from aot.compile.local import LocalEngine

    return LocalEngine(resources.simulator(), toolchain)


def _refuse_containers() -> None:
    """Engine ``local`` starts no container: an option about one, given on the command line, is a mistake."""
    context = click.get_current_context()
    given = [name for name in CONTAINER_OPTIONS if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        named = ", ".join("--" + name.replace("_", "-") for name in given)
        raise click.UsageError(f"{named}: engine local starts no container, use --engine docker")


def run_settings(arguments: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``RunSettings`` among a command's arguments. Raises click's usage error for one without effect."""
    if arguments["engine_name"] == "local":
        _refuse_containers()
    memory = arguments["memory"]
    return {
        "simulator_image": arguments["simulator_image"],
        "timeout_seconds": arguments["timeout"],
        "memory_bytes": int(memory * GIB) if memory else None,
    }
