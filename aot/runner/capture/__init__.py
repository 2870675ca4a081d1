"""Job action ``capture``: what this image's packages say about themselves, as a fingerprint profile.

Most of it is read from the packages' source text, which needs neither a device nor the compiler. What only a running
Python knows (the architectures the plugin accepts, the fields of ``EngineArgs``, enum members) is asked of the imported
packages, exactly as serving imports them. Nothing is guessed: what neither way finds is listed in ``not_captured``.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from ..failures import RunnerError
from ..serving import import_upstream
from . import behaviour, code, engine, hf, model_classes, nested, neuron_config, plugin, serving
from .notes import SURPRISES, Notes
from .sources import Sources

SECTIONS = (
    ("neuron_config", neuron_config.neuron_config),
    ("moe_neuron_config", neuron_config.moe_neuron_config),
    ("nested", nested.tables),
    ("enums", nested.enums),
    ("behaviour", behaviour.flags),
    ("plugin", plugin.tables),
    ("model_classes", model_classes.tables),
    ("engine", engine.tables),
    ("transformers", hf.tables),
    ("code", code.digests),
)


def import_problem() -> str | None:
    """Import what serving imports, in its order; says why that fails, where it does."""
    try:
        importlib.import_module("neuronx_distributed.utils.utils")
        import_upstream()
    except (RunnerError, *SURPRISES) as error:
        return f"{type(error).__name__}: {error}"
    return None


def as_text(document: dict[str, Any]) -> str:
    """The document as it is written: the same bytes for the same image."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def capture(versions: dict[str, str | None], import_problem: str | None) -> dict[str, Any]:
    """The profile's tables, the facts for ``toolchain.toml``, and what could not be found.

    ``import_problem`` says why the packages could not be imported, or None when they are.
    """
    notes = Notes(import_problem)
    sources = Sources()
    profile = {name: table for name, read in SECTIONS if (table := notes.section(name, read, sources))}
    facts = notes.section("toolchain", serving.facts, sources)
    return {
        "profile": profile,
        "toolchain": facts or {},
        "versions": versions,
        "computed": notes.computed,
        "not_captured": notes.missing,
    }
