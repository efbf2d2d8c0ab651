"""Lint of the front matter: whether what follows from a verdict fits, and what it costs."""

from collections.abc import Mapping
from typing import Final

from afterguard.contracts.policies import JudgedBy, Policy
from afterguard.contracts.words import Action, Effort, Severity
from afterguard.policy.lint_body import Found
from afterguard.policy.template import TODO

_LOW_RECALL: Final = 0.9
_LOW_RECALL_CRITICAL: Final = 0.99
_LOW_PRECISION: Final = 0.8


def field_remarks(policy: Policy, lines: Mapping[str, int]) -> Found:
    """What in the front matter is likely not meant.

    Args:
        policy: The policy.
        lines: Where its fields stand.
    """
    yield from _unwritten(policy, lines)
    yield from _consequences(policy, lines)
    yield from _second_look(policy, lines)
    yield from _fitted(policy, lines)


def _unwritten(policy: Policy, lines: Mapping[str, int]) -> Found:
    told = {"title": policy.title, "owner": policy.owner}
    told |= {f"rules.{number}.title": rule.title for number, rule in enumerate(policy.rules)}
    for field, text in told.items():
        if TODO in text:
            yield lines.get(field, 1), field, f"is still to be written: {TODO}"


def _consequences(policy: Policy, lines: Mapping[str, int]) -> Found:
    for number, rule in enumerate(policy.rules):
        field = f"rules.{number}.action"
        line = lines.get(field, 1)
        grave = rule.severity.rank >= Severity.HIGH.rank
        if grave and rule.action.rank < Action.ESCALATE.rank:
            yield line, field, f"{rule.action} is little for severity {rule.severity}"
        if rule.severity is Severity.LOW and rule.action.rank > Action.HIDE.rank:
            yield line, field, f"{rule.action} is much for severity {rule.severity}"
        if rule.severity is Severity.CRITICAL and policy.on_expiry is Action.NONE:
            message = f"lets an event pass unjudged that may be critical ({rule.id})"
            yield lines.get("on_expiry", 1), "on_expiry", message
    band = policy.uncertain
    if band is None and all(rule.action is not Action.ESCALATE for rule in policy.rules):
        message = "doubt has no way to a person: set `uncertain`, or a rule with `escalate`"
        yield 1, "uncertain", message
    if band is not None and not band[0] <= policy.threshold <= band[1]:
        message = f"leaves out the threshold {policy.threshold}"
        yield lines.get("uncertain", 1), "uncertain", message


def _second_look(policy: Policy, lines: Mapping[str, int]) -> Found:
    look, line = policy.second_look, lines.get("second_look", 1)
    if policy.effort is Effort.HIGH and policy.judge is JudgedBy.MODEL:
        message = (
            "has the model reason at length about every event; a lower one with `second_look` "
            "does so where there is doubt"
        )
        yield lines.get("effort", 1), "effort", message
    if look is None:
        return
    if policy.judge is JudgedBy.CLASSIFIER:
        yield line, "second_look", "has no effect: a classifier decides, and no model is asked"
        return
    if look.band is None and look.severity is None and policy.uncertain is None:
        message = (
            "is hardly ever taken: give it a `band` or a `severity`, or the policy `uncertain`"
        )
        yield line, "second_look", message
    if look.severity is Severity.LOW:
        message = "asks twice about every violation: `severity` is the lowest that is looked at"
        yield lines.get("second_look.severity", line), "second_look.severity", message
    if look.band is not None and not look.band[0] <= policy.threshold <= look.band[1]:
        message = f"leaves out the threshold {policy.threshold}, where the doubt is"
        yield lines.get("second_look.band", line), "second_look.band", message


def _fitted(policy: Policy, lines: Mapping[str, int]) -> Found:
    if policy.prefilter is not None:
        recall = policy.prefilter.target_recall
        grave = any(rule.severity is Severity.CRITICAL for rule in policy.rules)
        if recall < (_LOW_RECALL_CRITICAL if grave else _LOW_RECALL):
            told = " of a policy with critical rules" if grave else ""
            field = "prefilter.target_recall"
            message = f"lets {1 - recall:.0%} of the violations{told} pass unread"
            yield lines.get(field, lines.get("prefilter", 1)), field, message
    if policy.classifier is not None:
        line = lines.get("classifier", 1)
        precision = policy.classifier.target_precision
        if precision < _LOW_PRECISION:
            field = "classifier.target_precision"
            message = f"acts wrongly in {1 - precision:.0%} of what it flags"
            yield lines.get(field, line), field, message
        if policy.classifier.rule is None:
            message = f"cites no rule: what follows is `fallback_action`, {policy.fallback_action}"
            yield line, "classifier", message
