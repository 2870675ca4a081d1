"""``job.json``: complete, typed, nothing unknown."""

from __future__ import annotations

import pytest

from aot.runner.failures import RunnerError
from aot.runner.job import Job, PatchRequest, output_dir_of, parse_job, read_document


def document(**changes):
    complete = {
        "schema_version": 1,
        "action": "compile",
        "target": "inf2",
        "model_path": "/models/a/b",
        "engine_args": {"tensor_parallel_size": 2},
        "usage_context": "OPENAI_API_SERVER",
        "environment": {"NEURON_CC_FLAGS": "-O1"},
        "patches": [{"id": "pad-topk", "parameters": {}}],
        "jobs": 2,
        "output_dir": "/o",
        "cache_dir": "/c",
        "work_dir": "/w",
    }
    return {**complete, **changes}


def test_everything_is_taken_over():
    job = parse_job(document())
    assert job == Job(
        action="compile",
        target="inf2",
        model_path="/models/a/b",
        output_dir="/o",
        cache_dir="/c",
        work_dir="/w",
        engine_args={"tensor_parallel_size": 2},
        environment={"NEURON_CC_FLAGS": "-O1"},
        patches=(PatchRequest("pad-topk"),),
        jobs=2,
    )


def test_what_has_a_default_may_be_left_out():
    keys = ("schema_version", "action", "target", "model_path", "output_dir", "cache_dir", "work_dir")
    job = parse_job({key: document()[key] for key in keys})
    assert (job.jobs, job.patches, job.engine_args, job.usage_context) == (None, (), {}, "OPENAI_API_SERVER")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"action": "delete"}, "unknown action"),
        ({"surprise": 1}, "unknown keys"),
        ({"engine_args": []}, "engine_args is a list"),
        ({"jobs": True}, "jobs is a bool"),
        ({"jobs": 0}, "at least 1"),
        ({"jobs": "2"}, "jobs is a str"),
        ({"environment": {"A": 1}}, "must be strings"),
        ({"patches": ["pad-topk"]}, "a patch must be"),
        ({"patches": [{"id": "a", "when": "now"}]}, "a patch must be"),
    ],
)
def test_malformed_jobs_are_refused(changes, message):
    with pytest.raises(RunnerError, match=message) as caught:
        parse_job(document(**changes))
    assert caught.value.kind == "internal"


def test_a_missing_key_is_named():
    incomplete = document()
    del incomplete["cache_dir"]
    with pytest.raises(RunnerError, match=r"lacks \['cache_dir'\]"):
        parse_job(incomplete)


def test_unreadable_files(tmp_path):
    with pytest.raises(RunnerError, match="cannot read"):
        read_document(str(tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(RunnerError, match="cannot read"):
        read_document(str(tmp_path / "bad.json"))
    with pytest.raises(RunnerError, match="JSON object"):
        parse_job([])


def test_where_to_report_is_known_even_when_the_rest_is_not():
    assert output_dir_of({"output_dir": "/o", "action": 7}) == "/o"
    assert output_dir_of({"output_dir": 7}) is None
    assert output_dir_of([]) is None
