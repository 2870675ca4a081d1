"""The real huggingface_hub client against a local server that speaks the Hub's protocol."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aot.errors import AotError, ErrorId
from aot.model import HubSettings, fetch
from aot.progress import Silent
from tests.support.hub import EXAMPLES, TOKEN, HubServer

if TYPE_CHECKING:
    from collections.abc import Iterator

QWEN = "Qwen/Qwen3-8B"
CONFIG = b'{"model_type": "qwen3", "vocab_size": 10}'
TOKENIZER = b"t" * 50_000


@pytest.fixture
def server() -> Iterator[HubServer]:
    with HubServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> HubSettings:
    environ = {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    return HubSettings.from_environment(environ)


def refused(error_id: ErrorId, *words: str) -> pytest.RaisesExc[AotError]:
    def check(error: AotError) -> bool:
        text = f"{error.reason} {error.remedy}"
        assert error.error_id is error_id, text
        assert all(word in text for word in words), text
        return True

    return pytest.RaisesExc(AotError, check=check)


def test_a_branch_is_resolved_to_a_commit_and_only_the_needed_files_come(server: HubServer, hub: HubSettings) -> None:
    files = {"config.json": CONFIG, "tokenizer.json": TOKENIZER, "model.safetensors": b"w" * 999, "README.md": b"x"}
    commit = server.add("org/full", files | {"modeling.py": b"raise SystemExit", "original/tokenizer.model": b"?"})
    snapshot = fetch("org/full", hub=hub)
    assert snapshot.commit == commit
    assert snapshot.path == "/models/org/full"
    assert set(snapshot.files) == {"config.json", "tokenizer.json"} == server.fetched
    assert snapshot.downloaded_bytes == len(CONFIG) + len(TOKENIZER)
    assert snapshot.config == json.loads(CONFIG)


def test_weights_and_code_come_only_when_asked_for(server: HubServer, hub: HubSettings) -> None:
    server.add("org/full", {"config.json": CONFIG, "model.safetensors": b"w" * 999, "modeling.py": b"pass"})
    names = set(fetch("org/full", hub=hub, with_weights=True, trust_remote_code=True).files)
    assert names == {"config.json", "model.safetensors", "modeling.py"}


def test_weights_carry_the_digest_that_the_hub_states(server: HubServer, hub: HubSettings) -> None:
    server.add("org/full", {"config.json": CONFIG, "model.safetensors": b"w" * 999})
    weights = fetch("org/full", hub=hub, with_weights=True).files["model.safetensors"]
    assert (weights.size, weights.sha256) == (999, hashlib.sha256(b"w" * 999).hexdigest())


def test_the_demo_model_is_small(server: HubServer, hub: HubSettings) -> None:
    snapshot = fetch(QWEN, hub=hub)
    sizes = [path.stat().st_size for path in (EXAMPLES / QWEN).iterdir()]
    assert snapshot.downloaded_bytes == sum(sizes) < 20_000


def test_a_pinned_commit_in_the_cache_asks_nothing(server: HubServer, hub: HubSettings) -> None:
    first = fetch(QWEN, hub=hub)
    server.requests.clear()
    again = fetch(QWEN, first.commit, hub=hub)
    assert server.requests == []
    assert again.downloaded_bytes == 0
    assert again.files == first.files


def test_a_pinned_commit_does_not_even_import_the_client(server: HubServer, hub: HubSettings, tmp_path: Path) -> None:
    commit = fetch(QWEN, hub=hub).commit
    program = (
        "import sys; from aot.model import fetch; "
        f"fetch({QWEN!r}, {commit!r}); "
        "assert 'huggingface_hub' not in sys.modules, 'imported'"
    )
    environ = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    environ["XDG_CACHE_HOME"] = str(tmp_path / "xdg")
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)


def test_a_pinned_commit_with_a_file_missing_is_completed(server: HubServer, hub: HubSettings) -> None:
    first = fetch(QWEN, hub=hub)
    lost = first.directory / "generation_config.json"
    lost.resolve().unlink()
    lost.unlink()
    again = fetch(QWEN, first.commit, hub=hub)
    assert again.files == first.files
    assert again.downloaded_bytes == first.files["generation_config.json"].size


def test_more_is_fetched_when_more_is_asked_for(server: HubServer, hub: HubSettings) -> None:
    commit = server.add("org/full", {"config.json": CONFIG, "model.safetensors": b"w" * 999})
    fetch("org/full", commit, hub=hub)
    more = fetch("org/full", commit, hub=hub, with_weights=True)
    assert more.downloaded_bytes == 999


def test_a_branch_that_moved_is_followed(server: HubServer, hub: HubSettings) -> None:
    old = server.add("org/moving", {"config.json": CONFIG})
    assert fetch("org/moving", hub=hub).commit == old
    new = server.add("org/moving", {"config.json": CONFIG + b"\n"})
    assert fetch("org/moving", hub=hub).commit == new != old
    assert fetch("org/moving", old, hub=hub).commit == old


def test_revisions_may_be_branches_with_slashes(server: HubServer, hub: HubSettings) -> None:
    server.add("org/moving", {"config.json": CONFIG})
    commit = server.repos["org/moving"].push({"config.json": b"{}"}, "refs/pr/1")
    assert fetch("org/moving", "refs/pr/1", hub=hub).commit == commit


def test_a_legacy_id_has_no_organisation(server: HubServer, hub: HubSettings) -> None:
    server.add("gpt2", {"config.json": CONFIG})
    assert fetch("gpt2", hub=hub).path == "/models/gpt2"


def test_offline_uses_what_a_branch_was_last_seen_to_be(server: HubServer, hub: HubSettings) -> None:
    first = fetch(QWEN, hub=hub)
    server.requests.clear()
    again = fetch(QWEN, hub=replace(hub, offline=True))
    assert again == replace(first, downloaded_bytes=0)
    assert server.requests == []


def test_offline_with_a_snapshot_of_another_tool_says_what_is_not_known(server: HubServer, hub: HubSettings) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download(QWEN, "config.json", endpoint=server.url, cache_dir=hub.cache_dir)
    snapshot = fetch(QWEN, hub=replace(hub, offline=True))
    assert set(snapshot.files) == {"config.json"}
    assert "put into the cache by another tool" in snapshot.warnings[0]


def test_offline_and_incomplete_is_refused(server: HubServer, hub: HubSettings) -> None:
    fetch(QWEN, hub=hub).directory.joinpath("config.json").unlink()
    with refused(ErrorId.MODEL_OFFLINE, "HF_HUB_OFFLINE", str(hub.cache_dir)):
        fetch(QWEN, hub=replace(hub, offline=True))


def test_offline_and_unknown_is_refused(hub: HubSettings, server: HubServer) -> None:
    with refused(ErrorId.MODEL_OFFLINE, QWEN):
        fetch(QWEN, hub=replace(hub, offline=True))
    assert server.requests == []


def test_a_missing_repository_may_also_be_private(hub: HubSettings) -> None:
    with refused(ErrorId.MODEL_NOT_FOUND, "does not exist", "private", "HF_TOKEN", "no local directory"):
        fetch("org/nothing", hub=hub)


def test_a_private_repository_opens_with_the_token(
    server: HubServer, hub: HubSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("org/secret", {"config.json": CONFIG}, private=True)
    with refused(ErrorId.MODEL_NOT_FOUND, "private"):
        fetch("org/secret", hub=hub)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch("org/secret", hub=hub).commit


def test_a_gated_repository_without_token(server: HubServer, hub: HubSettings) -> None:
    server.add("org/gated", {"config.json": CONFIG}, gated=True)
    with refused(ErrorId.MODEL_GATED, "no HF_TOKEN is set", f"{server.url}/org/gated"):
        fetch("org/gated", hub=hub)


def test_a_gated_repository_without_access(
    server: HubServer, hub: HubSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("org/gated", {"config.json": CONFIG}, gated=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with refused(ErrorId.MODEL_GATED, "has no access"):
        fetch("org/gated", hub=replace(hub, token_given=True))
    server.repos["org/gated"].granted = True
    assert fetch("org/gated", hub=hub).config["vocab_size"] == 10


@pytest.mark.parametrize("token", ["hf_wrong_but_well_formed", "hf_unsendable_é", "hf_with\nnewline"])
def test_a_bad_token_is_never_shown(
    server: HubServer, hub: HubSettings, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    import traceback

    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(AotError) as caught:
        fetch(QWEN, hub=replace(hub, token_given=True))
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.reason + caught.value.remedy
    assert caught.value.error_id is ErrorId.HUB_TOKEN_REJECTED
    assert "hf_wrong" not in shown
    assert "hf_uns" not in shown
    assert "hf_with" not in shown


def test_the_token_does_not_leave_the_hub(server: HubServer, hub: HubSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add("org/secret", {"config.json": CONFIG, "tokenizer.json": TOKENIZER}, private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetch("org/secret", hub=hub)
    storage = [request for request in server.requests if request.path.startswith("/-/lfs/")]
    assert storage
    assert not any(request.authorized for request in storage)


def test_an_unknown_revision(hub: HubSettings) -> None:
    with refused(ErrorId.REVISION_NOT_FOUND, QWEN, "'v9'"):
        fetch(QWEN, "v9", hub=hub)
    with refused(ErrorId.REVISION_NOT_FOUND, "0" * 40):
        fetch(QWEN, "0" * 40, hub=hub)


@pytest.mark.parametrize(
    ("name", "word"), [("model-Q4_K_M.gguf", "GGUF"), ("adapter_config.json", "LoRA"), ("README.md", "config.json")]
)
def test_a_repository_without_config(server: HubServer, hub: HubSettings, name: str, word: str) -> None:
    server.add("org/other", {name: b"x"})
    with refused(ErrorId.MODEL_NO_CONFIG, "has no config.json", word):
        fetch("org/other", hub=hub)
    assert server.fetched == set()


def test_a_hub_that_refuses_connections(hub: HubSettings) -> None:
    with refused(ErrorId.HUB_UNREACHABLE, "127.0.0.1:9"):
        fetch(QWEN, hub=replace(hub, endpoint="http://127.0.0.1:9"))


def test_credentials_in_the_endpoint_are_not_shown(hub: HubSettings) -> None:
    with pytest.raises(AotError) as caught:
        fetch(QWEN, hub=replace(hub, endpoint="http://user:secret@127.0.0.1:9"))
    assert "secret" not in caught.value.reason + caught.value.remedy


@pytest.mark.parametrize("endpoint", ["localhost:1234", "ftp://example.invalid", "http://["])
def test_an_endpoint_that_is_no_url(hub: HubSettings, endpoint: str) -> None:
    with refused(ErrorId.HUB_UNREACHABLE):
        fetch(QWEN, hub=replace(hub, endpoint=endpoint))


def test_something_that_is_no_hub(server: HubServer, hub: HubSettings) -> None:
    with refused(ErrorId.HUB_UNREACHABLE, "404"):
        fetch(QWEN, hub=replace(hub, endpoint=f"{server.url}/elsewhere"))


def test_a_hub_that_is_down(server: HubServer, hub: HubSettings) -> None:
    server.failures = [503] * 50
    with refused(ErrorId.HUB_UNREACHABLE, "503"):
        fetch(QWEN, hub=replace(hub, retry_delays=(0.01, 0.01)))
    assert len(server.requests) == 3


@pytest.mark.parametrize("revision", [None, "0" * 40])
def test_a_hub_that_names_no_commit_or_another_one(server: HubServer, hub: HubSettings, revision: str | None) -> None:
    repo = server.repos[QWEN]
    files = repo.commits[repo.refs["main"]]
    repo.commits["../../escape"] = files
    repo.refs |= {"main": "../../escape", "0" * 40: "1" * 40}
    repo.commits["1" * 40] = files
    with refused(ErrorId.HUB_UNREACHABLE, "does not answer like a Hugging Face Hub"):
        fetch(QWEN, revision, hub=hub)


@pytest.mark.parametrize("status", [503, 429])
def test_a_hub_that_is_busy_for_a_moment(server: HubServer, hub: HubSettings, status: int) -> None:
    server.failures = [status]
    assert fetch(QWEN, hub=replace(hub, retry_delays=(0.01,))).downloaded_bytes > 0


def test_a_refusal_is_not_repeated(server: HubServer, hub: HubSettings) -> None:
    with refused(ErrorId.MODEL_NOT_FOUND):
        fetch("org/nothing", hub=hub)
    assert len(server.requests) == 1


def test_a_hub_too_slow_to_answer(server: HubServer, hub: HubSettings) -> None:
    server.delay = 5.0
    with refused(ErrorId.HUB_UNREACHABLE, "Timeout"):
        fetch(QWEN, hub=replace(hub, timeout=0.5))


def test_a_download_that_breaks_off_is_resumed(server: HubServer, hub: HubSettings) -> None:
    server.add("org/big", {"config.json": CONFIG, "tokenizer.json": TOKENIZER})
    server.truncate_next = 10_000
    snapshot = fetch("org/big", hub=hub)
    assert snapshot.text("tokenizer.json") == TOKENIZER
    assert snapshot.downloaded_bytes == len(CONFIG) + len(TOKENIZER)


def test_a_cached_file_that_was_changed_is_noticed(server: HubServer, hub: HubSettings) -> None:
    first = fetch(QWEN, hub=hub)
    blob = (first.directory / "config.json").resolve()
    blob.write_bytes(blob.read_bytes().replace(b"36", b"37"))
    with refused(ErrorId.MODEL_UNREADABLE, "is not the file of commit", "hf cache rm"):
        fetch(QWEN, first.commit, hub=hub)


def test_an_unwritable_cache(hub: HubSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with refused(ErrorId.MODEL_UNREADABLE, "cannot read"):
        fetch(QWEN, hub=replace(hub, cache_dir=tmp_path / "file" / "hub"))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 KiB; only root may mount one."""
    mount_point = tmp_path / "tiny"
    mount_point.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(mount_point)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield mount_point
    subprocess.run(["umount", str(mount_point)], check=True)


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_a_full_disk_under_the_cache(server: HubServer, hub: HubSettings, tiny_disk: Path) -> None:
    server.add("org/big", {"config.json": CONFIG, "tokenizer.json": TOKENIZER})
    with refused(ErrorId.DISK_FULL, str(tiny_disk), "HF_HOME"):
        fetch("org/big", hub=replace(hub, cache_dir=tiny_disk))


def test_a_full_disk_under_the_build(hub: HubSettings, tmp_path: Path) -> None:
    snapshot = fetch(QWEN, hub=hub)
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "config.json").symlink_to("/dev/full")
    with refused(ErrorId.DISK_FULL, "stage"):
        snapshot.materialise(tmp_path / "stage")


class Listener(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    heartbeat = info


def test_a_long_download_says_how_far_it_is(server: HubServer, hub: HubSettings) -> None:
    server.delay = 0.5
    progress = Listener()
    fetch(QWEN, hub=hub, progress=progress)
    assert progress.said[0].startswith("Fetching 3 files of Qwen/Qwen3-8B at ")
    assert any("MB received" in text for text in progress.said)


def test_nothing_is_said_when_nothing_is_fetched(hub: HubSettings) -> None:
    fetch(QWEN, hub=hub)
    progress = Listener()
    fetch(QWEN, hub=hub, progress=progress)
    assert progress.said == []


def test_two_fetches_at_once(server: HubServer, hub: HubSettings) -> None:
    server.add("org/big", {"config.json": CONFIG, "tokenizer.json": TOKENIZER})
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch("org/big", hub=hub), range(4)))
    assert len({snapshot.identity for snapshot in found}) == 1
    assert all(snapshot.text("tokenizer.json") == TOKENIZER for snapshot in found)


def test_the_snapshot_is_materialised_as_real_files(hub: HubSettings, tmp_path: Path) -> None:
    snapshot = fetch(QWEN, hub=hub)
    snapshot.materialise(tmp_path / "stage")
    staged = list((tmp_path / "stage").iterdir())
    assert {path.name for path in staged} == set(snapshot.files)
    assert not any(path.is_symlink() for path in staged)
    assert (tmp_path / "stage" / "config.json").read_bytes() == (EXAMPLES / QWEN / "config.json").read_bytes()


def test_the_server_runs_from_the_command_line(tmp_path: Path) -> None:
    script = Path(__file__).parents[1] / "support" / "hub.py"
    with subprocess.Popen([sys.executable, script, "--root", EXAMPLES], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        environ = dict([line.split("=", 1)], HF_HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
        try:
            assert fetch(QWEN, hub=HubSettings.from_environment(environ)).config["hidden_size"] == 4096
        finally:
            process.terminate()
