"""The variables of a cross-compile: the target wins, given flags stay, nothing an import changes survives."""

from __future__ import annotations

import os

import pytest

from aot.runner import environment
from aot.runner.failures import RunnerError
from aot.runner.job import Job


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*environment.settings(make(tmp_path)), *environment.defaults(make(tmp_path))):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return make(tmp_path)


def make(path, **changes):
    places = {name: str(path / name) for name in ("output_dir", "cache_dir", "work_dir")}
    return Job(action="compile", target="inf2", model_path="/models/a/b", **{**places, **changes})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, f"{environment.DEFAULT_FLAGS} --target inf2"),
        ("  ", f"{environment.DEFAULT_FLAGS} --target inf2"),
        ("-O1", "-O1 --target inf2"),
        ("--target inf2 -O3", "--target inf2 -O3"),
        ("--target=inf2", "--target=inf2"),
        ("--tensorizer-options='--target-size=3'", "--tensorizer-options='--target-size=3' --target inf2"),
    ],
)
def test_compiler_flags(given, expected):
    assert environment.compiler_flags("inf2", given) == expected


@pytest.mark.parametrize("given", ["--target trn1", "-O1 --target=trn2"])
def test_flags_for_another_target_are_refused(given):
    with pytest.raises(RunnerError, match="the job is for inf2") as caught:
        environment.compiler_flags("inf2", given)
    assert caught.value.kind == "environment"


def test_prepare_sets_everything_and_enters_the_work_directory(job):
    environment.prepare(job)
    assert os.environ["NEURON_PLATFORM_TARGET_OVERRIDE"] == "inf2"
    assert os.environ["NEURON_CC_FLAGS"].endswith("--target inf2")
    assert os.environ["NEURON_COMPILE_CACHE_URL"] == job.cache_dir
    assert os.environ["BASE_COMPILE_WORK_DIR"] == job.work_dir + "/nxd_model/"
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert os.getcwd() == job.work_dir  # noqa: PTH109 (a string to compare with)
    assert os.path.isdir(job.output_dir)  # noqa: PTH112


def test_variables_of_the_job_win_over_those_of_the_container(job, tmp_path, monkeypatch):
    monkeypatch.setenv("NEURON_CC_FLAGS", "-O3")
    monkeypatch.setenv("HOME", "/somewhere")
    chosen = {"NEURON_CC_FLAGS": "-O1", "NEURON_LOGICAL_NC_CONFIG": "2", "NEURON_PLATFORM_TARGET_OVERRIDE": "trn1"}
    monkeypatch.setenv("NEURON_LOGICAL_NC_CONFIG", "1")
    environment.prepare(make(tmp_path, environment=chosen))
    assert os.environ["NEURON_CC_FLAGS"] == "-O1 --target inf2"
    assert os.environ["NEURON_LOGICAL_NC_CONFIG"] == "2"
    assert os.environ["NEURON_PLATFORM_TARGET_OVERRIDE"] == "trn1"
    assert os.environ["HOME"] == "/somewhere"


def test_flags_of_the_container_are_kept_when_the_job_has_none(job, monkeypatch):
    monkeypatch.setenv("NEURON_CC_FLAGS", "-O3")
    assert environment.settings(job)["NEURON_CC_FLAGS"] == "-O3 --target inf2"


def test_reapply_undoes_what_an_import_changed(job, monkeypatch):
    variables = environment.prepare(job)
    assert environment.reapply(variables) == []
    monkeypatch.setenv("NEURON_PLATFORM_TARGET_OVERRIDE", "trn2")
    monkeypatch.delenv("NEURON_CC_FLAGS")
    assert environment.reapply(variables) == ["NEURON_PLATFORM_TARGET_OVERRIDE", "NEURON_CC_FLAGS"]
    assert os.environ["NEURON_PLATFORM_TARGET_OVERRIDE"] == "inf2"


def test_graphs_of_a_former_attempt_are_gone(job, tmp_path):
    old = tmp_path / "work_dir" / "nxd_model" / "token_generation_model" / "_tp0_bk0"
    old.mkdir(parents=True)
    environment.prepare(job)
    assert not old.exists()


def test_a_directory_that_cannot_be_made_is_named(job, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunnerError, match="cannot create") as caught:
        environment.prepare(make(tmp_path, cache_dir=str(tmp_path / "file" / "cache")))
    assert caught.value.kind == "environment"


def test_a_directory_that_cannot_be_written_is_named(job, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != job.cache_dir)  # root may write anywhere
    with pytest.raises(RunnerError, match="cache_dir is not writable"):
        environment.prepare(job)
