"""Settings in groups: what is declared is checked, read, compared and renamed without a line for each."""

import sys
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from rlgan.errors import UsageError
from rlgan.settings import (
    Added,
    AtLeast,
    Below,
    Choice,
    Was,
    canonical,
    check,
    differences,
    flatten,
    foreign_names,
    identity,
    modules_found_here,
    old_flags,
    own_imports,
    read,
    resolve,
    updated,
)

RULES = {"log_odds": "math:log", "probability": abs}


@dataclass(frozen=True)
class Inner:
    decay: Annotated[float, Below(0, 1), Was("average")] = 0.0
    rule: Annotated[str, Choice(RULES, "rule", former={"odds": "log_odds"})] = "probability"


@dataclass(frozen=True)
class Outer:
    count: Annotated[int, AtLeast(1)] = 3
    mode: Literal["a", "b"] = "a"
    limit: Annotated[int, AtLeast(2)] | None = None
    pairs: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    names: tuple[Annotated[str, Choice(RULES, "rule")], ...] = ()
    inner: Inner = Inner()
    form: Annotated[str, Choice({"plain": abs, "structured": abs}, "form"), Added(before="plain")] = "structured"


def test_names_stand_side_by_side_whatever_group_they_are_in():
    assert flatten(Outer()) == {
        "count": 3, "mode": "a", "limit": None, "pairs": ((0.0, 1.0),), "names": (), "decay": 0.0,
        "rule": "probability", "form": "structured",
    }  # fmt: skip
    assert updated(Outer(), {"decay": 0.5, "count": 4}) == Outer(count=4, inner=Inner(decay=0.5))
    with pytest.raises(TypeError, match="Outer has no setting speed"):
        updated(Outer(), {"speed": 1})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", 0, "--count is 0: it must be 1 or more"),
        ("count", "3", "--count is '3', which is of a wrong type: it must be a whole number"),
        ("count", True, "--count is True, which is of a wrong type"),
        ("mode", "c", "--mode is 'c', which is of a wrong type"),
        ("limit", 1, "--limit is 1: it must be 2 or more"),
        ("limit", "many", "it must be a whole number or left out"),
        ("pairs", ((0.0,),), "--pairs is"),
        ("names", ("probability", "applause"), "--names 'applause' is not a rule. Choose one of: log_odds"),
        ("decay", float("nan"), "--decay is nan: it must be from 0 to less than 1"),
        ("rule", "log_ods", "Did you mean log_odds?"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is_due(name, value, said):
    with pytest.raises(UsageError) as refused:
        check(updated(Outer(), {name: value}))
    assert said in str(refused.value)


def test_what_is_allowed_passes():
    for values in ({}, {"limit": 2}, {"rule": "mine:Rule"}, {"pairs": ((1, 2), (3.5, 4))}, {"names": ("log_odds",)}):
        check(updated(Outer(), values))


def test_names_are_understood_with_hyphens_capitals_and_as_they_were():
    typed = updated(Outer(), {"rule": "Log-Odds", "names": ("PROBABILITY", "mine:Rule")})
    assert flatten(canonical(typed)) | {} == flatten(Outer()) | {
        "rule": "log_odds", "names": ("probability", "mine:Rule")
    }  # fmt: skip
    assert canonical(updated(Outer(), {"rule": "odds"})).inner.rule == "log_odds"


def test_a_file_of_before_is_read_under_its_names_with_what_was_before_a_setting_existed():
    saved = {"count": 5, "mode": "b", "limit": None, "pairs": [[0, 1], [1, 0]], "names": [], "average": 0.9}
    settings = read(Outer(), saved | {"rule": "odds"})
    assert settings == Outer(
        count=5, mode="b", pairs=((0, 1), (1, 0)), inner=Inner(decay=0.9, rule="log_odds"), form="plain"
    )
    assert old_flags(Outer) == {"--average": "--decay"}
    # The fingerprint of a recipe of before is made of what it had then, and of nothing else.
    assert identity(settings) == saved | {"rule": "odds", "pairs": ((0, 1), (1, 0)), "names": ()}
    assert identity(updated(settings, {"form": "structured"}))["form"] == "structured"


def test_a_file_with_a_setting_more_or_less_is_refused():
    whole = dict(flatten(Outer()))
    with pytest.raises(UsageError, match="settings that this version does not know: speed"):
        read(Outer(), whole | {"speed": 1})
    del whole["count"]
    with pytest.raises(UsageError, match="the setting count is missing"):
        read(Outer(), whole)


def test_differences_are_named_as_flags():
    other = updated(Outer(), {"decay": 0.5, "count": 4})
    assert differences(Outer(), other) == ["--count 3 -> 4", "--decay 0.0 -> 0.5"]
    assert differences(Outer(), other, ignored=("count",)) == ["--decay 0.0 -> 0.5"]


def test_names_from_outside_are_told_from_those_of_the_table():
    settings = updated(Outer(), {"rule": "mine:Rule", "names": ("log_odds", "theirs:Other")})
    assert foreign_names(settings) == ["--names theirs:Other", "--rule mine:Rule"]
    assert foreign_names(Outer()) == []


def test_a_name_stands_for_an_object_of_the_table_or_of_a_module_found_last_in_the_current_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules_of_test.py").write_text("def rule(x, before):\n    return 2 * x\n")
    # A module of the same name as one of Python's own does not take its place.
    (tmp_path / "math.py").write_text("log = None\n")
    assert resolve("log_odds", RULES)(1) == 0
    assert resolve("probability", RULES)(-1) == 1
    assert resolve("my_rules_of_test:rule", RULES)(4, 0) == 8


def test_a_current_directory_that_is_on_the_path_already_keeps_its_place_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules_at_the_front.py").write_text("def rule(x, before):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.path)
    assert resolve("my_rules_at_the_front:rule", RULES)(4, 0) == 4
    assert sys.path == before


def test_a_module_found_here_is_sent_as_it_now_is_and_not_once_it_was_forgotten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rules_to_forget.py").write_text("def rule(x, before):\n    return x\n")

    def sent():
        return [module for module in modules_found_here() if module.__name__ == "my_rules_to_forget"]

    with own_imports():
        assert resolve("my_rules_to_forget:rule", RULES)(4, 0) == 4
        first = sys.modules["my_rules_to_forget"]
        assert sent() == [first]
    # As a notebook does that imports its changed file anew.
    del sys.modules["my_rules_to_forget"]
    assert sent() == []
    assert resolve("my_rules_to_forget:rule", RULES)(4, 0) == 4
    assert sent() == [sys.modules["my_rules_to_forget"]] != [first]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("applause", "'applause' is none of log_odds, probability"),
        ("no_such_module:rule", "no_such_module:rule can't be imported: ModuleNotFoundError"),
        ("math:applause", "math:applause can't be imported: the module math has no applause"),
        ("math:sqr", "math:sqr can't be imported: the module math has no sqr. Did you mean math:sqrt?"),
        (
            "fails_at_imports:rule",
            "fails_at_imports:rule can't be imported: ModuleNotFoundError: No module named 'fails_at_imports'. Did you "
            "mean fails_at_import?",
        ),
        ("fails_at_import:rule", "fails_at_import:rule can't be imported: RuntimeError: no luck"),
    ],
)
def test_what_can_t_be_imported_is_said_in_one_line(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fails_at_import.py").write_text("raise RuntimeError('no luck')\n")
    with pytest.raises(UsageError) as refused:
        resolve(name, RULES)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
