"""Words as /bin/sh makes them, and what a shell would replace refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aot.serve_command import CommandError
from aot.serve_command.shell import commands

PRINT = "import json, sys; print(json.dumps(sys.argv[1:]))"


def by_sh(text: str) -> list[str]:
    """The words of ``text`` as the arguments that /bin/sh passes on."""
    script = f"'{sys.executable}' -c '{PRINT}' {text}"
    return json.loads(subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize(
    "text",
    [
        "serve /m -tp 2",
        "  a\tb  ",
        "a \\\n  b \\\n\tc",
        """--x '{"a": "b c"}' --y "{\\"a\\": 1}" """,
        """a"b c"'d e'f""",
        """'' "" a""",
        """"a\\n\\\\ \\q" a\\ b \\'x""",
        "'a\\' b",
        "'a\nb' \"c\nd\"",
        '"a\\\nb"',
        "a#b '#' # the rest is a comment",
        "'$HOME' '`x`' '~' a~b",
        "{a:1} [x] a=b",
        "'a|b' \"c;d\" e\\&f",
        "é 'ü x'",
    ],
)
def test_words_are_those_of_a_shell(text: str) -> None:
    assert commands(text) == [by_sh(text)]


@given(st.text(alphabet=" \tab'\"\\#=\n-é", max_size=14).filter(lambda text: not text.lstrip().startswith("[")))
def test_any_text_is_read_or_refused(text: str) -> None:
    complete = text.count("'") % 2 == 0 and '"' not in text and "\\" not in text and "#" not in text
    try:
        found = commands(text)
    except CommandError:
        assert not complete
    else:
        assert "".join("".join(command) for command in found).count("'") <= text.count("'")


def test_commands_in_sequence() -> None:
    assert commands("# start\nexport A=1; B=2 &&\nvllm serve x # end\n") == [
        ["export", "A=1"],
        ["B=2"],
        ["vllm", "serve", "x"],
    ]


def test_a_list_as_in_a_pod() -> None:
    assert commands(' ["vllm", "serve", "/m", "--x", "$y z"]') == [["vllm", "serve", "/m", "--x", "$y z"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vllm serve $MODEL", "$MODEL"),
        ('vllm serve "${MODEL}"', "{MODEL}"),
        ("vllm serve `cat model`", "`cat model"),
        ("vllm serve ~/models/x", "~/models/x"),
        ("vllm serve /m | tee log", "'|'"),
        ("vllm serve /m > log", "'>'"),
        ("vllm serve /m &", "'&'"),
        ("(vllm serve /m)", "'('"),
        ("vllm serve 'x", "never closed"),
        ('vllm serve "x', "never closed"),
        ("[1, 2]", "something else than strings"),
        ("[x", "no JSON list"),
        ("[" * 100_000, "no JSON list"),
    ],
)
def test_what_is_not_known_here_is_refused(text: str, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        commands(text)
    assert said in caught.value.message
    assert caught.value.remedy
