"""From failures to findings: what failed, why, how sure we are, what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from aot.compile.failure import Tensor
from aot.compile.known_errors import Confidence, ErrorKind, KnownError, recognise
from aot.compile.remedies import applied_by_build, ladder
from aot.compile.topk import Logits, remainder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aot.compile.failure import FailedModule
    from aot.compile.remedies import Remedy

UNKNOWN = "unknown"
TOPK_ERROR = "NCC_IXCG856"
HOW_TO_FILE = (
    "search https://github.com/aws-neuron/aws-neuron-sdk/issues for the code and the first line of the message; to"
    " file it, give the image, the compiler version, the failed graph and bucket, the command line and these lines"
)


class LadderStep(msgspec.Struct, frozen=True):
    """One remedy as advice; ``automatic`` ones are applied by ``aot build``."""

    id: str
    does: str
    cost: str
    not_when: str
    confidence: str
    automatic: bool
    changes_fingerprint: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, explained. ``id`` is the catalogue's, or "unknown"; ``confidence`` is then None.

    ``remedy`` is what ``aot build`` would apply. ``remainder`` and ``arithmetic`` are set for NCC_IXCG856 only and are
    always an inference.
    """

    id: str
    name: str
    kind: ErrorKind | None = msgspec.field(default=None, name="class")
    code: str | None
    graph: str | None
    bucket: str | None
    confidence: Confidence | None
    cause: str
    cause_confidence: Confidence | None
    workaround: str
    workaround_confidence: Confidence | None
    remedy: str | None
    ladder: tuple[LadderStep, ...]
    link: str | None
    also: tuple[str, ...]
    message: str
    tensors: tuple[Tensor, ...]
    remainder: int | None
    arithmetic: dict[str, Any] | None
    target: str | None
    flags: tuple[str, ...]
    exit_status: int | None
    signal: str | None
    module: str | None
    hlo_path: str | None
    compiler_version: str | None
    usual_graphs: tuple[str, ...]
    line: int
    excerpt: tuple[str, ...]


def explain(failures: Iterable[FailedModule], logits: Logits | None = None) -> list[Finding]:
    """One finding per failure; ``logits`` is the request's top-k operand where it is known."""
    return [_finding(failed, recognise(failed), logits) for failed in failures]


def _finding(failed: FailedModule, known: KnownError | None, logits: Logits | None) -> Finding:
    rest = remainder(failed.tensors, logits) if known is not None and known.id == TOPK_ERROR else None
    remedy = applied_by_build(known.id) if known else None
    return Finding(
        id=known.id if known else UNKNOWN,
        name=known.name if known else f"not in the catalogue ({failed.code or 'no error code'})",
        kind=known.kind if known else None,
        code=failed.code,
        graph=failed.graph,
        bucket=failed.bucket,
        confidence=known.confidence if known else None,
        cause=known.cause if known else f"not known; the log says: {failed.message or 'nothing'}",
        cause_confidence=(known.cause_confidence or known.confidence) if known else None,
        workaround=known.workaround if known else HOW_TO_FILE,
        workaround_confidence=(known.workaround_confidence or known.confidence) if known else None,
        remedy=remedy.id if remedy else None,
        ladder=tuple(_step(step) for step in ladder(known.id)) if known else (),
        link=known.link if known else None,
        also=failed.also,
        message=failed.message,
        tensors=failed.tensors,
        remainder=rest.shortfall if rest else None,
        arithmetic=_arithmetic(failed, logits) if rest else None,
        target=failed.target,
        flags=failed.flags,
        exit_status=failed.exit_status,
        signal=failed.signal,
        module=failed.module,
        hlo_path=failed.hlo_path,
        compiler_version=failed.compiler_version,
        usual_graphs=known.graphs if known else (),
        line=failed.line,
        excerpt=failed.excerpt,
    )


def _step(remedy: Remedy) -> LadderStep:
    return LadderStep(**{name: getattr(remedy, name) for name in LadderStep.__struct_fields__})


def _arithmetic(failed: FailedModule, logits: Logits | None) -> dict[str, Any] | None:
    rest = remainder(failed.tensors, logits)
    if rest is None:
        return None
    return {
        "last_tile": rest.last,
        "tile": rest.tile,
        "shortfall": rest.shortfall,
        "elements": rest.fits.elements if rest.fits else None,
        "tiles": rest.fits.tiles if rest.fits else None,
        "candidates": [{"elements": row.elements, "tiles": row.tiles} for row in rest.candidates],
        "text": str(rest),
        "confidence": "inference",
    }


def sentence(failed: FailedModule, logits: Logits | None = None) -> str:
    """One failure in a sentence, with the arithmetic where there is some."""
    known = recognise(failed)
    unknown = f"not in the catalogue: {failed.code or 'no error code'}"
    text = f"recognised {known.id}, {known.name}" if known else unknown
    if failed.graph or known is None or known.kind in ("internal-compiler-error", "user-error"):
        text += f", on {failed.where}"
    if failed.tensors:
        text += ": " + " + ".join(map(str, failed.tensors[:4]))
    if known is not None and known.id == TOPK_ERROR and (rest := remainder(failed.tensors, logits)):
        return f"{text} = {rest}"
    return f"{text}: {failed.message}" if failed.message and not failed.tensors else text
