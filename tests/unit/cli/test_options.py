"""What is noticed on the command line, before anything is fetched, started or written."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import click
import pytest

from aot import compiler_flags
from aot.cli import common, main
from tests.support.cli import EXAMPLE, ROOT, SIMULATE, Aot

TOKEN = "hf_abcdefghijkl"


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("--model-type 'transformer", "split"),
        ("--target trn1", "trn1"),
        ("-O1 --target=trn2", "trn2"),
        ("--target", "nothing"),
    ],
)
def test_compiler_flags_that_no_runner_would_take(tmp_path: Path, flags: str, word: str) -> None:
    assert word in str(compiler_flags.problem(flags, "inf2"))
    done = Aot(tmp_path / "home")("build", str(EXAMPLE), *SIMULATE, "--compiler-flags", flags, "--json")
    assert (done.status, done.document["error"]["id"]) == (2, "usage")
    assert "--compiler-flags" in done.stderr


@pytest.mark.parametrize("flags", ["", "-O1", "--target inf2 -O1", "--target=inf2", "--model-type 'a b'"])
def test_compiler_flags_that_are_fine(flags: str) -> None:
    assert compiler_flags.problem(flags, "inf2") is None


@pytest.mark.parametrize("name", ["HF_TOKEN", "AOT_REGISTRY_TOKEN"])
@pytest.mark.parametrize(
    "option", [("--additional-config", f'{{"a": "{TOKEN}"}}'), ("--compiler-flags", f"--x={TOKEN}")]
)
def test_a_token_is_not_written_into_an_artifact(tmp_path: Path, name: str, option: tuple[str, str]) -> None:
    aot = Aot(tmp_path / "home", **{name: TOKEN})
    done = aot("build", str(EXAMPLE), *SIMULATE, *option, "--json")
    assert (done.status, done.document["error"]["id"]) == (11, "secret-in-environment")
    assert name in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert not aot.store.exists()


def test_a_placeholder_is_no_token() -> None:
    common.refuse_tokens({"additional_config": '{"x": 1}', "compiler_flags": None}, {"HF_TOKEN": "x"})


@pytest.mark.parametrize("option", [("--memory", "4"), ("--keep-container",), ("--simulator-image", "x")])
def test_options_of_containers_are_refused_without_one(tmp_path: Path, option: tuple[str, ...]) -> None:
    aot = Aot(tmp_path / "home")
    done = aot("build", str(EXAMPLE), *SIMULATE, *option)
    assert done.status == 2
    assert option[0] in done.stderr
    assert not aot.store.exists()


@pytest.mark.parametrize(
    "verb", [("list",), ("verify",), ("values", "x"), ("toolchain", "list"), ("toolchain", "show", "x")]
)
def test_no_verb_takes_an_option_that_does_nothing(tmp_path: Path, verb: tuple[str, ...]) -> None:
    done = Aot(tmp_path / "home")(*verb, "--verbose")
    assert (done.status, "No such option" in done.stderr) == (2, True)


def commands(group: click.Command, name: str = "aot") -> dict[str, click.Command]:
    if not isinstance(group, click.Group):
        return {name: group}
    context = click.Context(group)
    members = {each: group.get_command(context, each) for each in group.list_commands(context)}
    return {k: v for each, member in members.items() if member for k, v in commands(member, f"{name} {each}").items()}


@pytest.mark.parametrize("verb", sorted(commands(main.cli)))
def test_every_option_says_what_it_is_for(verb: str) -> None:
    options = [each for each in commands(main.cli)[verb].params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@pytest.mark.parametrize(
    "image", ["garbage", "", "example.com/UPPER:1", "example.com/vllm", "example.com/vllm:1@sha256:0"]
)
def test_an_image_to_lock_is_host_repository_and_tag(tmp_path: Path, image: str) -> None:
    done = Aot(tmp_path / "home")("toolchain", "lock", "sdk2.28.0", "--image", image, "--json")
    assert (done.status, done.document["error"]["id"]) == (2, "usage")


def test_an_unreadable_store_is_the_stores_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """click would call it a usage error. Root may read anything, hence the stand-in for access(2)."""

    def access(path: Any, mode: int, **_: Any) -> bool:
        return mode != os.R_OK

    def iterdir(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(Path, "iterdir", iterdir)
    (tmp_path / "store").mkdir()
    assert main.run(["list", "--store", str(tmp_path / "store")]) == 10


FOREIGN = {"--build-arg"}  # of docker, in a command line that is given whole


def advised_options() -> set[tuple[str, str]]:
    """Every option that a ``remedy=`` in aot's sources names, with the file."""
    found = set()
    for path in (ROOT / "aot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "remedy":
                parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                text = " ".join(part for part in parts if isinstance(part, str))
                found |= {(path.name, option) for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)}
    return found


def test_no_advice_names_an_option_that_does_not_exist() -> None:
    known = {name for each in commands(main.cli).values() for p in each.params for name in (*p.opts, *p.secondary_opts)}
    advised = advised_options()
    assert len(advised) > 10
    assert {each for each in advised if each[1] not in known | FOREIGN} == set()
