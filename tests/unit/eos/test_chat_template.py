"""Rendering: what transformers offers is offered, and a hostile template costs bounded time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aot.check import chat_template
from aot.check.chat_template import SIZE_LIMIT, NotRendered, Rendering, render_all, templates
from aot.check.eos import check

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def render(template: str, **special: str) -> Rendering | NotRendered:
    return render_all({"default": template}, special)["default"]


def test_what_follows_an_answer() -> None:
    assert render(CHATML) == Rendering("<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n", "<|im_start|>assistant\n")


@pytest.mark.parametrize(
    "use",
    [
        "{{ strftime_now('%Y') }}",
        "{{ {'a': 'é<'} | tojson }}",
        "{{ [1] | tojson(indent=2, sort_keys=true) }}",
        "{% generation %}x{% endgeneration %}",
        "{% for i in [1, 2] %}{% if i == 2 %}{% break %}{% endif %}{% continue %}{% endfor %}",
        "{% set ns = namespace(found=false) %}{% set ns.found = true %}",
        "{{ bos_token }}{{ eos_token }}",
        "{% if tools is not none %}{{ raise_exception('no tools were given') }}{% endif %}",
        "{%- if enable_thinking is defined %}{{ raise_exception('x') }}{%- endif %}",
    ],
)
def test_what_transformers_offers_is_offered(use: str) -> None:
    assert isinstance(render(use + CHATML, bos_token="<s>", eos_token="</s>"), Rendering)


def test_tojson_does_not_escape_for_html() -> None:
    rendering = render(CHATML + "{{ {'a': 'é<'} | tojson }}")
    assert isinstance(rendering, Rendering)
    assert rendering.final.endswith('{"a": "é<"}')


def test_contents_as_parts_are_tried_second() -> None:
    rendering = render(CHATML.replace("m.content", "m.content[0]['text']"))
    assert isinstance(rendering, Rendering)
    assert rendering.final == "<|im_end|>\n"


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ("{{ raise_exception('no, thanks') }}", "no, thanks"),
        ("{% for %}", "TemplateSyntaxError"),
        ("{{ nowhere.to.go }}", "UndefinedError"),
        ("{{ cycler.__init__.__globals__ }}", "SecurityError"),
        ("{{ messages.append(1) }}", "SecurityError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("nothing of the conversation", "do not appear"),
        ("{% include 'config.json' %}", "TypeError"),
    ],
)
def test_why_a_template_cannot_be_rendered(template: str, word: str) -> None:
    problem = render(template)
    assert isinstance(problem, NotRendered)
    assert word in problem.why
    assert not problem.host_dependent


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ '%0999999999d' % 1 }}",
    ],
)
def test_a_hostile_template_is_stopped(template: str) -> None:
    start = time.monotonic()
    assert isinstance(render(template), NotRendered)
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("body", ["{% for b in range(9999) %}{% endfor %}", "{{ messages | map('trim') | list }}"])
def test_a_long_loop_is_counted_not_timed(body: str) -> None:
    endless = "{% for a in range(99999) %}" + body + "{% endfor %}"
    assert render(endless + CHATML) == NotRendered("it takes more than 300000 steps", host_dependent=False)


def test_memory_is_limited() -> None:
    problem = render("{{ ('x' * 1500000000) | length }}")
    assert problem == NotRendered("it takes more than 1024 MiB of memory", host_dependent=True)


def test_cpu_time_is_limited() -> None:
    problem = render("{{ 9 ** (9 ** 9) }}")
    assert problem == NotRendered("it needed more time or memory than a template may take", host_dependent=True)


def test_what_a_limit_leaves_open_is_shown_but_not_recorded() -> None:
    """A loaded host would otherwise give the artifact another digest."""
    files = {"config.json": b'{"eos_token_id": 1}', "chat_template.jinja": b"{{ 'x' * 10000000000 }}"}
    report = check(files)
    assert "template-not-rendered" in [finding["id"] for finding in report.to_json()["findings"]]
    assert "template-not-rendered" not in [finding["id"] for finding in report.recorded_findings]
    files["chat_template.jinja"] = b"{% for %}"
    recorded = check(files).recorded_findings
    assert "template-not-rendered" in [finding["id"] for finding in recorded]
    assert all(finding.keys() == {"id", "severity", "reason", "remedy", "involved"} for finding in recorded)


def test_a_slow_host_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "TIMEOUT", 0.001)
    problem = render(CHATML)
    assert isinstance(problem, NotRendered)
    assert problem.host_dependent


def test_jinja_is_found_wherever_this_process_has_it(tmp_path: Path) -> None:
    """A user site, ``pip --target`` or PYTHONPATH: a bare interpreter with nothing installed of its own."""
    import jinja2
    import msgspec

    root = Path(chat_template.__file__).parents[2]
    places = [str(root), *(str(Path(module.__file__).parents[1]) for module in (jinja2, msgspec))]
    code = f"from aot.check.chat_template import render_all; print(render_all({{'default': {CHATML!r}}}, {{}}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    bare = [getattr(sys, "_base_executable", sys.executable), "-S", "-c", code]
    done = subprocess.run(bare, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert "Rendering(within=" in done.stdout


def test_a_renderer_that_does_not_work_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_template, "_package_directories", lambda: ["/nowhere"])
    with pytest.raises(RuntimeError, match="No module named 'jinja2'"):
        render(CHATML)


def test_chance_and_addresses_do_not_reach_the_report() -> None:
    by_chance = "{{ raise_exception(range(1000000 // 99) | list | random ~ joiner() ~ lipsum()) }}"
    assert render(by_chance) == render(by_chance)
    problem = render("{{ raise_exception(joiner() | string) }}")
    assert isinstance(problem, NotRendered)
    assert "Joiner object at 0x0>" in problem.why


def test_a_huge_template_is_not_even_tried() -> None:
    assert "larger than" in str(render("x" * (SIZE_LIMIT + 1)))


def test_one_bad_template_does_not_hide_the_others() -> None:
    results = render_all({"default": CHATML, "bad": "{% for %}"}, {})
    assert isinstance(results["default"], Rendering)
    assert isinstance(results["bad"], NotRendered)


def test_jinja_files_win_over_the_config() -> None:
    files = {"chat_template.jinja": b"file", "additional_chat_templates/rag.jinja": b"rag"}
    assert templates(files, {"chat_template": "config"}) == {"default": "file", "rag": "rag"}
    assert templates({}, {"chat_template": "config"}) == {"default": "config"}
    named = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}, "junk", {"name": "x"}]
    assert list(templates({}, {"chat_template": named}).items()) == [("default", "d"), ("tool_use", "t")]
    assert templates({}, {"chat_template": 7}) == {}


def test_the_environment_of_this_process_does_not_reach_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    assert isinstance(render(CHATML), Rendering)


def test_a_template_in_another_encoding_is_no_traceback() -> None:
    report = check({"config.json": b'{"eos_token_id": 1}', "chat_template.jinja": b"\xff\xfe"})
    assert [finding.id for finding in report.findings if finding.severity == "warning"] == ["template-not-rendered"]
