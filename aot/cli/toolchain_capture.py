"""``aot toolchain capture``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aot.cli import display, engines, progress
from aot.cli.common import lock_option, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aot.capture.capture import Captured
    from aot.progress import Progress

NAMED = re.compile(r"sdk\d+\.\d+\.\d+")


@click.command("capture")
@click.argument("image")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="[default: ./NAME]")
@click.option("--name", metavar="NAME", help="Name of the toolchain  [default: sdkX.Y.Z as found in IMAGE]")
@click.option("--base", metavar="NAME", help="Take over from this toolchain what no introspection can find.")
@click.option("--python", default="/opt/conda/bin/python3", show_default=True, help="Interpreter in the image.")
@click.option("--simulate", is_flag=True, help="IMAGE names a toolchain; the simulator plays it.")
@lock_option
@engines.engine_options
@output_options
def capture(*, image: str, as_json: bool, verbose: bool, **arguments: Any) -> None:
    """Write the profile of IMAGE: what its packages say about defaults, classes and behaviour.

    IMAGE is a reference, or a toolchain's name for its pinned image. It runs without model, device or network. DIR gets
    profile.json, in the form `aot fingerprint` reads, and a draft of toolchain.toml. What cannot be found is listed in
    both and on stderr, never invented; --base fills such parts from a measured toolchain and lists them.

    \b
    Examples:
      aot toolchain capture registry.example.com/neuron/vllm:0.16.0-sdk2.29.0 --output ./sdk2.29.0
      aot toolchain capture sdk2.28.0
      aot toolchain capture example.com/vllm:0.17.0-sdk2.30.0 --base sdk2.29.0
      aot toolchain capture sdk2.28.0 --simulate --engine local --output ./simulated
    """
    from aot.capture import files

    engines.check(arguments["engine_name"], simulate=arguments["simulate"])
    name = _name(image, arguments["name"])
    base = _base(arguments["base"])
    output = arguments["output"] or Path(name)
    voice = progress.choose(verbose=verbose)
    captured = _run(image, arguments, voice)
    profile = files.profile(captured, name, base)
    files.write(profile, files.draft(captured, name, arguments["python"]), output)
    missing = files.missing(captured.found)
    for path, why in missing.items():
        voice.warn(f"not captured: {path}: {why}")
    measured = base or (name if _is_measured(name) else None)
    changed = files.changed_code(captured, measured) if measured else []
    lacking = _lacking(profile)
    if as_json:
        document = {"name": name, "image": captured.image, "output": str(output), "simulated": captured.simulated}
        lists = {"not_captured": missing, "carried_over": profile.get("carried_over"), "changed_code": changed}
        display.document({**document, **lists, "lacking_for_fingerprint": lacking})
        return
    display.facts(
        [
            ("toolchain", f"{name}{' (SIMULATED)' if captured.simulated else ''}"),
            ("image", captured.image),
            ("written", f"{output / files.PROFILE}, {output / files.DRAFT}"),
            ("not found", f"{len(missing)} parts, listed in both files and on stderr"),
            *_said_of_base(profile.get("carried_over")),
            *([("code", _said_of_code(changed, measured))] if measured else []),
            ("fingerprint", lacking or "the profile is complete: `aot fingerprint` can use it"),
        ]
    )


def _said_of_base(carried: dict[str, Any] | None) -> list[tuple[str, str]]:
    if carried is None:
        return []
    said = [("carried over", f"{len(carried['paths'])} parts from {carried['from']}")]
    if carried["left_out"]:
        said.append(("left out", f"{', '.join(carried['left_out'])}: no rules for their code, use --exact"))
    return said


def _base(name: str | None) -> str | None:
    """Raises ``UNKNOWN_TOOLCHAIN``, or click's usage error for one that was never measured."""
    from aot import toolchain

    if name is not None and toolchain.load_profile(toolchain.load(name).name) is None:
        raise click.UsageError(f"--base {name}: it has no profile to take anything over from")
    return name


def _is_measured(name: str) -> bool:
    from aot import toolchain

    return name in toolchain.names() and bool(toolchain.load_code(name))


def _said_of_code(changed: Sequence[str], measured: str | None) -> str:
    if not changed:
        return f"all that aot's rules mirror is as in {measured}"
    return (
        f"{len(changed)} parts that aot's rules mirror differ from {measured}, check these rules: {', '.join(changed)}"
    )


def _name(image: str, given: str | None) -> str:
    """Raises click's usage error where no name can be read off the image."""
    found = NAMED.search(image)
    if given is None and found is None:
        raise click.UsageError("IMAGE holds no sdkX.Y.Z: give the toolchain's name with --name")
    return given or (found.group() if found else "")


def _run(image: str, arguments: dict[str, Any], voice: Progress) -> Captured:
    from aot import lock, toolchain
    from aot.capture import capture as captures
    from aot.compile import jobs

    settings = jobs.RunSettings(lock_path=arguments["lock_path"], **engines.run_settings(arguments))
    shown, pinned, simulates = image, image, None
    if arguments["simulate"]:
        simulates = toolchain.load(image).name
        shown = toolchain.load(image).image
    elif image in toolchain.names():
        pin = lock.read(settings.lock_path).toolchains.get(image)
        shown = pinned = toolchain.load(image).image
        if pin is not None:
            shown, pinned = f"{pin.image}@{pin.digest}", pin.reference
    place = jobs.where(arguments["python"], pinned, simulates, settings)
    engine = engines.make(arguments["engine_name"], simulates or "", voice)
    return captures.run(shown, place, engine, settings, voice)


def _lacking(profile: dict[str, Any]) -> str | None:
    """What the fingerprint's rules would miss."""
    from aot.fingerprint import profile as profiles

    try:
        profiles.check(profile)
    except ValueError as problem:
        return str(problem)
    return None
