"""A small Hugging Face Hub for tests and the demo: the endpoints that huggingface_hub really calls, over plain HTTP.

Model info, tree listing and ``resolve`` with ETag, ``X-Repo-Commit``, ``X-Linked-Size``, ranges and the redirect of
large files; 401/403/404 with the ``X-Error-Code`` the real Hub sends. Commits are derived from content, so they are
the same on every machine. Run it: ``python tests/support/hub.py [--port N] [--root DIR] [--log FILE]``.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import sys
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "models"
TOKEN = "hf_test_token"
LARGE = re.compile(r"(.*\.safetensors|tokenizer\.json|.*\.gguf)$")  # in LFS on the real Hub: answered by a redirect
_API = re.compile(r"/api/models/(?P<id>[^/]+(?:/[^/]+)?)(?:/(?P<what>revision|tree)/(?P<rev>[^/]+))?/?")
_RESOLVE = re.compile(r"/(?P<id>[^/]+(?:/[^/]+)?)/resolve/(?P<rev>[^/]+)/(?P<file>.+)")


@dataclass
class Repo:
    """A repository: commit -> files, branch or tag -> commit."""

    id: str
    gated: bool = False  # needs a token *with access*; TOKEN has none unless ``granted``
    granted: bool = False
    private: bool = False  # to anyone without TOKEN it does not exist
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def push(self, files: dict[str, bytes], ref: str = "main") -> str:
        lines = [f"{name} {blob_id(content)}" for name, content in sorted(files.items())]
        commit = hashlib.sha1("\n".join([self.id, *lines]).encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = dict(files)
        self.refs[ref] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


@dataclass(frozen=True)
class Request:
    """One answered request, for assertions on what was asked for."""

    method: str
    path: str
    status: int
    authorized: bool
    sent: int  # bytes of body


def blob_id(content: bytes) -> str:
    """Git's object id of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_repositories(root: Path) -> list[Repo]:
    """Every directory below ``root`` that holds a config.json, named by its path: ``<org>/<name>``."""
    repos = []
    for config in sorted(root.glob("**/config.json")):
        repo = Repo(config.parent.relative_to(root).as_posix())
        files = {
            path.relative_to(config.parent).as_posix(): path.read_bytes()
            for path in sorted(config.parent.rglob("*"))
            if path.is_file()
        }
        repo.push(files)
        repos.append(repo)
    return repos


class HubServer:
    """The server, as a context manager. ``url`` is what HF_ENDPOINT must say."""

    def __init__(self, root: Path | None = EXAMPLES, port: int = 0, log: Path | None = None) -> None:
        self.repos = {repo.id: repo for repo in (read_repositories(root) if root else [])}
        self.requests: list[Request] = []
        self.fetched: set[str] = set()  # names of the files whose content was sent
        self.failures: list[int] = []  # statuses to answer next, before anything else
        self.delay = 0.0  # seconds before each answer
        self.truncate_next: int | None = None  # send so many bytes of the next file body, then hang up
        self.log = log
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def storage_url(self) -> str:
        """The same server under another name: the real Hub sends large files from another host."""
        return self.url.replace("127.0.0.1", "localhost")

    def add(self, repo_id: str, files: dict[str, bytes], **attributes: bool) -> str:
        """Create or extend a repository; returns the commit."""
        repo = self.repos.setdefault(repo_id, Repo(repo_id))
        for name, value in attributes.items():
            setattr(repo, name, value)
        return repo.push(files)

    def record(self, request: Request) -> None:
        self.requests.append(request)
        if self.log:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(request)) + "\n")

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        self._server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing: ``requests`` records everything."""

    def _answer(self, *, send_body: bool) -> None:
        self._send_body = send_body
        time.sleep(self.hub.delay)
        if self.hub.failures:
            self._error(self.hub.failures.pop(0), None)
            return
        path = urllib.parse.urlsplit(self.path).path  # still quoted: a branch may be called refs/pr/1
        if path.startswith("/-/lfs/"):
            self._lfs(path.removeprefix("/-/lfs/"))
        elif match := _API.fullmatch(path):
            self._api(match["id"], match["what"], match["rev"] or "main")
        elif match := _RESOLVE.fullmatch(path):
            self._file(match["id"], match["rev"], urllib.parse.unquote(match["file"]))
        else:
            self._error(404, None)

    def _authorized(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repo(self, repo_id: str) -> Repo | None:
        """The repository, or None after an answer was sent. Like the Hub: 401 for what an anonymous must not know."""
        if "Authorization" in self.headers and not self._authorized():
            self._error(401, None, "Invalid credentials in Authorization header")
            return None
        repo = self.hub.repos.get(repo_id)
        if repo is None or (repo.private and not self._authorized()):
            self._error(404 if self._authorized() else 401, "RepoNotFound", "Repository not found")
            return None
        return repo

    def _commit(self, repo: Repo, revision: str) -> str | None:
        commit = repo.resolve(urllib.parse.unquote(revision))
        if commit is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return commit

    def _api(self, repo_id: str, what: str | None, revision: str) -> None:
        repo = self._repo(repo_id)
        commit = self._commit(repo, revision) if repo else None
        if repo is None or commit is None:
            return
        files = repo.commits[commit]
        document: Any = [_tree_entry(name, content) for name, content in sorted(files.items())]
        if what != "tree":
            siblings = [_sibling(name, content) for name, content in sorted(files.items())]
            document = {
                "id": repo.id,
                "modelId": repo.id,
                "sha": commit,
                "private": repo.private,
                "gated": "manual" if repo.gated else False,
                "disabled": False,
                "tags": [],
                "siblings": siblings,
            }
        self._send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def _file(self, repo_id: str, revision: str, name: str) -> None:
        repo = self._repo(repo_id)
        commit = self._commit(repo, revision) if repo else None
        if repo is None or commit is None:
            return
        if repo.gated and not (self._authorized() and repo.granted):
            status = 403 if self._authorized() else 401
            self._error(status, "GatedRepo", f"Access to model {repo.id} is restricted", commit)
            return
        content = repo.commits[commit].get(name)
        if content is None:
            self._error(404, "EntryNotFound", "Entry not found", commit)
            return
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if LARGE.match(name):
            digest = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
            self._send(302, b"", headers | {"Location": f"{self.hub.storage_url}/-/lfs/{digest}"})
        else:
            self._content(name, content, headers | {"ETag": f'"{blob_id(content)}"'})

    def _lfs(self, digest: str) -> None:
        for repo in self.hub.repos.values():
            for files in repo.commits.values():
                for name, content in files.items():
                    if LARGE.match(name) and hashlib.sha256(content).hexdigest() == digest:
                        self._content(name, content, {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"})
                        return
        self._error(404, None)

    def _content(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        if self._send_body:
            self.hub.fetched.add(name)
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if match and int(match[1]) < len(content):
            start = int(match[1])
            headers |= {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            self._send(206, content[start:], headers)
        else:
            self._send(200, content, headers)

    def _error(self, status: int, code: str | None, message: str = "", commit: str | None = None) -> None:
        given = {"X-Error-Code": code, "X-Error-Message": message, "X-Repo-Commit": commit}
        headers = {"Content-Type": "application/json"} | {name: value for name, value in given.items() if value}
        self._send(status, json.dumps({"error": message or f"error {status}"}).encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        cut = self.hub.truncate_next
        if self._send_body and cut is not None and "ETag" in headers:
            self.hub.truncate_next = None
        else:
            cut = None
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        sent = body[:cut] if self._send_body else b""
        with contextlib.suppress(OSError):  # the client may have given up; that is its right
            self.wfile.write(sent)
        if cut is not None:
            self.close_connection = True
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.hub.record(Request(self.command, path, status, self._authorized(), len(sent)))


def _handler(hub: HubServer) -> type[_Handler]:
    return type("Handler", (_Handler,), {"hub": hub})


def _lfs_facts(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob_id(content)}
    return facts | ({"lfs": _lfs_facts(content)} if LARGE.match(name) else {})


def _tree_entry(name: str, content: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": blob_id(content)}
    lfs = _lfs_facts(content)
    return facts | ({"lfs": {**lfs, "oid": lfs.pop("sha256")}} if LARGE.match(name) else {})


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve model directories as a Hugging Face Hub.")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--root", type=Path, default=EXAMPLES, help="holds <org>/<name>/config.json")
    parser.add_argument("--log", type=Path, help="append each request as a JSON line")
    arguments = parser.parse_args()
    hub = HubServer(arguments.root, arguments.port, arguments.log)
    print(f"HF_ENDPOINT={hub.url}", flush=True)
    for repo in hub.repos.values():
        print(f"  {repo.id} at {repo.refs['main']}", file=sys.stderr, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        hub.serve_forever()


if __name__ == "__main__":
    main()
