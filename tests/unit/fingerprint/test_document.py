"""``docs/FINGERPRINT.md`` against the vectors: no input that upstream hashes is listed as outside the hash."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from .support import TOOLCHAINS, vectors

Input = tuple[str, str]
_BASE = "base-qwen3-8b"
_TEXT = (Path(__file__).parents[3] / "docs" / "FINGERPRINT.md").read_text(encoding="utf-8")
_SECTIONS = {
    "flag": "Flags of `vllm serve`",
    "variable": "Environment variables",
    "additional": "`--additional-config`",
    "override": "Keys of `override_neuron_config`",
    "key": "Keys of config.json",
}
_NEGATIVE = ("Outside the hash", "Refused", "Not covered")
_UNKNOWN_KEYS = ("zz_note",)  # the document has one row for all of them


def _inputs(case: dict[str, Any]) -> dict[Input, str]:
    """Everything that was given, one by one. The model's path and the device have a section of their own."""
    given: dict[Input, Any] = {("place", name): case.get(name) for name in ("model_dir", "detected_platform")}
    given |= {("key", name): value for name, value in case["hf_config"].items()}
    given |= {("variable", name): value for name, value in (case.get("env") or {}).items()}
    flags = dict(case.get("engine_args") or {})
    additional = dict(flags.pop("additional_config", None) or {})
    overrides = additional.pop("override_neuron_config", None) or {}
    given |= {("flag", name): value for name, value in flags.items()}
    given |= {("additional", name): value for name, value in additional.items()}
    given |= {("override", name): value for name, value in overrides.items()}
    return {name: json.dumps(value, sort_keys=True) for name, value in given.items()}


@functools.cache
def _hashed(toolchain: str) -> list[tuple[dict[Input, str], str, str]]:
    cases = [case for case in vectors(toolchain) if "error" not in case]
    return [(_inputs(case), case["md5"], case["id"].split("/")[1]) for case in cases]


def _against_the_base(toolchain: str) -> dict[Input, str]:
    """Inputs that alone change the hash of the base case, each with the name of a case that shows it."""
    base, md5, _ = next(case for case in _hashed(toolchain) if case[2] == _BASE)
    found = {}
    for given, other, name in _hashed(toolchain):
        changed = [each for each in given.keys() | base.keys() if given.get(each) != base.get(each)]
        if len(changed) == 1 and other != md5:
            found[changed[0]] = name
    return found


def _against_each_other(toolchain: str) -> dict[Input, str]:
    """Inputs in which alone two cases differ, whichever, whose hashes differ: they may need another setting."""
    groups: dict[tuple[Input, frozenset[tuple[Input, str]]], dict[str, str]] = defaultdict(dict)
    whole = {frozenset(given.items()): (md5, name) for given, md5, name in _hashed(toolchain)}
    for given, (md5, name) in whole.items():
        for each in given:
            rest = given - {each}
            group = groups[each[0], rest]
            group[md5] = name
            if rest in whole:
                group.setdefault(*whole[rest])
    return {each: " and ".join(sorted(group.values())) for (each, _), group in groups.items() if len(group) > 1}


def _paragraphs(kind: str) -> list[str]:
    section = _TEXT.split(f"\n## {_SECTIONS[kind]}\n")[1].split("\n## ")[0]
    return section.strip().splitlines()


def _words(text: str) -> set[str]:
    """Names in a line, as inputs are called: ``--max-num-seqs 4`` and ``NAME=1`` by their first part."""
    words = re.findall(r"--([a-z0-9-]+)", text)
    return {word.replace("-", "_") for word in words} | set(re.findall(r"`([A-Za-z_][A-Za-z0-9_]*)", text))


def _said(kind: str) -> tuple[set[str], set[str]]:
    """Names that the document's section says enter the hash, and those it only says something else of."""
    entering, other = set(), set()
    for line in _paragraphs(kind):
        if line.startswith("| "):
            change, outcome = line.strip("| ").split(" | ")[:2]
            (entering if "enters" in outcome else other).update(_words(change))
        elif line.startswith(_NEGATIVE):
            other |= _words(line.split(" of ", 1)[1])
        elif line.startswith(("In the hash", "These keys change")):
            entering |= _words(line)
    return entering, other - entering


def _listed_as_outside(kind: str) -> set[str]:
    lines = [line for line in _paragraphs(kind) if line.startswith(_NEGATIVE)]
    lines += [line for line in _paragraphs(kind) if line.startswith("By release") and "enters" not in line]
    return {word for line in lines for word in _words(re.split(r" of |: (?=`)", line, maxsplit=1)[1])}


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("compare", [_against_the_base, _against_each_other])
def test_what_changes_a_vector_is_said_to_enter(toolchain, compare):
    found = {each: name for each, name in compare(toolchain).items() if each[0] in _SECTIONS}
    assert len(found) > 50
    outside = {each: name for each, name in found.items() if each[1] in _listed_as_outside(each[0])}
    assert outside == {}
    unsaid = {
        each: name for each, name in found.items() if each[1] not in _said(each[0])[0] and each[1] not in _UNKNOWN_KEYS
    }
    assert unsaid == {}


def test_the_document_is_read_as_it_is_meant():
    """The test above would pass on a document that it cannot read."""
    assert {"seed", "quantization"} <= _listed_as_outside("flag")
    assert "enable_fused_speculation" in _listed_as_outside("override")
    assert "sliding_window" in _said("key")[0]
    assert "chunked_prefill_config" in _said("override")[0]
    assert "NEURON_CC_FLAGS" in _said("variable")[1]
