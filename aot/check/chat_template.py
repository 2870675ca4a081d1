"""Find out with which token a chat template closes an assistant's turn, by rendering it."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

SIZE_LIMIT = 1 << 20  # bytes of a template; the largest in use are some tens of kilobytes
TIMEOUT = 120.0  # seconds for all renderings of a model; they take about 0.1, the child's CPU limit comes first
_LIMITED = 3  # render_child.LIMITED
_STOPPED = tuple(-number for number in (signal.SIGXCPU, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT))
"""CPU time, killed for memory, C stack overrun, memory exhausted where Python cannot say so."""
_CHILD = Path(__file__).with_name("render_child.py")
_QUESTION, _ANSWER = "aot question {}", "aot answer {}"
_JINJA_FILE = "chat_template.jinja"
_NAMED_FOLDER = "additional_chat_templates/"


class Rendering(NamedTuple):
    """What follows the assistant's words in a two-turn conversation.

    ``within`` is the text between the first answer and the second question, ``final`` what ends the conversation,
    ``prompt`` what ``add_generation_prompt`` appends to open the next answer.
    """

    within: str
    final: str
    prompt: str


class NotRendered(NamedTuple):
    """Why there is no rendering; ``host_dependent`` where a faster or larger host might have got one."""

    why: str
    host_dependent: bool = False


def templates(files: Mapping[str, bytes], tokenizer_config: Mapping[str, Any]) -> dict[str, str]:
    """The model's chat templates by name, the one used without tools first.

    ``chat_template.jinja`` (and the folder beside it) wins over ``tokenizer_config.json``, whose entry is a string or
    a list of named ones (transformers ``_from_pretrained`` and ``get_chat_template``).
    """
    found: dict[str, str] = {}
    if _JINJA_FILE in files:
        found["default"] = files[_JINJA_FILE].decode("utf-8", "replace")
    for name in sorted(files):
        if name.startswith(_NAMED_FOLDER):
            found[Path(name).stem] = files[name].decode("utf-8", "replace")
    if not found:
        found = _from_config(tokenizer_config.get("chat_template"))
    return dict(sorted(found.items(), key=lambda item: item[0] != "default"))


def _from_config(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"default": value}
    if not isinstance(value, list):
        return {}
    entries = [entry for entry in value if isinstance(entry, dict)]
    return {str(entry.get("name")): entry["template"] for entry in entries if isinstance(entry.get("template"), str)}


def render_all(found: Mapping[str, str], special: Mapping[str, str | None]) -> dict[str, Rendering | NotRendered]:
    """Render each template, or say why not. Raises RuntimeError where the renderer itself does not work."""
    small = {name: template for name, template in found.items() if len(template) <= SIZE_LIMIT}
    results: dict[str, Rendering | NotRendered] = {
        name: NotRendered(f"it is larger than {SIZE_LIMIT} bytes") for name in found if name not in small
    }
    answers = _run([job for template in small.values() for job in _jobs(template, special)])
    for index, name in enumerate(small):
        results[name] = answers if isinstance(answers, NotRendered) else _assemble(answers[6 * index : 6 * index + 6])
    return {name: results[name] for name in found}


def _jobs(template: str, special: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Three conversations (answered; open; open with generation prompt), contents as strings, then as parts."""
    jobs = []
    for as_parts in (False, True):
        for is_open, prompt in ((False, False), (True, False), (True, True)):
            variables = {
                "messages": _conversation(as_parts=as_parts, is_open=is_open),
                "add_generation_prompt": prompt,
                "tools": None,
                "documents": None,
                **{name: text for name, text in special.items() if text is not None},
            }
            jobs.append({"template": template, "variables": variables})
    return jobs


def _conversation(*, as_parts: bool, is_open: bool) -> list[dict[str, Any]]:
    """Two questions, two answers; an open one lacks the last answer, which the model is about to give."""
    turns = [("user", _QUESTION), ("assistant", _ANSWER)] * 2
    messages = []
    for index, (role, text) in enumerate(turns[:-1] if is_open else turns):
        words = text.format(index // 2 + 1)
        messages.append({"role": role, "content": [{"type": "text", "text": words}] if as_parts else words})
    return messages


def _run(jobs: list[dict[str, Any]]) -> list[dict[str, str]] | NotRendered:
    if not jobs:
        return []
    command = [sys.executable, "-I", "-S", str(_CHILD), *_package_directories()]
    try:
        done = subprocess.run(
            command, input=json.dumps({"jobs": jobs}).encode(), capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return NotRendered(f"it did not finish within {TIMEOUT:.0f} s", host_dependent=True)
    if done.returncode == _LIMITED or done.returncode in _STOPPED:
        return NotRendered("it needed more time or memory than a template may take", host_dependent=True)
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip()
        raise RuntimeError(f"the renderer of chat templates failed with status {done.returncode}: {told[-2000:]}")
    results: list[dict[str, str]] = json.loads(done.stdout)["results"]
    return results


def _package_directories() -> list[str]:
    """Where this process finds what the child imports: a user site or PYTHONPATH is invisible to ``python -I``."""
    directories = []
    for name in ("jinja2", "markupsafe"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise RuntimeError(f"{name} is not installed beside aot, which needs it; install aot again")
        directories.append(str(Path(found.origin).parents[1]))
    return list(dict.fromkeys(directories))


def _assemble(answers: list[dict[str, str]]) -> Rendering | NotRendered:
    problem = "the conversation's words do not appear in what it renders"
    for closed, waiting, prompted in (answers[0:3], answers[3:6]):
        limit = next((answer["limit"] for answer in (closed, waiting, prompted) if "limit" in answer), None)
        if limit is not None:
            return NotRendered(limit, host_dependent=True)
        if "text" in closed:
            before, after = waiting.get("text", ""), prompted.get("text", "")
            # Phi-3 ends an open conversation with another token when no prompt is asked for: then nothing is known.
            prompt = after.removeprefix(before) if after.startswith(before) else ""
            rendering = _split(closed["text"], prompt)
            if rendering:
                return rendering
    return NotRendered(answers[0].get("error", problem))


def _split(closed: str, prompt: str) -> Rendering | None:
    first_question, second_question = _QUESTION.format(1), _QUESTION.format(2)
    first_answer, second_answer = _ANSWER.format(1), _ANSWER.format(2)
    if not all(words in closed for words in (first_question, second_question, first_answer, second_answer)):
        return None
    return Rendering(
        within=closed.partition(first_answer)[2].partition(second_question)[0],
        final=closed.rpartition(second_answer)[2],
        prompt=prompt,
    )
