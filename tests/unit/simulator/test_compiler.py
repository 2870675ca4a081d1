"""The stand-in compiler: HLO on the wire, the rule of NCC_IXCG856, its words, its NEFF."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys

import pytest

from aot.resources import simulator

PACKAGES = str(simulator() / "packages")


@pytest.fixture(scope="module", autouse=True)
def _packages():
    """Only ``aot_simulator`` is imported here: it has no name in common with anything real."""
    sys.path.insert(0, PACKAGES)
    yield
    sys.path.remove(PACKAGES)
    for name in [name for name in sys.modules if name.partition(".")[0] == "aot_simulator"]:
        del sys.modules[name]


def part(name):
    return importlib.import_module(f"aot_simulator.{name}")


def module(*dimensions, target="AwsNeuronTopK", k=256):
    hlo = part("hlo")
    built = hlo.Module("SIMULATED_test")
    logits = built.add("parameter", hlo.Shape("f32", dimensions), op_name="lm_head/logits")
    out = (*dimensions[:-1], k)
    built.add(
        "custom-call",
        hlo.Shape("f32", out),
        hlo.Shape("u32", out),
        operands=(logits.id,),
        target=target,
        backend_config=str(k).encode(),
    )
    return built.encode()


class TestWire:
    @pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63 - 1])
    def test_varint(self, value):
        wire = part("wire")
        assert wire.read_varint(wire.varint(value), 0) == (value, len(wire.varint(value)))

    def test_negative_numbers_take_ten_bytes_as_in_protobuf(self):
        assert len(part("wire").varint(-1)) == 10

    def test_the_documents_example(self):
        """Protocol buffers' encoding guide: field 1 = 150 is 08 96 01; field 2 = "testing" is 12 07 and the text."""
        wire = part("wire")
        assert wire.number(1, 150) == bytes.fromhex("089601")
        assert wire.chunk(2, "testing") == bytes.fromhex("120774657374696e67")

    @pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x08", b"\x0b"])
    def test_damaged_messages_are_value_errors(self, data):
        with pytest.raises(ValueError, match=r"truncated|wire type"):
            part("wire").parse(data)


class TestHlo:
    def test_what_is_written_is_read_again(self):
        read = part("hlo").decode(module(2, 75968))
        assert read.name == "SIMULATED_test"
        parameter, call = read.instructions
        assert (parameter.opcode, str(parameter.shape), parameter.op_name) == (
            "parameter",
            "f32[2,75968]",
            "lm_head/logits",
        )
        assert (call.opcode, call.target, call.backend_config) == ("custom-call", "AwsNeuronTopK", b"256")
        assert call.operands == (parameter.id,)
        assert [str(shape) for shape in call.shape.dimensions] == ["f32[2,256]", "u32[2,256]"]

    def test_something_else_is_refused(self):
        with pytest.raises(ValueError, match="no HloModuleProto"):
            part("hlo").decode(b"")


class TestRule:
    @pytest.mark.parametrize(
        ("dimensions", "last", "short"),
        [((2, 75968), "2 x 15190", 4), ((2, 76032), "2 x 15201", 6), ((1, 75968), "1 x 15192", 2)],
    )
    def test_the_published_figures(self, dimensions, last, short):
        text = "\n".join(part("compiler").find_failure(part("hlo").decode(module(*dimensions)), "inf2"))
        assert f"output tensor: float32<{last}> $" in text
        assert f"output tensor: float32<1 x {short}> $" in text
        assert "[INTERNAL_ERROR] [NCC_IXCG856] MATCH_REPLACE8 Instruction expects at least 8 input elements" in text

    @pytest.mark.parametrize("dimensions", [(2, 81920), (4, 75968), (2, 512), (2, 16384), (2, 64128), (4, 8192)])
    def test_what_leaves_no_small_remainder_compiles(self, dimensions):
        assert part("compiler").find_failure(part("hlo").decode(module(*dimensions)), "inf2") == []

    def test_chips_with_a_kernel_of_their_own_and_other_calls_compile(self):
        find, decode = part("compiler").find_failure, part("hlo").decode
        assert find(decode(module(2, 75968)), "trn1") != []
        assert find(decode(module(2, 75968)), "trn2") == []
        assert find(decode(module(2, 75968, target="AwsNeuronSoftmax")), "inf2") == []


def compile_file(tmp_path, data, *flags, target="inf2"):
    (tmp_path / "graph.pb").write_bytes(data)
    command = f"""
        {simulator() / "bin" / "neuronx-cc"} compile --framework=XLA {tmp_path / "graph.pb"}
        --output {tmp_path / "graph.neff"} --target={target} --auto-cast=none --model-type transformer
        '--tensorizer-options=--enable-ccop-compute-overlap --vectorize-strided-dma' --verbose=35 --lnc=1 -O2
        --logfile={tmp_path / "log-neuron-cc.txt"} --enable-internal-neff-wrapper
    """
    return subprocess.run([*shlex.split(command), *flags], capture_output=True, text=True, check=False)


class TestCommand:
    def test_a_neff_that_says_what_it_is(self, tmp_path):
        done = compile_file(tmp_path, module(2, 81920))
        assert done.returncode == 0
        assert "Compiler status PASS" in done.stdout
        neff = (tmp_path / "graph.neff").read_text()
        assert neff.startswith("SIMULATED")
        assert '"target": "inf2"' in neff
        assert "inference" in neff

    def test_equal_graphs_give_equal_neffs_and_others_do_not(self, tmp_path):
        results = []
        small, large = module(2, 512), module(4, 512)
        cases = (("a", small, "inf2"), ("b", small, "inf2"), ("c", large, "inf2"), ("d", small, "trn1"))
        for name, data, target in cases:
            (tmp_path / name).mkdir()
            compile_file(tmp_path / name, data, target=target)
            results.append((tmp_path / name / "graph.neff").read_bytes())
        assert results[0] == results[1]
        assert len(set(results)) == 3

    def test_the_crash(self, tmp_path):
        done = compile_file(tmp_path, module(2, 75968))
        assert done.returncode == 70
        assert "NCC_IXCG856" in done.stdout
        assert "SIMULATED" in done.stdout
        assert done.stdout == (tmp_path / "log-neuron-cc.txt").read_text()
        assert not (tmp_path / "graph.neff").exists()

    def test_what_is_no_hlo(self, tmp_path):
        done = compile_file(tmp_path, b"\x0a\xff")
        assert (done.returncode, "cannot read" in done.stdout) == (70, True)

    def test_an_unknown_target(self, tmp_path):
        assert compile_file(tmp_path, module(2, 512), target="gpu").returncode == 2
