"""Rendering: what transformers offers is offered, and a hostile template costs bounded time and memory."""

from __future__ import annotations

import time

import pytest

from aot.check.chat_template import SIZE_LIMIT, Rendering, render_all, templates
from aot.check.eos import check

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def render(template: str, **special: str) -> Rendering | str:
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
    why = render(template)
    assert isinstance(why, str)
    assert word in why


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
    assert isinstance(render(template), str)
    assert time.monotonic() - start < 15


def test_memory_is_limited() -> None:
    assert render("{{ ('x' * 1500000000) | length }}") == "MemoryError: "


def test_a_huge_template_is_not_even_tried() -> None:
    assert "larger than" in str(render("x" * (SIZE_LIMIT + 1)))


def test_one_bad_template_does_not_hide_the_others() -> None:
    results = render_all({"default": CHATML, "bad": "{% for %}"}, {})
    assert isinstance(results["default"], Rendering)
    assert isinstance(results["bad"], str)


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
