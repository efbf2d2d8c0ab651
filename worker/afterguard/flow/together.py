"""Together: policies that are answered in one prompt, in one request to the engine.

A prompt holds policies that are acted upon, and no others: a version on trial in it would change
the answers under them. Its policies stand in a fixed order, so that the same ones make the same
prompt and the prefix cache knows it again.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from typing import Final

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Reason
from afterguard.flow.admit import Admission
from afterguard.flow.asking import Asked, Asking, question
from afterguard.flow.effort import first_effort
from afterguard.flow.findings import Finding
from afterguard.flow.ports import Judgement, JudgementStatus
from afterguard.flow.shadows import acting_first

COMBINED: Final = "combined"
"""In the path of a verdict: it was answered in one prompt with others."""

_NO_ANSWER: Final = Judgement(JudgementStatus.UNPARSEABLE)

Group = tuple[Policy, ...]


class Together:
    """Asks about several policies at once.

    Args:
        asking: Asks the engine.
        most: Policies in one prompt; 2 or more.
    """

    def __init__(self, asking: Asking, most: int) -> None:
        self._asking, self._most = asking, most

    def groups(self, policies: Iterable[Policy]) -> list[Group]:
        """The policies by the prompt that they share; those on trial have one each.

        Prompts are filled evenly, with policies of like effort: a prompt has the highest of its
        policies.
        """
        acting, shadows = acting_first(policies)
        acting = in_prompt_order(acting)
        prompts = ceil(len(acting) / self._most)
        ends = [len(acting) * number // prompts for number in range(prompts + 1) if prompts]
        filled = [tuple(acting[start:end]) for start, end in pairwise(ends)]
        return [*filled, *((policy,) for policy in shadows)]

    async def ask(self, admission: Admission, group: Group, content: str) -> list[Finding]:
        """The findings under the policies of one prompt, in their order.

        Second looks are taken under each policy by itself. A content that has no room beside so
        many policies, or that the engine refuses with them, is asked about one by one.

        Args:
            admission: The event.
            group: Two policies or more.
            content: What the model reads.

        Raises:
            AfterguardError: One whose consequence is `exit`; the event must not be settled.
        """
        step = self._asking.step(admission.lane)
        effort = max((first_effort(policy, step) for policy in group), key=lambda it: it.rank)
        first, *also = group
        request = question(admission, first, content, effort, also=tuple(also))
        asked = await self._asking.put(admission, request)
        async with asyncio.TaskGroup() as tasks:
            if _asks_for_less(asked):
                found = [
                    tasks.create_task(self._asking.ask(admission, policy, content))
                    for policy in group
                ]
            else:
                found = [
                    tasks.create_task(self._asking.looked_again(admission, finding, content))
                    for finding in self._apart(asked, group, effort)
                ]
        return [task.result() for task in found]

    def _apart(self, asked: Asked, group: Group, effort: Effort) -> list[Finding]:
        told = asked.finding._replace(
            stages=(COMBINED, *asked.finding.stages) if asked.finding.stages else (),
            combined=True,
        )
        if asked.judgement is None:
            return [told._replace(policy=policy) for policy in group]
        return [
            self._asking.weighed(told._replace(policy=policy), judgement, policy, effort)
            for policy, judgement in zip(group, _each(asked.judgement, len(group)), strict=True)
        ]


def in_prompt_order(policies: Iterable[Policy]) -> list[Policy]:
    """The policies as they follow one another in a prompt."""
    return sorted(policies, key=lambda policy: (policy.effort.rank, policy.id))


def _asks_for_less(asked: Asked) -> bool:
    if asked.judgement is None:
        return asked.finding.reading.reason is Reason.REQUEST_REFUSED
    return asked.judgement.status is JudgementStatus.CONTENT_TOO_LONG


def _each(judgement: Judgement, policies: int) -> Sequence[Judgement]:
    """The judgement for each policy; what the engine left out is no answer."""
    told = [judgement._replace(others=()), *judgement.others][:policies]
    missing = _NO_ANSWER if judgement.complete else _NO_ANSWER._replace(status=judgement.status)
    return [*told, *[missing] * (policies - len(told))]
