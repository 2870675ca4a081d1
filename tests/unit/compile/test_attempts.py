"""Attempts: what is tried, when it stops, and what is recorded."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from aot import resources
from aot.compile import attempts
from aot.compile.attempts import AttemptsOutcome, Policy
from aot.compile.engine import Job
from aot.compile.local import LocalEngine
from aot.compile.remedies import Remedy
from aot.compile.topk import Logits
from aot.compile.watch import Watcher
from aot.errors import AotError, ErrorId
from tests.unit.compile.scripted import (
    IXCG856,
    LOGS,
    MD5,
    Recording,
    Script,
    ScriptedEngine,
    compiled,
    failed,
    job_maker,
)


class Build:
    """One call of ``attempts.run`` over scripts."""

    def __init__(self, directory: Path, *scripts: Script, policy: Policy | None = None) -> None:
        self.engine = ScriptedEngine(list(scripts))
        self.progress = Recording()
        self.directory = directory
        self._make = job_maker(directory)
        self._policy = policy or Policy()

    def run(self, logits: Logits | None = None) -> AttemptsOutcome:
        return attempts.run(self.engine, self._make, self._policy, self.progress, logits=logits)

    def fails(self, error_id: ErrorId) -> AotError:
        with pytest.raises(AotError) as problem:
            self.run()
        assert problem.value.error_id is error_id, problem.value.reason
        return problem.value


def test_a_compile_that_works_is_one_attempt(tmp_path: Path) -> None:
    outcome = Build(tmp_path, compiled()).run()
    (only,) = outcome.attempts
    assert (only.outcome, only.error, only.remedy, only.seconds) == ("compiled", None, None, 2.5)
    assert outcome.result.fingerprint is not None
    assert outcome.result.simulated
    assert (outcome.output_dir / "compiled" / "model.pt").is_file()
    assert outcome.canonical_json == "content"
    assert outcome.remedies == ()


def test_a_known_crash_is_repaired_and_both_attempts_recorded(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856, files=("compiled/neuron_config.json",)), compiled())
    outcome = build.run(Logits(batch=2, vocabulary=152064, tensor_parallel=2))
    first, second = outcome.attempts
    assert (first.outcome, first.error, first.remedy) == ("failed", "NCC_IXCG856", None)
    assert (first.graph, first.bucket, first.exit_status) == ("token_generation_model", "_tp0_bk0", 1)
    assert any("MATCH_REPLACE8" in line for line in first.log_tail)
    assert (second.outcome, second.error, second.remedy) == ("compiled", None, "pad-topk")
    assert [remedy.id for remedy in outcome.remedies] == ["pad-topk"]
    assert [job.document["patches"] for job in build.engine.jobs] == [[], [{"id": "pad-topk", "parameters": {}}]]
    said = build.progress.text
    assert "float32<2 x 15201> + float32<1 x 6> = top-k over 2 x 76032 logits: 10 tiles of 15207, short by 6" in said
    assert "(inference)" in said
    assert "applying remedy pad-topk" in said
    assert "the fingerprint stays, the NEFF changes" in said
    msgspec.json.encode(outcome.attempts)


def test_nothing_of_a_failed_attempt_survives(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856, files=("compiled/neuron_config.json", "compiled/model.pt")), compiled())
    outcome = build.run()
    assert build.engine.outputs_seen == [[], []]
    assert len({job.output_dir for job in build.engine.jobs}) == 2
    assert [path.name for path in (tmp_path / "output").iterdir()] == [outcome.output_dir.name]


def test_leftovers_of_a_killed_build_are_not_mistaken_for_output(tmp_path: Path) -> None:
    build = Build(tmp_path, compiled())
    stale = tmp_path / "output" / "attempt-1" / "compiled"
    stale.mkdir(parents=True)
    (stale / "model.pt").write_text("half")
    build.run()
    assert build.engine.outputs_seen == [[]]


def test_the_same_crash_after_its_remedy_ends_the_build(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856), failed(IXCG856), compiled(), policy=Policy(attempts=5))
    problem = build.fails(ErrorId.COMPILE_FAILED)
    assert len(build.engine.jobs) == 2
    assert "pad-topk did not help" in problem.reason
    assert [attempt["remedy"] for attempt in problem.facts["attempts"]] == [None, "pad-topk"]


def test_the_number_of_attempts_is_bounded(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856), compiled(), policy=Policy(attempts=1))
    problem = build.fails(ErrorId.COMPILE_FAILED)
    assert len(build.engine.jobs) == 1
    assert "limit of 1" in problem.reason


def test_remedies_can_be_switched_off(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856), compiled(), policy=Policy(remedies=False))
    problem = build.fails(ErrorId.COMPILE_FAILED)
    assert "switched off" in problem.reason
    assert "NCC_IXCG856" in problem.reason


def test_an_error_without_a_remedy_is_explained(tmp_path: Path) -> None:
    log = [b"[ERROR] [NCC_EVRF007] The number of instructions generated exceeds the limit."]
    problem = Build(tmp_path, failed(log), compiled()).fails(ErrorId.COMPILE_FAILED)
    assert "NCC_EVRF007" in problem.reason
    assert "tensor parallel degree" in problem.remedy


def test_an_unknown_error_says_how_to_file_it(tmp_path: Path) -> None:
    log = [b"[INTERNAL_ERROR] [NCC_IZZZ999] something nobody has seen"]
    problem = Build(tmp_path, failed(log), compiled()).fails(ErrorId.COMPILE_FAILED)
    assert "NCC_IZZZ999" in problem.reason
    assert "to file it" in problem.remedy
    (attempt,) = problem.facts["attempts"]
    assert (attempt["error"], attempt["code"]) == (None, "NCC_IZZZ999")


def poison(job: Job) -> None:
    """Leave a failed and a good entry in the compile cache, as libneuronxla does."""
    version = job.cache_dir / "neuronxcc-2.23.6484.0+3b612583"
    for module, names in (("MODULE_bad+1", ("model.log",)), ("MODULE_good+1", ("model.neff", "model.done"))):
        (version / module).mkdir(parents=True, exist_ok=True)
        for name in ("model.hlo_module.pb", "compile_flags.json", *names):
            (version / module / name).write_bytes(b"x")


def test_failed_cache_entries_are_purged_before_a_retry_and_good_ones_kept(tmp_path: Path) -> None:
    build = Build(tmp_path, failed(IXCG856, meanwhile=poison), compiled())
    outcome = build.run()
    assert outcome.attempts[0].purged == ()
    assert outcome.attempts[1].purged == ("MODULE_bad+1",)
    assert [path.name for path in (tmp_path / "cache").rglob("MODULE_*")] == ["MODULE_good+1"]


def test_a_failure_replayed_by_the_cache_is_compiled_afresh(tmp_path: Path) -> None:
    log = (LOGS / "cached-failed-neff-mistral-7b.log").read_bytes().splitlines()
    outcome = Build(tmp_path, failed(log, meanwhile=poison), compiled()).run()
    assert [attempt.remedy for attempt in outcome.attempts] == [None, "purge-failed-neff"]


def test_a_bare_exit_70_is_tried_once_more(tmp_path: Path) -> None:
    log = [b"RuntimeError: neuronx-cc compilation failed with 70. Check compiler logs."]
    outcome = Build(tmp_path, failed(log), compiled()).run()
    assert [attempt.remedy for attempt in outcome.attempts] == [None, "retry-once"]
    (tmp_path / "again").mkdir()
    again = Build(tmp_path / "again", failed(log), failed(log), compiled())
    again.fails(ErrorId.COMPILE_FAILED)
    assert len(again.engine.jobs) == 2


def test_an_explained_exit_70_is_not_tried_again(tmp_path: Path) -> None:
    log = [b"[ERROR] [NCC_EVRF007] too large", b"RuntimeError: neuronx-cc failed with 70"]
    build = Build(tmp_path, failed(log), compiled())
    build.fails(ErrorId.COMPILE_FAILED)
    assert len(build.engine.jobs) == 1


def test_two_different_errors_get_two_remedies(tmp_path: Path) -> None:
    flaky = [b"RuntimeError: neuronx-cc compilation failed with 70. Check compiler logs."]
    build = Build(tmp_path, failed(flaky), failed(IXCG856), compiled())
    outcome = build.run()
    assert [attempt.remedy for attempt in outcome.attempts] == [None, "retry-once", "pad-topk"]
    assert build.engine.jobs[2].document["patches"] == [{"id": "pad-topk", "parameters": {}}]


@pytest.mark.parametrize(
    ("kind", "error_id"),
    [
        ("refused", ErrorId.REFUSED_BY_SERVER),
        ("patch-target-missing", ErrorId.PATCH_TARGET_MISSING),
        ("environment", ErrorId.RUNNER_FAILED),
        ("internal", ErrorId.RUNNER_FAILED),
    ],
)
def test_what_is_no_compile_failure_is_not_tried_again(tmp_path: Path, kind: str, error_id: ErrorId) -> None:
    error = {"kind": kind, "type": "ValueError", "message": "block_size must be one of 8, 16"}
    build = Build(tmp_path, failed([b"a line of the log"], error=error), compiled())
    problem = build.fails(error_id)
    assert "block_size must be one of 8, 16" in problem.reason
    assert len(build.engine.jobs) == 1
    assert len(problem.facts["attempts"]) == 1


@pytest.mark.parametrize(
    ("script", "error_id", "words"),
    [
        (Script(status=137, signal="SIGKILL", out_of_memory=True), ErrorId.COMPILE_OUT_OF_MEMORY, "memory"),
        (failed([b"RuntimeError: neuronx-cc failed with -9"]), ErrorId.COMPILE_OUT_OF_MEMORY, "memory"),
        (Script(status=143, signal="SIGTERM", timed_out=True), ErrorId.COMPILE_TIMEOUT, "time limit"),
        (failed([b"OSError: [Errno 28] No space left on device"]), ErrorId.DISK_FULL, "disk is full"),
        (Script(status=3), ErrorId.RUNNER_DIED, "exit status 3"),
        (Script(status=139, signal="SIGSEGV"), ErrorId.RUNNER_DIED, "SIGSEGV"),
        (Script(status=0), ErrorId.RUNNER_DIED, "exit status 0"),
        (Script(result=b"{", status=1), ErrorId.RUNNER_DIED, "cannot be read"),
        (Script(result=b'{"schema_version": 2, "outcome": "failed"}'), ErrorId.RUNNER_DIED, "schema_version"),
        (Script(result=b'{"schema_version": 1, "outcome": "perhaps"}'), ErrorId.RUNNER_DIED, "outcome"),
        (Script(result=b'"' + b"x" * (17 << 20) + b'"'), ErrorId.RUNNER_DIED, "more than"),
        (Script(result=compiled().result, status=0), ErrorId.RUNNER_DIED, "left no neuron_config.json"),
        (Script(result=compiled().result, status=139, files=compiled().files), ErrorId.RUNNER_DIED, "139"),
        (Script(result=compiled().result, status=0, files=compiled().files[:2]), ErrorId.RUNNER_DIED, "was hashed"),
    ],
)
def test_every_other_end_is_a_clear_error(tmp_path: Path, script: Script, error_id: ErrorId, words: str) -> None:
    script.log = [*script.log, b"the last thing it said"]
    build = Build(tmp_path, script, compiled())
    problem = build.fails(error_id)
    assert words in problem.reason
    assert problem.remedy
    assert problem.facts["attempts"][0]["message"]
    assert problem.facts["log_tail"][-1] == "the last thing it said"
    assert [attempt["outcome"] for attempt in problem.facts["attempts"]] == ["failed"]
    assert len(build.engine.jobs) == 1


def test_a_result_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    def link(job: Job) -> None:
        (tmp_path / "elsewhere.json").write_text('{"schema_version": 1, "outcome": "compiled"}')
        (job.output_dir / "result.json").symlink_to(tmp_path / "elsewhere.json")

    script = Script(status=0, files=compiled().files, meanwhile=link)
    assert "without a result" in Build(tmp_path, script).fails(ErrorId.RUNNER_DIED).reason


def test_another_fingerprint_than_expected_is_handed_to_the_caller(tmp_path: Path) -> None:
    script = failed(error={"kind": "mismatch", "type": "FingerprintMismatch", "message": "found another"})
    assert isinstance(script.result, dict)
    script.result["fingerprint"] = {"md5": MD5}
    script.files = ("canonical.json",)
    with pytest.raises(attempts.FingerprintMismatch) as found:
        Build(tmp_path, script, compiled()).run()
    assert found.value.canonical_json == "content"


@pytest.mark.parametrize("stated", [{"md5": "0" * 32}, None])
def test_a_fingerprint_that_is_not_that_of_the_text_is_not_believed(tmp_path: Path, stated: object) -> None:
    script = compiled()
    assert isinstance(script.result, dict)
    script.result["fingerprint"] = stated
    problem = Build(tmp_path, script).fails(ErrorId.RUNNER_DIED)
    assert "md5" in problem.reason


def test_no_event_ends_a_build(tmp_path: Path) -> None:
    deep = b'{"event": "graph", "graph": ' + b"[" * 30000 + b"]" * 30000 + b"}"
    seconds = [b"1e309", b"NaN", b"-1", b"1" + b"0" * 400, b'"soon"', b"[]", b"true"]
    lines = [b'{"event": "graph", "graph": "g", "status": "end", "seconds": %s}' % value for value in seconds]
    odd = [b'{"event": "fingerprint", "md5": "\\ud800"}', b'{"event": "phase", "name": {}, "status": "start"}']
    watcher = Watcher(Recording())
    for line in [deep, *lines, *odd, b'{"event": "graph", "status": "failed", "graph": {"a": [1]}}']:
        watcher.stdout(line)
    watcher.tick(1.0)
    assert watcher.fingerprint == "?"
    watcher.failures()


def test_the_end_of_the_log_comes_with_the_error(tmp_path: Path) -> None:
    log = [b"line %d" % number for number in range(5000)]
    problem = Build(tmp_path, Script(status=3, log=log)).fails(ErrorId.RUNNER_DIED)
    assert problem.facts["log_tail"][-1] == "line 4999"
    assert len(problem.facts["log_tail"]) <= 50
    assert len(problem.facts["attempts"][0]["log_tail"]) <= 100


def test_events_reach_the_user_and_text_on_stdout_is_log(tmp_path: Path) -> None:
    script = compiled()
    script.events = (
        {"event": "phase", "name": "import", "status": "start"},
        {"event": "fingerprint", "md5": "d" * 32},
        {"event": "graph", "graph": "token_generation_model", "bucket": "_tp0_bk0", "status": "start"},
        {"event": "graph", "graph": "context_encoding_model", "bucket": "_tp0_bk0", "status": "start"},
        {"event": "graph", "graph": "context_encoding_model", "bucket": "_tp0_bk0", "status": "end", "seconds": 61.0},
        {"event": "patch_applied_to", "message": "padded float32[2,75968] to 81920"},
        {"event": "something-new"},
    )
    script.log = [b"\x1b[31mred\x1b[0m \xff", b"", b'{"not": "an event"}']
    build = Build(tmp_path, script)
    build.run()
    assert build.progress.beats == ["compiling token_generation_model _tp0_bk0, 0:01"]
    assert "context_encoding_model _tp0_bk0 compiled after 1:01" in build.progress.text
    assert "padded float32[2,75968] to 81920" in build.progress.text
    assert "d" * 32 in build.progress.text
    assert build.progress.lines == ["red \ufffd", '{"not": "an event"}']


def test_an_interrupt_passes_through(tmp_path: Path) -> None:
    def interrupt(_job: Job) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Build(tmp_path, failed(meanwhile=interrupt)).run()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="engine local needs Linux")
def test_the_true_crash_and_repair_in_the_simulator(tmp_path: Path) -> None:
    (model_dir,) = {path.parent for path in (resources.data_root() / "examples" / "models").rglob("config.json")}
    make = job_maker(tmp_path)
    arguments = {"tensor_parallel_size": 2, "max_model_len": 256, "max_num_seqs": 2, "block_size": 32}

    def make_job(remedies: Sequence[Remedy]) -> Job:
        plain = make(remedies)
        document = {
            **plain.document,
            "target": "inf2",
            "model_path": "/models/Qwen/Qwen3-8B",
            "engine_args": {**arguments, "dtype": "bfloat16", "enable_prefix_caching": False},
            "usage_context": "OPENAI_API_SERVER",
            "environment": {},
            "jobs": 2,
        }
        return dataclasses.replace(
            plain, python=sys.executable, document=document, model_dir=model_dir, model_path="/models/Qwen/Qwen3-8B"
        )

    progress = Recording()
    engine = LocalEngine(resources.simulator(), "sdk2.28.0")
    outcome = attempts.run(engine, make_job, Policy(), progress, logits=Logits(2, 151936, 2))
    first, second = outcome.attempts
    assert (first.error, first.graph, first.bucket) == ("NCC_IXCG856", "token_generation_model", "_tp0_bk0")
    assert len(second.purged) == 1
    assert (second.outcome, second.remedy) == ("compiled", "pad-topk")
    assert "top-k over 2 x 75968 logits: 10 tiles of 15194, short by 4 (inference)" in progress.text
    assert outcome.result.simulated
    assert "pad-topk" in [patch.id for patch in outcome.result.patches]


def test_advice_names_what_can_be_done(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    out_of_time = Build(tmp_path / "a", Script(status=137, timed_out=True)).fails(ErrorId.COMPILE_TIMEOUT)
    assert "--timeout" in out_of_time.remedy
    assert "--jobs" in out_of_time.remedy
    full = Build(tmp_path / "b", failed([b"OSError: [Errno 28] No space left on device"])).fails(ErrorId.DISK_FULL)
    assert "--store" in full.remedy
