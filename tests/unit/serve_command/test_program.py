"""Which words start the server, and the variables before them."""

from __future__ import annotations

import pytest

from aot.serve_command import CommandError, parse_env_file

from .support import understood

MODULE = "vllm.entrypoints.openai.api_server"


@pytest.mark.parametrize(
    "text",
    [
        "vllm serve /m -tp 2",
        "/opt/venv/bin/vllm serve /m --tensor-parallel-size 2",
        f"python -m {MODULE} --model /m -tp 2",
        f"/usr/bin/python3.12 -u -m {MODULE} --model=/m -tp=2",
        "python3 -m vllm.entrypoints.cli.main serve /m -tp 2",
        "exec vllm serve /m -tp 2",
        "nohup env vllm serve /m -tp 2",
        '["vllm", "serve", "/m", "-tp", "2"]',
        "vllm \\\n  serve /m \\\n  -tp 2 # two cores",
    ],
)
def test_spellings_of_one_server(text: str) -> None:
    command = understood(text)
    assert (command.model, command.engine_args, command.env) == ("/m", {"tensor_parallel_size": 2}, {})


def test_variables_before_the_program() -> None:
    text = "export A=1 B='x y'\nC=3 && D=4 env E=5 F= vllm serve /m"
    assert understood(text).env == {"A": "1", "B": "x y", "C": "3", "D": "4", "E": "5", "F": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "vllm",
        "vllm bench serve",
        "vllm chat",
        "serve /m",
        "python server.py --model /m",
        "python -m",
        "python -m http.server 80",
        "docker run image vllm serve /m",
        "cd /opt; vllm serve /m",
        "A=1",
        "env -i vllm serve /m",
    ],
)
def test_what_starts_no_server(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        understood(text)
    assert "vllm serve MODEL" in caught.value.remedy


def test_a_file_of_variables() -> None:
    text = "# comment\n\nA=1\n export B = \nC='x # y'\nD=a=b\nE=\"\"\nF=\"x'\r\n"
    with pytest.raises(CommandError, match="line 4"):
        parse_env_file(text)
    assert parse_env_file(text.replace(" export B = \n", "export B=2\n")) == {
        "A": "1", "B": "2", "C": "x # y", "D": "a=b", "E": "", "F": "\"x'",
    }  # fmt: skip
