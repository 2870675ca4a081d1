"""Rewrite, or with ``--check`` verify, what is generated from the code: parts of the README, ``docs/FINGERPRINT.md``.

A generated part lies between ``<!-- NAME:start -->`` and ``<!-- NAME:end -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from aot.errors import EXIT_INTERNAL, EXIT_SIGINT, EXIT_SIGTERM, ErrorClass, ErrorId

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
FINGERPRINT = ROOT / "docs" / "FINGERPRINT.md"
WIDTH = 150
_DIGITS = re.compile(r"[0-9a-f]{12,}")


def exit_codes() -> str:
    """The table of exit codes, one row per error class."""
    rows = [("0", "success", "")]
    for each in ErrorClass:
        ids = ", ".join(f"`{member.string_id}`" for member in ErrorId if member.error_class is each)
        rows.append((str(each.exit_code), each.meaning, ids))
    rows += [
        (str(EXIT_INTERNAL), "a defect of aot; the traceback is printed", ""),
        (str(EXIT_SIGINT), "interrupted (Ctrl-C): the container is stopped, nothing half-written is kept", ""),
        (str(EXIT_SIGTERM), "terminated: likewise", ""),
    ]
    return "\n".join(["| code | when | error ids |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def example() -> str:
    """What the demo's build prints, run for this; digests and long lines are shortened, durations left out."""
    sys.path.insert(0, str(ROOT))
    from tests.support.hub import HubServer

    serve = ["--target", "inf2", "-tp", "2", "--max-model-len", "2048", "--max-num-seqs", "2"]
    with tempfile.TemporaryDirectory() as scratch, HubServer() as hub:
        places = {"AOT_STORE": "store", "XDG_CACHE_HOME": f"{scratch}/cache", "HF_HOME": f"{scratch}/hub"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AOT_", "HF_", "GITHUB_"))}
        done = subprocess.run(
            [sys.executable, "-m", "aot", "build", "Qwen/Qwen3-8B", *serve, "--simulate", "--engine", "local"],
            env={**kept, **places, "HF_ENDPOINT": hub.url},
            cwd=scratch,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        text = done.stdout.replace(hub.url, "the hub").replace(f"{scratch}/", "")
    if done.returncode:
        raise SystemExit(f"the example of the README fails:\n{text}")
    lines = [line for line in text.splitlines() if not re.search(r": [0-9.]+ s$|context_encoding|_bk[1-9]", line)]
    return "\n".join(["```", *(_shortened(line) for line in lines), "```"])


def _shortened(line: str) -> str:
    line = _DIGITS.sub(lambda match: match[0][:12] + ("" if len(match[0]) == 12 else "..."), line)
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def fingerprint() -> str:
    """What is in the serve-time hash and what is not, measured with the rules of every toolchain."""
    sys.path.insert(0, str(ROOT))
    from tests.docs.fingerprint_table import render

    return render()


PARTS = {"example": example, "exit-codes": exit_codes}


def rendered(text: str) -> str:
    """The README with all parts regenerated. Raises ``SystemExit`` where a part's markers are missing."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        text, count = pattern.subn(lambda match, make=make: match[1] + make() + "\n" + match[2], text)
        if count != 1:
            raise SystemExit(f"README.md needs exactly one generated part {name!r}")
    return text


def main() -> None:
    """Write, or check and say what to do. Digests follow every change of the code and are not compared."""
    _update(FINGERPRINT, FINGERPRINT.read_text(encoding="utf-8") if FINGERPRINT.is_file() else "", fingerprint())
    readme = README.read_text(encoding="utf-8")
    _update(README, readme, rendered(readme))


def _update(path: Path, before: str, after: str) -> None:
    if "--check" not in sys.argv[1:]:
        path.parent.mkdir(exist_ok=True)
        path.write_text(after, encoding="utf-8")
    elif _DIGITS.sub("", before) != _DIGITS.sub("", after):
        raise SystemExit(f"{path.relative_to(ROOT)}: out of date; run `make docs`")


if __name__ == "__main__":
    main()
