"""What the tests of ``aot explain`` share: vectors as sides."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from aot.explain.compare import Explanation, explain
from aot.explain.side import Side, request_side
from aot.fingerprint import parse_request
from aot.toolchain import load_profile

DATA = Path(__file__).parents[2] / "data" / "vectors"
TOOLCHAIN = "sdk2.28.0"


@functools.cache
def vectors(toolchain: str = TOOLCHAIN) -> dict[str, dict[str, Any]]:
    """Id without the toolchain -> vector, refusals left out."""
    with gzip.open(DATA / f"{toolchain}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["id"].partition("/")[2]: row for row in rows if "md5" in row}


def asked(name: str, toolchain: str = TOOLCHAIN) -> Side:
    return request_side(name, parse_request(vectors(toolchain)[name]), toolchain)


def shown(name: str, toolchain: str = TOOLCHAIN) -> Side:
    """Only the canonical document, as a neuron_config.json has it."""
    row = vectors(toolchain)[name]
    return Side(label=name, kind="neuron_config", document=json.loads(row["canonical_json"]), md5=row["md5"])


def compare(left: Side, right: Side) -> Explanation:
    return explain(left, right, load_profile, TOOLCHAIN)
