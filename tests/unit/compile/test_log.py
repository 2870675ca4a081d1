"""Reading logs: genuine lines from public reports, and everything a real stream does to them."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aot.compile.failure import FailedModule, Tensor
from aot.compile.gates import gates_for
from aot.compile.known_errors import KnownError, catalogue, recognise
from aot.compile.log import LogReader, read_failures, read_stream

LOGS = Path(__file__).parents[2] / "data" / "logs"
QWEN14B = (LOGS / "ixcg856-qwen2.5-14b.log").read_bytes()
QWEN3 = (LOGS / "ixcg856-qwen3-8b.log").read_bytes()
NOISE = b"2026-03-30T13:32:48Z INFO 10192 [job.Frontend.0]: Processing operand float32<128 x 512> of loop nest 33\n"

EXPECTED = {
    "ixcg856-qwen2.5-14b.log": "NCC_IXCG856",
    "ixcg856-qwen3-8b.log": "NCC_IXCG856",
    "f134-virtuoso-lite.log": "F134",
    "cached-failed-neff-mistral-7b.log": "NCC_INLA001-memory-out-of-bound",
    "too-many-instructions-llama-2-7b.log": "TOO_MANY_INSTRUCTIONS",
    "empty-tensor.log": "EMPTY_TENSOR",
    "prefix-caching-trn1.log": "NCC_ITEN404-SimplifyNeuronTensor",
    "legalize-sunda-macro-yolo26.log": "NCC_ITEN404-LegalizeSundaMacro-IncorrectIR",
    "json-null-llama-3.3-70b.log": "NCC_INLA001-json-null",
    "killed-llama-3.1-8b.log": "HOST-OUT-OF-MEMORY",
    "swap-space.log": "VLLM_SWAP_SPACE",
    "out-of-device-memory.log": "NCC_EOOM001",
    "too-many-strides-llama-3.2-3b.log": "NCC_ITEN404-BirCodeGenLoop",
    "isa-check-llama-3.2-1b.log": "NCC_IXCG863",
    "inst-range-select-qwen2.5-coder-32b.log": "F134-InstRangeSelect",
}


def read(log: bytes) -> list[FailedModule]:
    return read_stream(io.BytesIO(log))


@pytest.mark.parametrize(("name", "error"), EXPECTED.items())
def test_genuine_logs_are_one_failure_each(name: str, error: str) -> None:
    failures = read((LOGS / name).read_bytes())
    assert [failed.error for failed in failures] == [error]


def test_every_log_has_an_expectation() -> None:
    assert {path.name for path in LOGS.glob("*.log")} == {*EXPECTED, "successful.log", "unknown-sort.log"}


def test_the_public_report_is_read_to_the_last_detail() -> None:
    (failed,) = read(QWEN14B)
    assert (failed.graph, failed.bucket) == ("token_generation_model", "_tp0_bk0")
    assert failed.module == "MODULE_1c428201b5d29e196ecb+511d3580"
    assert failed.hlo_path is not None
    assert failed.hlo_path.endswith(f"/token_generation_model/_tp0_bk0/model.{failed.module}.hlo_module.pb")
    assert failed.target == "inf2"
    assert "-O1" in failed.flags
    tensorizer = "--tensorizer-options=--enable-ccop-compute-overlap --cc-pipeline-tiling-factor=2"
    assert any(flag.startswith(tensorizer) for flag in failed.flags)
    assert failed.exit_status == 70
    assert failed.signal is None
    assert failed.code == "NCC_IXCG856"
    assert failed.message == "MATCH_REPLACE8 Instruction expects at least 8 input elements per partition"
    assert failed.tensors == (Tensor("float32", (2, 15201)), Tensor("float32", (1, 6)))
    assert failed.compiler_version == "libneuronxla 2.2.15515.0+50c26cbd"
    assert failed.line == 1


def test_a_report_without_a_path_leaves_the_graph_open() -> None:
    (failed,) = read(QWEN3)
    assert (failed.graph, failed.bucket, failed.module) == (None, None, None)
    assert [str(tensor) for tensor in failed.tensors] == ["float32<2 x 15190>", "float32<1 x 4>"]
    assert failed.target == "inf2"


def test_tensors_on_the_line_of_the_error_itself() -> None:
    (failed,) = read((LOGS / "isa-check-llama-3.2-1b.log").read_bytes() + NOISE)
    assert [str(tensor) for tensor in failed.tensors] == ["uint32<1 x 8>"]


def test_two_reports_in_one_log_stay_two() -> None:
    first, second = read(QWEN14B + NOISE * 100 + QWEN3)
    assert first.tensors[1].shape == (1, 6)
    assert second.tensors[1].shape == (1, 4)
    assert second.line == QWEN14B.count(b"\n") + 101


def test_a_success_has_no_failures() -> None:
    assert read((LOGS / "successful.log").read_bytes()) == []


@pytest.mark.parametrize("log", [b"", b"\n", b"\x00\xff" * 5000, bytes(range(256)) * 4000, b"hello"])
def test_no_log_at_all(log: bytes) -> None:
    assert read(log) == []


def test_an_unknown_code_gets_a_partial_reading() -> None:
    (failed,) = read((LOGS / "unknown-sort.log").read_bytes())
    assert failed.error is None
    assert recognise(failed) is None
    assert failed.code == "NCC_EVRF029"
    assert "Operation sort is not supported" in failed.message


def test_a_bare_traceback_names_its_exception() -> None:
    log = b"Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\nKeyError: 'rope_scaling'\n"
    (failed,) = read(log)
    assert (failed.code, failed.error) == ("KeyError", None)
    assert failed.message == "'rope_scaling'"


def test_an_exception_explains_a_graph_that_failed_without_a_word() -> None:
    event = {"event": "graph", "time": 1.0, "graph": "context_encoding_model", "bucket": "_tp0_bk1", "status": "failed"}
    (failed,) = read(b"Traceback (most recent call last):\nBrokenPipeError: [Errno 32]\n" + json.dumps(event).encode())
    assert (failed.graph, failed.code, failed.message) == ("context_encoding_model", "BrokenPipeError", "[Errno 32]")


def test_a_traceback_in_a_run_that_compiled_is_no_failure() -> None:
    event = b'{"event": "result", "time": 1.0, "outcome": "compiled"}\n'
    assert read(b"Traceback (most recent call last):\nKeyError: 'x'\n" + event) == []
    assert read(b"ModuleNotFoundError: No module named 'flash_attn'\n" + event) == []
    assert [failed.error for failed in read(QWEN14B + event)] == ["NCC_IXCG856"], "of an earlier attempt"


def test_the_cache_is_known_to_have_replayed_an_older_failure() -> None:
    (failed,) = read((LOGS / "cached-failed-neff-mistral-7b.log").read_bytes())
    assert "CACHED_FAILED_NEFF" in failed.also
    assert failed.compiler_version == "2.15.141.0+d3cfc8ca"
    assert failed.module == "MODULE_d3007680bbf6cce0a595+4497a662"


def header(graph: str, bucket: int, module: str, message: str) -> bytes:
    path = f"/scratch/nxd/{graph}/_tp0_bk{bucket}/model.MODULE_{module}+abcdef01.hlo_module.pb"
    command = f"['neuronx-cc', 'compile', '--framework=XLA', '{path}', '--output', 'x.neff', '--target=inf2']"
    line = f"2026-01-01 00:00:00.000001:  9  ERROR ||NEURON_CC_WRAPPER||: Failed compilation with {command}: {message}"
    return line.encode() + b"\n"


def test_buckets_that_fail_side_by_side_are_kept_apart() -> None:
    log = (
        header("context_encoding_model", 3, "aa", "")
        + header("token_generation_model", 0, "bb", "[INTERNAL_ERROR] [NCC_IXCG856] MATCH_REPLACE8 Instruction expects")
        + b"[ERROR] [NCC_EVRF007] model.MODULE_aa+abcdef01: The number of instructions generated exceeds the limit.\n"
    )
    first, second = read(log)
    assert (first.graph, first.bucket, first.error) == ("context_encoding_model", "_tp0_bk3", "NCC_EVRF007")
    assert (second.graph, second.bucket, second.error) == ("token_generation_model", "_tp0_bk0", "NCC_IXCG856")


def test_the_compilers_own_lines_before_the_header_belong_to_it() -> None:
    raw = (
        b"(I-69043-0), tensorizer(\n"
        b"output tensor: float32<2 x 15190> $69042, id: 51394\n"
        b"output tensor: float32<1 x 4> $69043, id: 51394\n"
        b") [INTERNAL_ERROR] [NCC_IXCG856] MATCH_REPLACE8 Instruction expects at least 8 input elements per partition\n"
    )
    (failed,) = read(NOISE * 9 + raw + header("token_generation_model", 0, "bb", "neuronx-cc failed with 70") + NOISE)
    assert failed.error == "NCC_IXCG856"
    assert failed.graph == "token_generation_model"
    assert [tensor.shape for tensor in failed.tensors] == [(2, 15190), (1, 4)]
    assert failed.exit_status == 70


def test_tensors_are_remembered_across_pieces_of_the_stream() -> None:
    reader = LogReader()
    reader.feed(NOISE * 9 + b"output tensor: float32<2 x 15190> $1, id: 2\noutput tensor: float32<1 x 4> $2, id: 2\n")
    reader.feed(b") [INTERNAL_ERROR] [NCC_IXCG856]\n")
    assert [tensor.shape for tensor in reader.finish()[0].tensors] == [(2, 15190), (1, 4)]


def test_a_code_cut_in_two_inside_an_endless_line_is_found() -> None:
    reader = LogReader()
    reader.feed(b"x" * 2_000_000 + b" [NCC_EV")
    reader.feed(b"RF007] too large " + b"y" * 2_000_000)
    assert [failed.error for failed in reader.finish()] == ["NCC_EVRF007"]


def test_one_bucket_compiled_twice_failed_twice() -> None:
    first = header("token_generation_model", 0, "aa", "[NCC_EVRF007] too large")
    second = header("token_generation_model", 0, "bb", "[NCC_EVRF013] TopK does not support int32")
    found = read(first + NOISE * 100 + second)
    assert [(failed.module, failed.error) for failed in found] == [
        ("MODULE_aa+abcdef01", "NCC_EVRF007"),
        ("MODULE_bb+abcdef01", "NCC_EVRF013"),
    ]


def test_a_traceback_that_repeats_the_failure_adds_nothing() -> None:
    message = "[NCC_EVRF007] The number of instructions generated exceeds the limit."
    once = header("token_generation_model", 0, "bb", message)
    again = b"RuntimeError: " + once[once.index(b"Failed compilation") :]
    assert len(read(once + NOISE * 200 + b"Traceback (most recent call last):\n" + again)) == 1


def test_a_signal_is_named() -> None:
    log = (
        header("token_generation_model", 0, "bb", "")
        + b"subprocess.CalledProcessError: died with <Signals.SIGKILL: 9>.\n"
    )
    assert read(log)[0].signal == "SIGKILL"
    assert read(b"RuntimeError: neuronx-cc failed with -9\n")[0].signal == "SIGKILL"


def test_colours_and_broken_utf8_do_not_hide_a_failure() -> None:
    coloured = QWEN14B.replace(b"[INTERNAL_ERROR]", b"\x1b[1;31m[INTERNAL_ERROR]\x1b[0m \xff\xfe")
    coloured = coloured.replace(b"output tensor", b"\x1b[2moutput tensor\x1b[0m")
    (failed,) = read(coloured)
    assert failed.error == "NCC_IXCG856"
    assert len(failed.tensors) == 2


def test_a_log_cut_in_the_last_line_is_read_up_to_there() -> None:
    (failed,) = read(QWEN14B[: QWEN14B.index(b"Instruction expects") + 30])
    assert failed.error == "NCC_IXCG856"


def test_a_line_without_end_is_searched_too() -> None:
    log = b"x" * 3_000_000 + b" [NCC_EVRF007] too many " + b"y" * 3_000_000
    assert [failed.error for failed in read(log)] == ["NCC_EVRF007"]


def test_events_of_the_runner_count_by_meaning_not_by_text() -> None:
    quoting = {
        "event": "patch_applied_to",
        "time": 1.0,
        "message": "[NCC_IXCG856] MATCH_REPLACE8 Instruction expects at least 8 input elements",
    }
    assert read(json.dumps(quoting).encode() + b"\n") == []
    failed_graph = {
        "event": "graph",
        "time": 1.0,
        "graph": "context_encoding_model",
        "bucket": "_tp0_bk1",
        "status": "failed",
    }
    (failed,) = read(json.dumps(failed_graph).encode() + b"\n")
    assert (failed.graph, failed.bucket, failed.error) == ("context_encoding_model", "_tp0_bk1", None)


def test_every_literal_of_the_catalogue_passes_a_gate() -> None:
    literals = [pattern.literal.encode() for entry in catalogue() for pattern in entry.patterns if not pattern.near]
    gates = gates_for(literals)
    assert all(any(gate in literal for gate in gates) for literal in literals)
    assert len(gates) < 25, "each gate costs reading speed"


@pytest.mark.parametrize("entry", [entry for entry in catalogue() if entry.samples], ids=lambda entry: entry.id)
def test_every_sample_is_found_in_the_middle_of_a_log(entry: KnownError) -> None:
    for sample in entry.samples:
        alone = any(pattern.matches(sample) and not pattern.near for pattern in entry.patterns)
        before = b"" if alone else b"[INTERNAL_ERROR] [NCC_IZZZ999]\n"
        found = read(NOISE * 60 + before + sample.encode() + b"\n" + NOISE * 60)
        assert [failed.error for failed in found] == [entry.id]


FRAGMENTS = [
    *QWEN14B.splitlines(),
    *QWEN3.splitlines(),
    NOISE,
    b"\xff\x00",
    b"]:",
    b"['",
    b"[F134]",
    b"\x1b[",
    b"<1 x ",
    b'{"event"',
]


@given(
    pieces=st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=40)), max_size=60),
    glue=st.sampled_from([b"\n", b"", b" "]),
)
@settings(max_examples=150, deadline=None)
def test_no_mixture_of_lines_breaks_the_reader(pieces: list[bytes], glue: bytes) -> None:
    for failed in read(glue.join(pieces)):
        assert len(failed.excerpt) <= 16
        assert len(failed.message) <= 500
        assert len(failed.tensors) <= 16
        json.dumps(msgspec.to_builtins(failed))


@given(cuts=st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_how_the_stream_is_cut_does_not_matter(cuts: list[int]) -> None:
    log = NOISE * 3 + QWEN14B + NOISE * 2 + header("context_encoding_model", 1, "cc", "[NCC_EVRF007] too large")
    reader, position, turn = LogReader(), 0, 0
    while position < len(log):
        size = cuts[turn % len(cuts)]
        reader.feed(log[position : position + size])
        position, turn = position + size, turn + 1
    assert reader.finish() == read_failures(log.splitlines()) == read(log)


def test_memory_stays_constant_however_much_goes_wrong() -> None:
    def endless() -> object:
        for number in range(1000):
            yield header("context_encoding_model", number, f"{number:x}", "[NCC_EVRF007] too many")
            yield from [NOISE] * 5

    tracemalloc.start()
    found = read_failures(endless())  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < len(found) <= 256
    assert peak < 5_000_000
