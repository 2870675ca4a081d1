"""The whole street on the local engine: what a user runs, in processes of its own, against the simulator."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from aot.storage.local import LocalStore
from tests.support.cli import EXAMPLE, SERVE, SIMULATE, Aot
from tests.support.hub import TOKEN, HubServer
from tests.support.require import require

DEMO_FINGERPRINT = "cdb41dafa78720b351955fd849347b26"


@pytest.fixture
def aot(tmp_path: Path) -> Aot:
    return Aot(tmp_path / "home")


def staging_of(aot: Aot) -> list[Path]:
    directory = aot.store / ".aot" / "staging"
    return [entry for entry in directory.iterdir() if entry.is_dir()] if directory.is_dir() else []


def assert_whole(aot: Aot, artifacts: int) -> None:
    done = aot("verify", "--json")
    assert done.status == 0, done.stderr
    assert len(done.document["artifacts"]) == artifacts
    assert staging_of(aot) == []


def test_from_a_model_id_to_values_through_a_crash_and_its_repair(aot: Aot) -> None:
    with HubServer() as hub:
        done = aot.build(model="Qwen/Qwen3-8B", HF_ENDPOINT=hub.url)
        assert done.status == 0, done.stderr
        fetched = {Path(name).name for name in hub.fetched}
    result = done.document
    assert "config.json" in fetched
    assert not any(name.endswith((".safetensors", ".py")) for name in fetched)
    assert result["fingerprint"]["predicted"] == result["fingerprint"]["found"] == DEMO_FINGERPRINT
    first, second = result["attempts"]
    assert (first["outcome"], first["error"], first["remedy"]) == ("failed", "NCC_IXCG856", None)
    assert (first["graph"], first["bucket"]) == ("token_generation_model", "_tp0_bk0")
    assert (second["outcome"], second["error"], second["remedy"]) == ("compiled", None, "pad-topk")
    assert all(attempt["seconds"] > 0 for attempt in result["attempts"])
    assert (result["simulated"], result["reused"]) == (True, False)
    assert result["downloaded_bytes"] > 5000
    assert result["eos"]["ok"]
    assert set(result["eos"]["stop_ids"]) == {151645, 151643}
    assert len(result["model"]["commit"]) == 40
    for said in ("float32<2 x 15190>", "short by 4 (inference)", "pad-topk", "padded from 75968 to 81920", "simulat"):
        assert said in done.stderr
    values = aot("values", result["artifact"]["reference"], "--repository", "r.example.com/m/q", "--allow-simulated")
    assert f"r.example.com/m/q@{result['artifact']['digest']}" in values.stdout
    assert_whole(aot, 1)


def test_the_second_build_returns_what_is_there_and_starts_nothing(aot: Aot) -> None:
    first = aot.build()
    again = aot.build(AOT_SIMULATOR_FAIL="no-result")  # would fail if anything were started
    assert again.status == 0, again.stderr
    assert again.document["reused"] is True
    assert again.document["attempts"] == []
    assert again.document["artifact"] == first.document["artifact"]


def test_two_empty_stores_get_one_digest(aot: Aot, tmp_path: Path) -> None:
    other = Aot(tmp_path / "other")
    assert aot.build().document["artifact"]["digest"] == other.build().document["artifact"]["digest"]


def test_skopeo_reads_the_store(aot: Aot) -> None:
    require("skopeo", shutil.which("skopeo") is not None, "there is no skopeo on the PATH")
    artifact = aot.build().document["artifact"]
    raw = subprocess.run(["skopeo", "inspect", "--raw", artifact["reference"]], capture_output=True, check=True)
    manifest = json.loads(raw.stdout)
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["artifactType"]


def test_durations_and_logs_are_in_the_report_outside_the_digest(aot: Aot) -> None:
    digest = aot.build().document["artifact"]["digest"]
    store = LocalStore(aot.store).open()
    (report,) = store.reports(digest)
    assert [attempt["outcome"] for attempt in report["attempts"]] == ["failed", "compiled"]
    assert any("NCC_IXCG856" in line for line in report["attempts"][0]["log_tail"])
    record = json.dumps(json.loads((extracted(store, digest, aot.home) / "record.json").read_bytes()))
    assert "seconds" not in record


def extracted(store: LocalStore, digest: str, home: Path) -> Path:
    store.extract(digest, home / "extracted")
    return home / "extracted"


def test_a_fingerprint_that_differs_stops_the_build_before_the_compile_and_is_explained(aot: Aot) -> None:
    perturb = "neuron_config.max_length=4096"
    done = aot.build(AOT_SIMULATOR_PERTURB=perturb)
    assert done.status == 8, done.stderr
    error = done.document["error"]
    assert error["id"] == "fingerprint-mismatch"
    assert error["differences"] == [{"path": "neuron_config.max_length", "left": 2048, "right": 4096}]
    assert "compiled after" not in done.stderr
    assert_whole(aot, 0)

    allowed = aot.build("--allow-mismatch", AOT_SIMULATOR_PERTURB=perturb)
    assert allowed.status == 0, allowed.stderr
    assert allowed.document["fingerprint"]["mismatch_allowed"] is True
    assert allowed.document["fingerprint"]["found"] != allowed.document["fingerprint"]["predicted"]
    refused = aot.build()
    assert (refused.status, refused.document["error"]["id"]) == (8, "fingerprint-mismatch")


def test_without_remedies_the_crash_is_explained_and_nothing_is_kept(aot: Aot) -> None:
    done = aot.build("--remedies", "off")
    assert done.status == 7
    error = done.document["error"]
    assert error["id"] == "compile-failed"
    assert [attempt["error"] for attempt in error["attempts"]] == ["NCC_IXCG856"]
    assert_whole(aot, 0)


@pytest.mark.parametrize(
    ("switch", "status", "error"),
    [
        ("no-result", 7, "runner-without-result"),
        ("disk-full", 10, "disk-full"),
        ("refused", 3, "refused-by-server"),
    ],
)
def test_failures_of_the_image(aot: Aot, switch: str, status: int, error: str) -> None:
    done = aot.build(AOT_SIMULATOR_FAIL=switch)
    assert (done.status, done.document["error"]["id"]) == (status, error), done.stderr
    assert not any(line.startswith("Traceback") for line in done.stderr.splitlines()), "other than in the quoted log"
    assert_whole(aot, 0)
    assert aot.build().status == 0, "a failed build must not spoil the next one"


def test_a_compile_that_hangs_is_stopped_at_its_limit(aot: Aot) -> None:
    done = aot.build("--timeout", "2", AOT_SIMULATOR_FAIL="hang")
    assert (done.status, done.document["error"]["id"]) == (7, "compile-timeout")


def copy_of_example(target: Path, **generation: Any) -> Path:
    shutil.copytree(EXAMPLE, target)
    path = target / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **generation}))
    return target


def test_a_model_that_cannot_stop_is_refused_before_anything_starts(aot: Aot, tmp_path: Path) -> None:
    model = copy_of_example(tmp_path / "Qwen3-8B", eos_token_id=999_999_999)
    tokenizer = model / "tokenizer_config.json"
    tokenizer.write_text(json.dumps({**json.loads(tokenizer.read_bytes()), "eos_token": "<|nowhere|>"}))
    done = aot.build(model=model, AOT_SIMULATOR_FAIL="no-result")
    assert (done.status, done.document["error"]["id"]) == (9, "eos-check-failed")
    assert done.document["error"]["eos"]["findings"]
    built = aot.build("--eos", "warn", model=model)
    assert built.status == 0, built.stderr
    assert built.document["eos"]["ok"] is False
    again = aot.build(model=model)
    assert (again.status, again.document["error"]["id"]) == (9, "eos-check-failed")


def start_hanging(aot: Aot) -> subprocess.Popen[str]:
    """A build whose compile never ends, seen to be running."""
    process = aot.start(
        "build", str(EXAMPLE), *SERVE, *SIMULATE, "--json", AOT_SIMULATOR_FAIL="hang", PYTHONUNBUFFERED="1"
    )
    deadline = time.monotonic() + 30
    while not runners_of(aot) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runners_of(aot), "the runner never started"
    return process


def runners_of(aot: Aot) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(aot.home) in command and "/job.json" in command:
            found.append(command)
    return found


def wait_until_gone(aot: Aot) -> None:
    deadline = time.monotonic() + 15
    while runners_of(aot) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert runners_of(aot) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_stops_the_compile_and_keeps_nothing_half_made(aot: Aot, number: int, status: int) -> None:
    process = start_hanging(aot)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == status, stderr
    assert json.loads(stdout)["error"]["exit_code"] == status
    assert "Traceback" not in stderr
    wait_until_gone(aot)
    assert_whole(aot, 0)


def test_a_killed_build_leaves_nothing_half_made_and_the_next_one_completes(aot: Aot) -> None:
    process = start_hanging(aot)
    process.kill()
    process.communicate(timeout=30)
    wait_until_gone(aot)
    assert staging_of(aot), "the killed build had begun"
    done = aot.build()
    assert done.status == 0, done.stderr
    assert_whole(aot, 1)


def test_two_builds_of_one_key_at_once_compile_once(aot: Aot) -> None:
    arguments = ("build", str(EXAMPLE), *SERVE, *SIMULATE, "--json")
    both = [aot.start(*arguments) for _ in range(2)]
    results = [json.loads(process.communicate(timeout=120)[0]) for process in both]
    assert sorted(result["reused"] for result in results) == [False, True]
    assert len({result["artifact"]["digest"] for result in results}) == 1


def test_engine_local_is_for_the_simulator_only(aot: Aot) -> None:
    done = aot("build", str(EXAMPLE), *SERVE, "--engine", "local", "--json")
    assert (done.status, done.document["error"]["id"]) == (6, "engine-local-needs-simulate")


def test_a_directory_that_is_no_store_is_left_alone(aot: Aot) -> None:
    aot.store.mkdir()
    (aot.store / "holiday.jpg").write_bytes(b"x")
    done = aot.build()
    assert (done.status, done.document["error"]["id"]) == (10, "not-a-store")
    assert [entry.name for entry in aot.store.iterdir()] == ["holiday.jpg"]


def test_no_token_reaches_the_output_the_job_or_the_artifact(aot: Aot) -> None:
    secret = TOKEN
    with HubServer() as hub:
        done = aot.build("--verbose", model="Qwen/Qwen3-8B", HF_ENDPOINT=hub.url, HF_TOKEN=secret)
    assert done.status == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    holding = [path for path in aot.store.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert holding == []


def test_on_github_the_stages_are_log_groups(aot: Aot) -> None:
    done = aot.build(GITHUB_ACTIONS="true")
    assert done.stderr.count("::group::") == done.stderr.count("::endgroup::") > 2
    assert "::warning title=aot::recognised NCC_IXCG856" in done.stderr


def test_a_damaged_artifact_is_not_reused_but_built_again(aot: Aot) -> None:
    first = aot.build().document["artifact"]
    largest = max((aot.store / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    assert aot("verify").status == 10
    again = aot.build()
    assert again.status == 0, again.stderr
    assert "damaged" in again.stderr
    assert again.document["reused"] is False
    assert again.document["artifact"]["digest"] == first["digest"]
    assert_whole(aot, 1)


def test_a_flipped_bit_is_found_and_mended_by_the_advice_that_verify_gives(aot: Aot) -> None:
    first = aot.build().document["artifact"]
    largest = max((aot.store / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    done = aot("verify", "--json")
    assert done.status == 10
    assert "--rebuild" in done.document["error"]["remedy"]
    again = aot.build("--rebuild")
    assert again.document["artifact"]["digest"] == first["digest"]
    assert_whole(aot, 1)


def test_two_stores_at_once_do_not_disturb_each_other(aot: Aot) -> None:
    arguments = ("build", str(EXAMPLE), *SERVE, *SIMULATE, "--json", "--store")
    slow = [aot.start(*arguments, str(aot.home / name), AOT_SIMULATOR_FAIL="slow=0.3") for name in "ab"]
    results = [process.communicate(timeout=120) for process in slow]
    assert [process.returncode for process in slow] == [0, 0], results
    assert len({json.loads(stdout)["artifact"]["digest"] for stdout, _ in results}) == 1


def test_a_failure_that_passes_leaves_no_trace_in_the_digest(aot: Aot, tmp_path: Path) -> None:
    flaky = aot.build("--attempts", "5", AOT_SIMULATOR_FAIL="flaky")
    assert flaky.status == 0, flaky.stderr
    assert len(flaky.document["attempts"]) == 3
    clean = Aot(tmp_path / "other").build()
    assert flaky.document["artifact"]["digest"] == clean.document["artifact"]["digest"]


@pytest.mark.parametrize("value", ["NaN", "1e999", '"\\ud800"'])
def test_what_cannot_be_recorded_is_refused_at_once(aot: Aot, value: str) -> None:
    done = aot.build("--additional-config", f'{{"override_neuron_config": {{"x": {value}}}}}')
    assert (done.status, done.document["error"]["id"]) == (2, "additional-config-malformed")


def test_no_home_and_no_cache_is_needed(aot: Aot) -> None:
    done = aot.build(HOME="/nonexistent", XDG_CACHE_HOME="/proc/nope")
    assert done.status == 0, done.stderr


def test_what_the_simulator_does_not_know_is_its_own_limit_not_the_servers_word(aot: Aot, tmp_path: Path) -> None:
    model = tmp_path / "Mixtral"
    shutil.copytree(EXAMPLE, model)
    config = json.loads((model / "config.json").read_bytes())
    config |= {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral"}
    (model / "config.json").write_text(json.dumps(config))
    error = aot.build(model=model).document["error"]
    assert error["id"] == "not-covered"
    assert "the simulator cannot play this request" in error["reason"]
    assert "server" not in error["remedy"]
