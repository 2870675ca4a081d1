"""The runner as the host starts it, in the simulator: protocol, outcomes, every way to fail."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import time

import pytest

from aot.resources import simulator
from tests.support.simulator import ENGINE_ARGS, QWEN3_8B_MD5, SMALL, Simulation

PAD = [{"id": "pad-topk", "parameters": {}}]


@pytest.fixture
def simulation(tmp_path):
    return Simulation(tmp_path)


class TestCompiled:
    def test_result_events_and_files(self, simulation):
        outcome = simulation.run(patches=PAD)
        assert outcome.status == 0, outcome.stderr
        result = outcome.result
        assert (result["outcome"], result["error"], result["simulated"]) == ("compiled", None, True)
        assert result["fingerprint"] == {"md5": QWEN3_8B_MD5}
        assert result["architecture"] == "Qwen3ForCausalLM"
        assert result["model_class"] == "NeuronQwen3ForCausalLM"
        assert result["neuron_config_class"] == "Qwen3NeuronConfig"
        assert result["config_class"] == "Qwen3InferenceConfig"
        assert result["resolved"]["block_size"] == 2048
        assert result["platform"] == {
            "target": "inf2",
            "override": "inf2",
            "platform_target": "inf2",
            "hardware_member": "TRN1",
            "hardware_alias_applied": True,
            "native_gqa": True,
        }
        assert [patch["id"] for patch in result["patches"]] == ["hardware-alias", "compile-jobs", "pad-topk"]
        assert result["patches"][2]["applications"] == [
            {"operand": "float32[1,75968]", "width": 75968, "padded_width": 81920, "k": 256},
            {"operand": "float32[2,75968]", "width": 75968, "padded_width": 81920, "k": 256},
        ]
        assert result["versions"]["neuronx-cc"] == "2.23.6484.0+simulated"
        canonical = (outcome.output / "canonical.json").read_bytes()
        assert hashlib.md5(canonical, usedforsecurity=False).hexdigest() == QWEN3_8B_MD5
        assert sorted(path.name for path in (outcome.output / "compiled").iterdir()) == [
            "model.pt",
            "neuron_config.json",
        ]
        assert sorted(path.name for path in outcome.output.iterdir()) == ["canonical.json", "compiled", "result.json"]

    def test_events_come_in_order_and_nothing_else_is_on_stdout(self, simulation):
        outcome = simulation.run(patches=PAD)
        kinds = [event["event"] for event in outcome.events]
        assert kinds[0] == "started"
        assert kinds[-1] == "result"
        phases = [event["name"] for event in outcome.named("phase") if event["status"] == "start"]
        assert phases == ["import", "config", "fingerprint", "patch", "compile", "save"]
        assert outcome.named("fingerprint")[0]["md5"] == QWEN3_8B_MD5
        warning = outcome.named("patch_applied_to")[1]["message"]
        assert "float32[2,75968]" in warning
        assert "from 75968 to 81920" in warning
        assert "inference" in warning
        graphs = {(event["graph"], event["bucket"]) for event in outcome.named("graph") if event["status"] == "end"}
        assert len(graphs) == 10
        assert "Call compiler with cmd" in outcome.stderr

    def test_the_same_job_gives_the_same_bytes(self, tmp_path):
        files = []
        for name in ("one", "two"):
            outcome = Simulation(tmp_path / name, engine_args=SMALL).run(patches=PAD)
            files.append({path.name: path.read_bytes() for path in (outcome.output / "compiled").iterdir()})
        assert files[0] == files[1]

    def test_a_bound_on_jobs_is_optional(self, simulation):
        outcome = simulation.run(patches=PAD, jobs=None, engine_args=SMALL)
        assert "compile-jobs" not in [patch["id"] for patch in outcome.result["patches"]]

    def test_eight_ranks_on_a_small_host(self, simulation):
        """vLLM's own default of swap space would be refused below 46 GiB of memory."""
        arguments = {**SMALL, "tensor_parallel_size": 8, "max_num_seqs": 1}
        assert simulation.run(engine_args=arguments, patches=PAD).status == 0
        refused = simulation.run(engine_args={**arguments, "swap_space": 100_000})
        assert "Too large swap space" in refused.result["error"]["message"]


class TestFingerprinted:
    def test_nothing_is_patched_or_compiled(self, simulation):
        outcome = simulation.run(action="fingerprint", patches=[{"id": "unknown"}])
        assert outcome.status == 0
        assert outcome.result["outcome"] == "fingerprinted"
        assert outcome.result["fingerprint"] == {"md5": QWEN3_8B_MD5}
        assert [patch["id"] for patch in outcome.result["patches"]] == ["hardware-alias"]
        assert not (outcome.output / "compiled").exists()

    @pytest.mark.parametrize(
        ("toolchain", "target", "member", "alias"),
        [
            ("sdk2.28.0", "inf2", "TRN1", True),
            ("sdk2.28.0", "trn1", "TRN1", False),
            ("sdk2.28.0", "trn2", "TRN2", False),
            ("sdk2.29.0", "inf2", "TRN1", False),
        ],
    )
    def test_platform(self, simulation, toolchain, target, member, alias):
        simulation.environment["AOT_SIMULATOR_TOOLCHAIN"] = toolchain
        facts = simulation.run(action="fingerprint", target=target).result["platform"]
        assert (facts["hardware_member"], facts["hardware_alias_applied"]) == (member, alias)
        assert facts["native_gqa"] is (target != "trn1")

    def test_the_callers_logical_cores_are_in_the_config(self, simulation):
        outcome = simulation.run(action="fingerprint", environment={"NEURON_LOGICAL_NC_CONFIG": "2"})
        canonical = json.loads((outcome.output / "canonical.json").read_text())
        assert canonical["neuron_config"]["logical_nc_config"] == 2


class TestCompilerFailures:
    def test_the_known_crash(self, simulation):
        outcome = simulation.run()
        assert outcome.status == 1
        assert outcome.result["outcome"] == "failed"
        assert outcome.result["error"]["kind"] == "compile"
        assert outcome.result["error"]["type"] == "CalledProcessError"
        assert "non-zero exit status 70" in outcome.result["error"]["message"]
        assert outcome.result["fingerprint"] == {"md5": QWEN3_8B_MD5}
        assert "output tensor: float32<2 x 15190> $69042" in outcome.stderr
        assert "output tensor: float32<1 x 4> $69043" in outcome.stderr
        assert outcome.named("graph")[-1]["status"] == "failed"
        assert outcome.named("graph")[-1]["bucket"] == "_tp0_bk0"
        assert outcome.named("result")[0]["outcome"] == "failed"

    def test_a_failed_neff_is_cached_until_it_is_purged(self, simulation):
        simulation.run()
        again = simulation.run()
        assert "Got a cached failed neff at" in again.stderr
        assert again.result["error"]["type"] == "RuntimeError"
        assert again.result["error"]["kind"] == "compile"

    def test_the_rest_is_not_compiled_after_a_failure(self, simulation):
        """Context encoding crashes too (batch 1 leaves 2); its queue must not hold up the end."""
        simulation.environment["AOT_SIMULATOR_FAIL"] = "slow=0.5"
        arguments = {**ENGINE_ARGS, "max_num_seqs": 4}  # batch 4 compiles: the first failure is in the pool
        started = time.monotonic()
        outcome = simulation.run(engine_args=arguments, jobs=1)
        assert outcome.result["error"]["kind"] == "compile"
        assert time.monotonic() - started < 4  # ten graphs, one after the other, would take five seconds and more


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"max_model_len": None}, "max_model_len must be a positive integer"),
            ({"enable_prefix_caching": True, "block_size": None}, "block_size must be set"),
            ({"no_such_argument": 1}, "unexpected keyword argument"),
            ({"speculative_config": {"method": "ngram"}}, "speculative decoding"),
            ({"enable_lora": True}, "LoRA"),
            ({"additional_config": {"override_neuron_config": {"enable_fused_speculation": True}}}, "speculative"),
        ],
    )
    def test_what_the_server_refuses(self, simulation, changes, message):
        outcome = simulation.run(engine_args={**ENGINE_ARGS, **changes})
        assert outcome.status == 1
        assert outcome.result["error"]["kind"] == "refused"
        assert message in outcome.result["error"]["message"]
        assert outcome.result["fingerprint"] is None

    def test_unsupported_and_multimodal_architectures(self, simulation):
        simulation.config["architectures"] = ["MistralForCausalLM"]
        assert "not supported on Neuron" in simulation.run().result["error"]["message"]
        simulation.config["architectures"] = ["Qwen2VLForConditionalGeneration"]
        error = simulation.run().result["error"]
        assert (error["kind"], "multimodal" in error["message"]) == ("refused", True)

    def test_an_assertion_without_words_still_says_something(self, simulation):
        override = {"override_neuron_config": {"is_prefix_caching": False}}
        arguments = {**ENGINE_ARGS, "enable_prefix_caching": True, "additional_config": override}
        assert simulation.run(engine_args=arguments).result["error"]["message"] == "AssertionError without a message"


class TestPatchTargets:
    @pytest.mark.parametrize(
        ("file", "old", "new"),
        [
            ("neuronx_distributed/operators/topk.py", "TopK.apply", "_kernel"),
            ("neuronx_distributed/trace/model_builder.py", "import concurrent.futures", "import threading"),
        ],
    )
    def test_a_patch_whose_target_is_gone_fails_hard(self, simulation, tmp_path, file, old, new):
        changed = tmp_path / "job" / file  # before the simulator's packages on the path
        whole = simulator() / "packages" / "neuronx_distributed"
        simulation.run(action="fingerprint")
        shutil.copytree(whole, tmp_path / "job" / "neuronx_distributed")
        changed.write_text(changed.read_text().replace(old, new))
        outcome = simulation.run(patches=PAD)
        assert outcome.status == 1
        assert outcome.result["error"]["kind"] == "patch-target-missing"
        assert not (outcome.output / "compiled").exists()


class TestTheHost:
    def test_a_model_without_config(self, simulation):
        outcome = simulation.run(model_path="/models/none/here")
        assert outcome.result["error"]["kind"] == "environment"
        assert "config.json" in outcome.result["error"]["message"]

    def test_a_full_disk(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "disk-full"
        error = simulation.run(patches=PAD).result["error"]
        assert (error["kind"], error["type"]) == ("environment", "OSError")
        assert "No space left on device" in error["message"]

    def test_packages_that_are_not_there(self, simulation):
        simulation.run(action="fingerprint")
        (simulation.root / "job" / "vllm_neuron.py").write_text("")  # hides the plugin
        error = simulation.run().result["error"]
        assert error["kind"] == "environment"
        assert "not as expected" in error["message"]

    def test_a_malformed_job_is_reported_where_it_says(self, simulation):
        outcome = simulation.run(action="explode")
        assert outcome.status == 1
        assert outcome.result["error"]["kind"] == "internal"

    def test_a_terminated_run_reports_and_leaves_no_compiler(self, simulation):
        simulation.environment["AOT_SIMULATOR_FAIL"] = "hang"
        process = simulation.start(patches=PAD)
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())]
        while seen[-1].get("name") != "compile":
            seen.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 1
        error = json.loads((simulation.root / "output" / "result.json").read_text())["error"]
        assert error == {"kind": "environment", "type": "Stopped", "message": "stopped by SIGTERM"}

    def test_variables_an_import_changes_are_set_again(self, simulation):
        simulation.run(action="fingerprint")
        (simulation.root / "job" / "regex.py").write_text("")
        package = simulation.root / "job" / "sitecustomize.py"
        package.write_text(
            "import threading, os\n"
            "from aot_simulator import metadata, switches\n"
            "metadata.install()\n"
            "original = switches.at_engine_start\n"
            "def change():\n"
            "    original()\n"
            "    os.environ['NEURON_CC_FLAGS'] = 'spoiled'\n"
            "switches.at_engine_start = change\n"
        )
        outcome = simulation.run(patches=PAD)
        assert outcome.status == 0
        assert "NEURON_CC_FLAGS was changed by an import" in outcome.stderr

    def test_no_variable_of_the_environment_is_printed(self, simulation):
        simulation.environment["HF_TOKEN"] = "hf_secret_of_the_host"
        for patches in ([], PAD):
            outcome = simulation.run(patches=patches)
            everything = outcome.stdout + outcome.stderr + json.dumps(outcome.result)
            assert "hf_secret_of_the_host" not in everything
