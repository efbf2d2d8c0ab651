"""Differences between two versions of a policy, told in words; the lines are another matter."""

from collections.abc import Iterator
from enum import Enum

from afterguard.contracts.policies import Policy, Rule

_TOLD_APART = frozenset({"id", "rules", "body", "version"})


def differences(before: Policy, after: Policy) -> list[str]:
    """What a change of front matter means, one short line each; rules first.

    Args:
        before: The version that is left.
        after: The version that takes its place.
    """
    told = [*_rules(before, after)]
    for name in Policy.model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if name not in _TOLD_APART and old != new:
            told.append(f"{name}: {_word(old)} -> {_word(new)}")
    if before.body != after.body:
        told.append("the text that the model reads has changed")
    return told


def _rules(before: Policy, after: Policy) -> Iterator[str]:
    old = {rule.id: rule for rule in before.rules}
    new = {rule.id: rule for rule in after.rules}
    for name in [*old, *(it for it in new if it not in old)]:
        was, now = old.get(name), new.get(name)
        if was is None and now is not None:
            yield f"rule {name} is new: {now.title} ({now.severity}, {now.action})"
        elif now is None and was is not None:
            yield f"rule {name} is gone: {was.title} ({was.severity}, {was.action})"
        elif was is not None and now is not None and was != now:
            yield f"rule {name}: {', '.join(_rule(was, now))}"
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield f"the order of the rules is now {', '.join(new)}"


def _rule(was: Rule, now: Rule) -> Iterator[str]:
    for name in Rule.model_fields:
        old, new = getattr(was, name), getattr(now, name)
        if old != new:
            yield f"{name} {_word(old)} -> {_word(new)}"


def _word(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_word(it) for it in value) + "]"
    if fields := getattr(value, "model_dump", None):
        given = {name: it for name, it in fields().items() if it not in (None, ())}
        return "{" + ", ".join(f"{name}: {_word(it)}" for name, it in given.items()) + "}"
    return str(value)
