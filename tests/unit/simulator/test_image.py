"""The simulator keeps its distance: nothing of aot in it, standard library only, old enough syntax, switches work."""

from __future__ import annotations

import ast
import signal
import sys
from pathlib import Path

import pytest

from aot.resources import runner, simulator
from tests.support.simulator import SMALL, Simulation

PAD = [{"id": "pad-topk", "parameters": {}}]


def sources(root: Path) -> list[Path]:
    found = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in found if path.suffix == ".py" or path.name == "neuronx-cc"]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_the_simulator_needs_only_the_standard_library_and_itself():
    own = {path.name for path in (simulator() / "packages").iterdir()}
    for path in sources(simulator()):
        assert imported(path) <= set(sys.stdlib_module_names) | own, path


def test_the_runner_imports_nothing_from_the_rest_of_aot():
    image = {"torch"}  # inside a function, where the image has it
    for path in sources(runner()):
        assert imported(path) <= set(sys.stdlib_module_names) | image, path


@pytest.mark.parametrize("root", [simulator(), runner()], ids=["simulator", "runner"])
def test_syntax_is_that_of_python_3_10(root):
    for path in sources(root):
        ast.parse(path.read_text(), feature_version=(3, 10))


@pytest.fixture
def simulation(tmp_path):
    return Simulation(tmp_path, engine_args=SMALL)


class TestSwitches:
    def test_out_of_memory_kills_without_a_result(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "oom"
        outcome = simulation.run(patches=PAD)
        assert outcome.status == -signal.SIGKILL
        assert not (outcome.output / "result.json").exists()

    def test_no_result(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "no-result"
        outcome = simulation.run(patches=PAD)
        assert outcome.status == 3
        assert not (outcome.output / "result.json").exists()

    def test_refused(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "refused"
        assert simulation.run().result["error"]["kind"] == "refused"

    def test_flaky_fails_once_per_cache(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "flaky"
        first, second = simulation.run(patches=PAD), simulation.run(patches=PAD)
        assert (first.status, second.status) == (1, 0)

    def test_slow(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "slow=0.2"
        outcome = simulation.run(patches=PAD)
        compiling = next(e for e in outcome.named("phase") if e["name"] == "compile" and e["status"] == "end")
        assert outcome.status == 0
        assert compiling["seconds"] > 0.4  # two graphs, the first of them alone

    def test_a_perturbed_config_is_a_different_fingerprint(self, simulation):
        plain = simulation.run(action="fingerprint").result["fingerprint"]
        simulation.environment["AOT_SIMULATOR_PERTURB"] = 'neuron_config.target="trn9"'
        assert simulation.run(action="fingerprint").result["fingerprint"] != plain

    def test_an_unknown_switch_is_refused(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "sleepy"
        outcome = simulation.run(patches=PAD)
        assert outcome.status == 1
        assert "known are oom" in outcome.stderr


class TestWorlds:
    @pytest.mark.parametrize(
        ("toolchain", "compiler"),
        [
            ("sdk2.27.1", "2.22.12471.0+simulated"),
            ("sdk2.28.0", "2.23.6484.0+simulated"),
            ("sdk2.29.0", "2.24.5133.0+simulated"),
        ],
    )
    def test_versions_and_crash_by_toolchain(self, simulation, toolchain, compiler):
        simulation.environment["AOT_SIMULATOR_TOOLCHAIN"] = toolchain
        crashed = simulation.run()
        assert crashed.result["versions"]["neuronx-cc"] == compiler
        assert "NCC_IXCG856" in crashed.stderr
        assert simulation.run(patches=PAD).status == 0

    def test_an_unknown_toolchain(self, simulation):
        simulation.environment["AOT_SIMULATOR_TOOLCHAIN"] = "sdk9"
        outcome = simulation.run()
        assert outcome.status != 0
        assert "the simulator does not know toolchain 'sdk9'" in outcome.stderr

    def test_trn2_has_a_kernel_and_does_not_crash(self, simulation):
        outcome = simulation.run(target="trn2", patches=PAD)
        assert outcome.status == 0
        assert outcome.result["patches"][-1]["applications"] == []

    def test_without_on_device_sampling_there_is_no_top_k(self, simulation):
        sampling = {"override_neuron_config": {"on_device_sampling_config": None}}
        arguments = {**SMALL, "additional_config": sampling}
        assert simulation.run(engine_args=arguments).status == 0

    def test_qwen2_compiles_with_flags_of_its_own(self, simulation):
        for key in ("head_dim", "attention_bias"):
            del simulation.config[key]
        simulation.config.update(architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=152064)
        outcome = simulation.run()
        assert "output tensor: float32<2 x 15201> $" in outcome.stderr
        assert "output tensor: float32<1 x 6> $" in outcome.stderr
        assert "'--enable-mixed-precision-accumulation'" in outcome.stderr


class TestCache:
    def entries(self, simulation):
        return sorted((simulation.root / "cache" / "neuronxcc-2.23.6484.0+simulated").iterdir())

    def test_layout_of_success_and_failure(self, simulation):
        simulation.run()
        (failed,) = self.entries(simulation)
        assert failed.name.startswith("MODULE_")
        assert {path.name for path in failed.iterdir()} == {
            "model.hlo_module.pb",
            "model.hlo_module.pb.lock",
            "compile_flags.json",
            "model.log",
        }
        assert "NCC_IXCG856" in (failed / "model.log").read_text()
        simulation.run(patches=PAD)
        done = next(entry for entry in self.entries(simulation) if entry != failed)
        assert {"model.neff", "model.done"} < {path.name for path in done.iterdir()}

    def test_a_second_build_compiles_nothing(self, simulation):
        simulation.run(patches=PAD)
        again = simulation.run(patches=PAD)
        assert again.status == 0
        assert "Call compiler" not in again.stderr
        assert again.stderr.count("Using a cached neff") == 2

    def test_a_purged_failure_is_tried_again(self, simulation):
        simulation.run()
        (failed,) = self.entries(simulation)
        (failed / "model.log").unlink()
        assert "Got a cached failed neff" not in simulation.run().stderr
