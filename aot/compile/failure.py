"""What can be said about one failed module (one graph, one bucket), and how its pieces look in a log."""

from __future__ import annotations

import re
import signal

import msgspec

GRAPH_AND_BUCKET = re.compile(r"(?<!\w)(?P<graph>[A-Za-z_]\w*)/(?P<bucket>_tp\d+_bk\d+)/")
"""NxD's work directory: ``<base>/<graph>/_tp0_bk<bucket>`` (neuronx_distributed/trace/model_builder.py)."""

MODULE = re.compile(r"\b(?P<module>MODULE_[0-9a-f]+\+[0-9a-f]+)")
HLO_PATH = re.compile(r"(?P<path>/[^\s'\",\]]*\.hlo(?:_module)?\.pb)")
GRAPH_NAME = re.compile(r"\b(?P<graph>(?:context_encoding|token_generation|speculation|fused_speculation)_model)\b")
CODE = re.compile(r"\b(?P<code>NCC_[A-Z]{3,4}\d{3})\b|\[(?P<old>[A-Z]{1,4}\d{3})\]")
_EXTENTS = r"(?P<dtype>[a-z]+\d+)<(?P<shape>\d{1,12}(?: x \d{1,12})*)>"
TENSOR = re.compile(r"\btensor:\s*" + _EXTENTS)
ANY_TENSOR = re.compile(r"\b" + _EXTENTS)
STATUS = re.compile(
    r"returned non-zero exit status (?P<exit>\d+)|neuronx-cc (?:compilation )?failed with (?P<cc>-?\d+)"
    r"|died with <Signals\.(?P<signal>SIG\w+)"
)
VERSION = re.compile(r"neuronxcc-(?P<cache>\d[\w.+]*)/|NeuronX Compiler version (?P<cc>\d\S*)")
XLA_VERSION = re.compile(r"\[libneuronxla (?P<xla>\d[^\]\s]*)\]")
EXCEPTION = re.compile(r"^(?:[\w.]+\.)?(?P<type>[A-Z]\w*(?:Error|Exception|Refused))(?::\s*(?P<text>.*))?$")
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Tensor(msgspec.Struct, frozen=True):
    """A tensor named next to an error, e.g. ``float32<2 x 15190>``."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        """As the compiler writes it."""
        return f"{self.dtype}<{' x '.join(map(str, self.shape))}>"


class FailedModule(msgspec.Struct, frozen=True, kw_only=True):
    """One failure found in a log; everything that the log did not say is None or empty.

    ``error`` is the id of the catalogue's entry, ``also`` the ids of less specific ones that claim lines of the same
    module; ``line`` is the number of its first line, from 1; ``excerpt`` holds a bounded number of its lines.
    """

    graph: str | None = None
    bucket: str | None = None
    module: str | None = None
    target: str | None = None
    flags: tuple[str, ...] = ()
    exit_status: int | None = None
    signal: str | None = None
    hlo_path: str | None = None
    compiler_version: str | None = None
    code: str | None = None
    error: str | None = None
    also: tuple[str, ...] = ()
    message: str = ""
    tensors: tuple[Tensor, ...] = ()
    line: int = 0
    excerpt: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Graph and bucket for a sentence, as far as they are known."""
        return " ".join(part for part in (self.graph or "a graph the log does not name", self.bucket) if part)


def tensors_in(text: str, *, on_error_line: bool = False) -> list[Tensor]:
    """The tensors a line names: those it calls so, or any at all on the line of the error itself."""
    pattern = ANY_TENSOR if on_error_line else TENSOR
    return [
        Tensor(match["dtype"], tuple(int(extent) for extent in match["shape"].split(" x ")))
        for match in pattern.finditer(text)
    ]


def code_in(text: str) -> str | None:
    """The first compiler error code in a line, new style (``NCC_IXCG856``) or old (``[TEN404]``)."""
    match = CODE.search(text)
    return (match["code"] or match["old"]) if match else None


def status_in(text: str) -> tuple[int | None, str | None]:
    """Exit status and signal name that a line reports."""
    match = STATUS.search(text)
    if match is None:
        return None, None
    if match["signal"]:
        return None, match["signal"]
    number = int(match["exit"] or match["cc"])
    if number >= 0:
        return number, None
    known = {member.value: member.name for member in signal.Signals}
    return None, known.get(-number, f"signal {-number}")


def flags_in(command: str) -> tuple[str, ...]:
    """Compiler flags of a command as the wrapper prints it: a Python list, or words."""
    quoted = re.findall(r"'([^']*)'", command)
    words = quoted or command.replace(",", " ").split()
    return tuple(word for word in words if word.startswith("-") and word not in {"-", "--"})


def target_in(flags: tuple[str, ...], command: str) -> str | None:
    """The ``--target`` of a command, whether written with = or as two words."""
    for flag in flags:
        if flag.startswith("--target="):
            return flag.removeprefix("--target=")
    match = re.search(r"--target'?,?\s+'?(\w+)", command)
    return match[1] if match else None
