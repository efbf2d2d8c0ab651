"""Every error says what follows from it."""

import re
from pathlib import Path

import pytest

from afterguard.contracts import errors
from afterguard.contracts.errors import (
    AfterguardError,
    Consequence,
    MappingError,
    PolicyError,
    RejectedInput,
    RejectReason,
    SettingsError,
)


def family(root: type[AfterguardError]) -> list[type[AfterguardError]]:
    """A class and all below it that this module defines."""
    below = [kind for child in root.__subclasses__() for kind in family(child)]
    return [root, *below] if root.__module__ == errors.__name__ else below


def documented() -> dict[str, str]:
    """Name and consequence of each error as the head of the module tells them."""
    assert errors.__doc__ is not None
    lines = re.findall(r"(\w+)\s{2,}(exit|retry|dead letter):", errors.__doc__)
    return {name: consequence.replace(" ", "_") for name, consequence in lines}


@pytest.mark.parametrize("name", sorted(documented()))
def test_the_family_tree_in_the_documentation_is_true(name: str) -> None:
    assert getattr(errors, name).consequence == documented()[name]


def test_every_leaf_of_the_tree_is_documented() -> None:
    leaves = {kind.__name__ for kind in family(AfterguardError) if not kind.__subclasses__()}
    assert leaves <= set(documented())


def test_bad_input_is_set_aside_and_never_stops_the_worker() -> None:
    assert RejectedInput.consequence is Consequence.DEAD_LETTER
    assert MappingError("content", "x").consequence is Consequence.DEAD_LETTER


def test_a_mapping_error_names_its_field_and_counts_as_unmapped() -> None:
    fault = MappingError("author.id", "`d.user` is null or absent")
    assert (fault.field, fault.reason) == ("author.id", RejectReason.UNMAPPED)
    assert fault.detail == "author.id: `d.user` is null or absent"


def test_settings_errors_keep_one_line_for_each_fault() -> None:
    assert str(SettingsError(["a: wrong", "b: wrong"])) == "a: wrong\nb: wrong"


def test_a_policy_error_names_file_line_and_field() -> None:
    fault = PolicyError("too short", file=Path("p/spam.md"), line=4, field="title")
    assert str(fault) == "p/spam.md:4: title: too short"
