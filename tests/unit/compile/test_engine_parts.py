"""Pieces of the engines that need neither a process nor a container."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aot import host
from aot.compile import archive, images, simulator_image
from aot.compile.docker_client import container_user, remaps_users
from aot.compile.engine import Exit, JobPaths, exit_of, looks_secret, plain_model_dir, prepare
from aot.compile.lines import LineSplitter
from aot.errors import AotError, ErrorId
from tests.support.engine_contract import FAKE_RUNNER, make_job

PATHS = JobPaths("/aot/job", "/aot/output", "/aot/cache", "/aot/work")


@pytest.mark.parametrize("seed", range(20))
def test_lines_do_not_depend_on_chunks(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311
    data = bytes(source.choice(b"ab\n\r\xff") for _ in range(500))
    seen: list[bytes] = []
    splitter = LineSplitter(seen.append)
    position = 0
    while position < len(data):
        size = source.randint(1, 40)
        splitter.feed(data[position : position + size])
        position += size
    splitter.close()
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert seen == [line.removesuffix(b"\r") for line in expected]


def test_a_long_line_comes_in_pieces() -> None:
    seen: list[bytes] = []
    splitter = LineSplitter(seen.append, limit=4)
    for chunk in (b"abc", b"defg", b"hij\nk\n", b"mnop\nqrstu"):
        splitter.feed(chunk)
    splitter.close()
    splitter.close()
    assert seen == [b"abcd", b"efgh", b"ij", b"k", b"mnop", b"qrst", b"u"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, Exit(0)),
        (70, Exit(70)),
        (128, Exit(128)),
        (137, Exit(137, signal="SIGKILL")),
        (255, Exit(255)),
    ],
)
def test_exit_names_the_signal(status: int, expected: Exit) -> None:
    assert exit_of(status, 0.0) == expected


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("HF_TOKEN", True),
        ("HUGGING_FACE_HUB_TOKEN", True),
        ("hf_token", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("AWS_REGION", True),
        ("OPENAI_API_KEY", True),
        ("DB_PASSWORD", True),
        ("SECRET_X", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("NEURON_TOKEN_GENERATION_BUCKETS", False),
        ("NEURON_CC_FLAGS", False),
        ("AWSOME", False),
        ("MONKEY", False),
    ],
)
def test_what_looks_secret(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret


def test_prepared_directory(tmp_path: Path) -> None:
    directory = tmp_path / "job"
    directory.mkdir()
    runner = tmp_path / "runner"
    (runner / "__pycache__").mkdir(parents=True)
    (runner / "__main__.py").write_text("")
    prepare(make_job(tmp_path, [["facts"]]), directory, PATHS, runner=runner)
    assert sorted(str(path.relative_to(directory)) for path in directory.rglob("*")) == [
        "aot_runner",
        "aot_runner/__main__.py",
        "job.json",
    ]
    document = json.loads((directory / "job.json").read_text())
    assert (document["output_dir"], document["cache_dir"], document["work_dir"]) == PATHS_ON_PAPER
    assert document["steps"] == [["facts"]]


PATHS_ON_PAPER = ("/aot/output", "/aot/cache", "/aot/work")


def test_credentials_in_the_document_are_refused_too(tmp_path: Path) -> None:
    job = make_job(tmp_path, [], document={"environment": {"HF_TOKEN": "abc"}})
    with pytest.raises(AotError) as error:
        prepare(job, tmp_path, PATHS, runner=FAKE_RUNNER)
    assert error.value.error_id is ErrorId.SECRET_IN_ENVIRONMENT


def test_the_real_runner_is_the_default(tmp_path: Path) -> None:
    prepare(make_job(tmp_path, []), tmp_path, PATHS)
    assert (tmp_path / "aot_runner" / "__main__.py").is_file()


def test_a_model_without_links_is_used_as_it_is(tmp_path: Path) -> None:
    job = make_job(tmp_path, [])
    assert plain_model_dir(job, tmp_path / "scratch") == job.model_dir


def test_links_become_files(tmp_path: Path) -> None:
    job = make_job(tmp_path, [])
    (tmp_path / "blob").write_text("tokenizer")
    (job.model_dir / "tokenizer.json").symlink_to("../blob")
    found = plain_model_dir(job, tmp_path / "scratch")
    assert (found / "tokenizer.json").read_text() == "tokenizer"
    assert not (found / "tokenizer.json").is_symlink()
    assert (found / "tokenizer.json").stat().st_ino == (tmp_path / "blob").stat().st_ino, "weights would be copied"


def packed(source: Path, *, read_only: bool = False) -> bytes:
    return b"".join(archive.tree(source, "/aot/output", uid=7, gid=8, read_only=read_only)) + archive.end()


def members_of(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getmembers()


def test_archive_is_a_tar_that_others_read(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_bytes(b"x" * 700)
    (tmp_path / "a" / "run").write_bytes(b"")
    (tmp_path / "a" / "run").chmod(0o755)
    (tmp_path / "a" / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "a" / "fifo")
    for read_only, modes in ((False, [0o755, 0o755, 0o644, 0o755]), (True, [0o555, 0o555, 0o444, 0o555])):
        members = members_of(packed(tmp_path / "a", read_only=read_only))
        assert [m.name for m in members] == ["aot/output", "aot/output/b", "aot/output/b/f", "aot/output/run"]
        assert [m.mode for m in members] == modes
        assert {(m.uid, m.gid) for m in members} == {(7, 8)}


def test_archive_of_large_and_oddly_named_files(tmp_path: Path) -> None:
    """Sizes and names beyond the old header: PAX records carry them."""
    name = "ß" * 100
    (tmp_path / name).write_bytes(b"")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(9 << 30)
    blocks = archive.tree(tmp_path, "/m", uid=0, gid=0, read_only=True)
    head = b"".join(next(blocks) for _ in range(2))
    assert b"size=9663676416" in head
    (tmp_path / "large").unlink()
    assert f"aot/output/{name}" in [each.name for each in members_of(packed(tmp_path))]


def test_a_model_that_shrinks_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x" * (3 * archive.CHUNK))
    blocks = archive.tree(tmp_path, "/m", uid=0, gid=0, read_only=True)
    next(blocks)
    next(blocks)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(AotError) as error:
        list(blocks)
    assert error.value.error_id is ErrorId.MODEL_UNREADABLE


@pytest.mark.parametrize("size", [1, 100, 512, 1 << 16])
def test_archive_there_and_back(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "compiled").mkdir(parents=True)
    target.mkdir()
    (source / "compiled" / "model.pt").write_bytes(os.urandom(100_000))
    (source / "result.json").write_text("{}")
    (target / "result.json").write_text("older and longer")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(source, arcname="output")
    data = stream.getvalue()
    archive.extract((data[i : i + size] for i in range(0, len(data), size)), target)
    assert (target / "compiled" / "model.pt").read_bytes() == (source / "compiled" / "model.pt").read_bytes()
    assert (target / "result.json").read_text() == "{}"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Iterator[bytes]:
    """A tar stream of one member."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)
    yield stream.getvalue()


HOSTILE: dict[str, Callable[[], Iterator[bytes]]] = {
    "absolute": lambda: member("/etc/cron.d/x"),
    "parent": lambda: member("output/../../x"),
    "symlink": lambda: member("output/x", tarfile.SYMTYPE, "/etc/passwd"),
    "hardlink": lambda: member("output/x", tarfile.LNKTYPE, "/etc/passwd"),
    "device": lambda: member("output/x", tarfile.CHRTYPE),
    "fifo": lambda: member("output/x", tarfile.FIFOTYPE),
    "through a link": lambda: member("output/link/x"),
    "a file as a directory": lambda: iter([packed_names(["output/a", "output/a/b"])]),
    "a file as a directory, deeper": lambda: iter([packed_names(["output/a", "output/a/b/c"])]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_output_is_refused(tmp_path: Path, case: str) -> None:
    target, outside = tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    (target / "link").symlink_to(outside)
    with pytest.raises(AotError) as error:
        archive.extract(HOSTILE[case](), target)
    assert error.value.error_id is ErrorId.RUNNER_FAILED
    assert list(outside.iterdir()) == []
    assert {path.name for path in target.iterdir()} <= {"link", "a"}


def test_a_disk_that_refuses_a_directory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(AotError) as error:
        archive.extract(member("output/x/y"), tmp_path)
    assert error.value.error_id is ErrorId.DISK_FULL


def test_links_in_a_cache_are_left_out(tmp_path: Path) -> None:
    archive.extract(member("cache/x", tarfile.SYMTYPE, "/etc/passwd"), tmp_path, skip_links=True)
    assert list(tmp_path.iterdir()) == []


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    with pytest.raises(AotError, match="more than 2 files"):
        archive.extract(iter([packed_names(["o/a", "o/b", "o/c"])]), tmp_path)


def packed_names(names: list[str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return stream.getvalue()


def test_output_larger_than_the_disk(tmp_path: Path) -> None:
    info = tarfile.TarInfo("output/model.pt")
    info.size = 1 << 60
    with pytest.raises(AotError) as error:
        archive.extract(iter([info.tobuf(tarfile.PAX_FORMAT)]), tmp_path)
    assert error.value.error_id is ErrorId.DISK_FULL


@pytest.mark.parametrize("cut", [100, 700, 1100])
def test_a_stream_that_breaks_off(tmp_path: Path, cut: int) -> None:
    info = tarfile.TarInfo("output/model.pt")
    info.size = 2000
    data = info.tobuf() + bytes(2048)
    with pytest.raises(AotError) as error:
        archive.extract(iter([data[:cut]]), tmp_path)
    assert error.value.error_id is ErrorId.ENGINE_FAILED


@pytest.mark.parametrize(
    ("reference", "repository", "version"),
    [
        ("vllm", "vllm", "latest"),
        ("vllm:1", "vllm", "1"),
        ("localhost:5000/vllm", "localhost:5000/vllm", "latest"),
        ("localhost:5000/vllm:1", "localhost:5000/vllm", "1"),
        ("example.invalid/a/b:1@sha256:00", "example.invalid/a/b", "sha256:00"),
        ("localhost:5000/b@sha256:00", "localhost:5000/b", "sha256:00"),
    ],
)
def test_references(reference: str, repository: str, version: str) -> None:
    assert images.split(reference) == (repository, version)


def test_simulator_image_changes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "neuronx-cc").write_text("#!/bin/sh")
    seen = {simulator_image.reference(tmp_path)}
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_text("")
    assert simulator_image.reference(tmp_path) in seen, "depends on whether it has been run"
    (tmp_path / "bin" / "neuronx-cc").chmod(0o755)
    seen.add(simulator_image.reference(tmp_path))
    (tmp_path / "bin" / "neuronx-cc").write_text("#!/bin/bash")
    seen.add(simulator_image.reference(tmp_path))
    (tmp_path / "bin" / "neuronx-cc").rename(tmp_path / "bin" / "cc")
    seen.add(simulator_image.reference(tmp_path))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("options", "user", "remaps"),
    [
        (["name=seccomp,profile=default"], f"{os.getuid()}:{os.getgid()}", False),
        (["name=rootless", "name=cgroupns"], "0:0", False),
        (["name=userns"], f"{os.getuid()}:{os.getgid()}", True),
        (None, f"{os.getuid()}:{os.getgid()}", False),
    ],
)
def test_who_runs_inside(options: list[str] | None, user: str, remaps: bool) -> None:
    assert container_user({"SecurityOptions": options}) == user
    assert remaps_users({"SecurityOptions": options}) is remaps


def test_host_facts(tmp_path: Path) -> None:
    memory = host.memory()
    assert memory is not None
    assert 0 < memory.available <= memory.total == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert host.memory(tmp_path / "missing") is None
    assert host.disk_free(tmp_path / "not" / "yet") == host.disk_free(tmp_path)
    assert host.docker_architecture("x86_64") == "amd64"


def test_identity_of_processes() -> None:
    me, parent = host.identity(), host.identity(os.getppid())
    assert me is not None
    assert parent is not None
    assert (me.pid, me.boot, me.namespace) == (os.getpid(), parent.boot, parent.namespace)
    assert me == host.identity(os.getpid())
    assert host.identity(1 << 30) is None
