"""The shipped catalogue, and what happens to an entry that is malformed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aot.compile import known_errors, remedies
from aot.compile.known_errors import KnownError, catalogue, claims, find, load_directory, load_entry
from aot.errors import AotError, ErrorId

LOGS = Path(__file__).parents[2] / "data" / "logs"
WITHOUT_LOG = {"SILENT-NUMERICAL-ERROR", "REPORTED-INF2-SMALL-MODELS", "REPORTED-QWEN-TP2-GARBAGE"}

MINIMAL = """\
id = "{id}"
name = "a name"
class = "resource"
confidence = "reported"
order = 50
cause = "a cause"
workaround = "a workaround"
remove_when = "never"
samples = ["a line"]

[[patterns]]
literal = "a line"
"""


def ids(entries: tuple[KnownError, ...]) -> list[str]:
    return [entry.id for entry in entries]


def test_the_catalogue_is_complete_and_unique() -> None:
    found = ids(catalogue())
    assert len(found) == len(set(found)) >= 105
    documented = [
        entry for entry in catalogue() if (entry.link or "").startswith("https://awsdocs-neuron") and entry.code
    ]
    assert len([entry for entry in documented if entry.code == entry.id]) >= 60
    for wanted in ("NCC_IXCG856", "NCC_ITEN404-LegalizeSundaMacro-IncorrectIR", "SILENT-NUMERICAL-ERROR"):
        assert find(wanted) is not None


@pytest.mark.parametrize("entry", catalogue(), ids=ids(catalogue()))
def test_every_sample_is_claimed_by_its_own_entry_first(entry: KnownError) -> None:
    assert bool(entry.samples) == bool(entry.patterns)
    assert bool(entry.patterns) == (entry.id not in WITHOUT_LOG)
    for sample in entry.samples:
        assert entry.matches(sample), sample
        first = claims(sample, catalogue())
        assert first is not None
        assert first.id == entry.id, f"{first.id} claims {sample!r} before {entry.id}"


@pytest.mark.parametrize("entry", catalogue(), ids=ids(catalogue()))
def test_no_other_entry_of_the_same_order_claims_a_sample(entry: KnownError) -> None:
    for sample in entry.samples:
        rivals = [other.id for other in catalogue() if other.matches(sample) and other.order == entry.order]
        assert rivals == [entry.id]


@pytest.mark.parametrize("entry", catalogue(), ids=ids(catalogue()))
def test_every_pattern_is_needed_by_a_sample(entry: KnownError) -> None:
    for pattern in entry.patterns:
        assert any(pattern.matches(sample) for sample in entry.samples), pattern


@pytest.mark.parametrize("entry", catalogue(), ids=ids(catalogue()))
def test_texts_and_references_hold(entry: KnownError) -> None:
    assert set(entry.remedies) <= set(remedies.REMEDIES)
    assert {remedy.id for remedy in remedies.ladder(entry) if remedy.automatic} == set(entry.remedies)
    for link in filter(None, (entry.link, *entry.more_links)):
        assert re.fullmatch(r"https://\S+", link)
    if entry.link is None:
        assert entry.confidence == "reported"
        assert "repository is not known" in entry.cause
    if entry.code and not entry.id.startswith(entry.code):
        assert entry.id == "HOST-OUT-OF-MEMORY"
    assert len(entry.cause) > 20


def test_remedies_name_known_errors() -> None:
    assert set(remedies.LADDER) <= set(ids(catalogue()))


def test_the_log_of_a_successful_compile_matches_nothing() -> None:
    for line in (LOGS / "successful.log").read_text().splitlines():
        assert claims(line, catalogue()) is None, line


@pytest.mark.parametrize(
    "line",
    [
        "loading NEFF version 2.0",
        "Neuron devices: 12",
        "INFO no errors, 0 failed, nothing killed",
        "the tensorizer split 12 instructions",
        "retry_failed_compilation=False",
        "NCC_OPTLEVEL=2",
    ],
)
def test_harmless_lines_match_nothing(line: str) -> None:
    assert claims(line, catalogue()) is None


def test_an_entry_is_found_by_id_or_by_an_unshared_code() -> None:
    by_code = find("ncc_ixcg856")
    assert by_code is not None
    assert by_code.id == "NCC_IXCG856"
    assert find("NCC_INLA001") is None, "two entries share this code"
    assert find("no such thing") is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("order = 50", 'order = "high"'), "$.order"),
        (("order = 50", "order = 0"), "$.order"),
        (('class = "resource"', 'class = "bad luck"'), "$.class"),
        (('cause = "a cause"', ""), "cause"),
        (('name = "a name"', 'name = "a name"\ncolour = "red"'), "colour"),
        (('literal = "a line"', 'literal = ""'), "$.patterns[0].literal"),
        (('literal = "a line"', 'literal = "a line"\nregex = "("'), "regex '(' does not compile"),
        (("order = 50", "order = = 50"), "line 5"),
        (('id = "X"', 'id = "Y"'), "X.toml"),
    ],
)
def test_a_malformed_entry_names_file_and_place(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    path = tmp_path / "X.toml"
    path.write_text(MINIMAL.format(id="X"))
    assert load_entry(path).id == "X"
    path.write_text(MINIMAL.format(id="X").replace(*change))
    with pytest.raises(AotError) as problem:
        load_directory(tmp_path)
    assert problem.value.error_id is ErrorId.MANIFEST_DAMAGED
    assert "X.toml" in problem.value.reason
    assert named in problem.value.reason


def test_order_decides_between_claims(tmp_path: Path) -> None:
    for name, order in (("B", 20), ("A", 90), ("C", 50)):
        (tmp_path / f"{name}.toml").write_text(MINIMAL.format(id=name).replace("order = 50", f"order = {order}"))
    entries = load_directory(tmp_path)
    assert ids(entries) == ["B", "C", "A"]
    assert known_errors.claims("here is a line", entries) == entries[0]
