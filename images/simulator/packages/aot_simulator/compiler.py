"""The stand-in for ``neuronx-cc compile``: reads the HLO it is given, fails where NCC_IXCG856 is suspected.

The rule is an *inference* of the aot project from published crashes, confirmed on no compiler and no device: a top-k
operand, flattened, is cut into equal tiles of at most 16384 elements; when these cover 1 to 7 elements more than there
are, the last instruction has too few elements for MATCH_REPLACE8. On trn2 and trn3 top-k is an NKI kernel, and nothing
is cut.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from . import hlo
from .toolchains import current

TILE, LEAST = 16384, 8
TARGETS = ("inf2", "trn1", "trn1n", "trn2", "trn3")
CUTTING = ("inf2", "trn1", "trn1n")
NOTICE = (
    "SIMULATED neuronx-cc. Its rule for NCC_IXCG856 is an inference of the aot project, not the real compiler's code: "
    "success or failure here proves nothing about the real one."
)


def main(arguments: list) -> int:
    """0 and a NEFF, or 70 and an error text on stdout, as the real driver."""
    options = _parse(arguments)
    try:
        module = hlo.decode(Path(options.hlo).read_bytes())
    except (OSError, ValueError) as error:
        return _end(options, [f"[ERROR] cannot read {options.hlo}: {error}"], 70)
    failure = find_failure(module, options.target)
    if failure:
        return _end(options, failure, 70)
    Path(options.output).write_bytes(neff(module, options.target))
    return _end(options, ["Compiler status PASS"], 0)


def _parse(arguments: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="neuronx-cc", description=NOTICE)
    parser.add_argument("command", choices=["compile"])
    parser.add_argument("hlo")
    parser.add_argument("--framework", choices=["XLA"], required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--target", choices=TARGETS, required=True)
    parser.add_argument("--logfile")
    options, _ = parser.parse_known_args(arguments)  # the many flags that change nothing here
    return options


def find_failure(module: hlo.ReadModule, target: str) -> list:
    """The compiler's words about the first top-k whose cut leaves too little; empty when there is none."""
    shapes = {instruction.id: instruction.shape for instruction in module.instructions}
    for instruction in module.instructions:
        if target not in CUTTING or instruction.target != "AwsNeuronTopK":
            continue
        dimensions = shapes[instruction.operands[0]].dimensions
        elements = math.prod(dimensions)
        tiles = max(1, math.ceil(elements / TILE))
        width = math.ceil(elements / tiles)
        short = tiles * width - elements
        if tiles > 1 and 0 < short < LEAST:
            return _words(math.prod(dimensions[:-1]), width - short, short)
    return []


def _words(batch: int, last: int, short: int) -> list:
    """As published for Qwen3-8B (aws-neuron-sdk); the numbers after $ are made up."""
    return [
        "(I-69043-0), tensorizer(",
        f"output tensor: float32<{batch} x {last}> $69042, id: 51394",
        f"output tensor: float32<1 x {short}> $69043, id: 51394",
        ") [INTERNAL_ERROR] [NCC_IXCG856] MATCH_REPLACE8 Instruction expects at least 8 input elements per partition",
    ]


def neff(module: hlo.ReadModule, target: str) -> bytes:
    """Says what it is and what it was made from; equal graphs for equal targets give equal bytes."""
    calls = sorted({i.target for i in module.instructions if i.target})
    facts = {
        "simulated": True, "hlo_module": module.name, "hlo_sha256": module.digest, "target": target,
        "compiler": current().version("neuronx-cc"), "custom_calls": calls,
    }  # fmt: skip
    return f"SIMULATED NEFF\n{NOTICE}\n{json.dumps(facts, indent=1, sort_keys=True)}\n".encode()


def _end(options: argparse.Namespace, lines: list, status: int) -> int:
    text = "\n".join(["", *lines, "", NOTICE]) + "\n"
    sys.stdout.write(text)
    if options.logfile:
        Path(options.logfile).write_text(text, encoding="utf-8")
    return status
