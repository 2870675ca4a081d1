"""``aot toolchain list|show|lock``; ``capture`` and ``diff`` have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from aot import toolchain as toolchains
from aot.cli import display, progress, toolchain_capture, toolchain_diff
from aot.cli.common import json_option, lock_option, output_options

if TYPE_CHECKING:
    from pathlib import Path

    from aot.toolchain import Toolchain


@click.group()
def command() -> None:
    """The pinned AWS images: what they contain, how they behave, which digests you locked.

    \b
    Examples:
      aot toolchain list
      aot toolchain show sdk2.28.0
      aot toolchain lock sdk2.28.0
      aot toolchain lock sdk2.28.0 --image mirror.example.com/neuron/vllm:0.13.0 --update
      aot toolchain capture sdk2.28.0 --output ./captured
      aot toolchain diff sdk2.28.0 sdk2.29.0
    """


command.add_command(toolchain_capture.capture)
command.add_command(toolchain_diff.diff)


@command.command("list")
@lock_option
@json_option
def list_toolchains(*, lock_path: Path, as_json: bool) -> None:
    """All toolchains, with the targets they are the default for."""
    from aot import lock as locks

    pins = locks.read(lock_path).toolchains
    chains = [toolchains.load(name) for name in toolchains.names()]
    if as_json:
        rows: list[dict[str, Any]] = [
            {**_summary(chain), "digest": pins[chain.name].digest if chain.name in pins else None} for chain in chains
        ]
        display.document({"toolchains": rows})
        return
    display.table(
        ["NAME", "VLLM", "PLUGIN", "TARGETS", "DEFAULT FOR", "FINGERPRINT", "LOCKED"],
        [
            [
                chain.name,
                chain.vllm,
                chain.plugin,
                ",".join(chain.targets),
                ",".join(chain.default_for) or "-",
                "covered" if toolchains.load_profile(chain.name) else "not covered",
                pins[chain.name].digest[:19] if chain.name in pins else "-",
            ]
            for chain in chains
        ],
    )


def _summary(chain: Toolchain) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(chain)
    del fields["schema_version"]
    return {**fields, "fingerprint_covered": toolchains.load_profile(chain.name) is not None}


@command.command("show")
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Components, behaviour and known problems of one toolchain."""
    chain = toolchains.load(name)
    if as_json:
        display.document({"toolchain": _summary(chain)})
        return
    display.facts([("image", chain.image), ("python", f"{chain.python} ({chain.python_version})")])
    display.facts(sorted(chain.components.items()))
    for flag, value in msgspec.to_builtins(chain.behaviour).items():
        display.say(f"{flag}: {value}")
    for known in chain.known:
        display.say(f"\n[{known.confidence}] {known.fact}\n  {', '.join(known.targets)}; {known.source}")


@command.command("lock")
@click.argument("names", nargs=-1)
@click.option("--image", metavar="REPO:TAG", help="Lock this image (a mirror) instead of AWS's; one NAME only.")
@click.option("--update", is_flag=True, help="Accept a tag that has moved since it was locked.")
@lock_option
@output_options
def lock_images(
    *, names: tuple[str, ...], image: str | None, update: bool, lock_path: Path, as_json: bool, verbose: bool
) -> None:
    """Resolve image tags against their registry and write the digests to aot.lock.

    Without NAMEs, the toolchains already in the lock, or the targets' defaults where there is no lock yet.
    """
    from aot import locking

    if image is not None and len(names) != 1:
        raise click.UsageError("--image goes with exactly one NAME")
    pins = locking.lock_toolchains(
        list(names), lock_path, image=image, update=update, progress=progress.choose(verbose=verbose)
    )
    if as_json:
        display.document(
            {"lock": str(lock_path), "toolchains": {name: msgspec.to_builtins(p) for name, p in pins.items()}}
        )
        return
    display.table(["NAME", "IMAGE", "DIGEST"], [[name, pin.image, pin.digest] for name, pin in pins.items()])
