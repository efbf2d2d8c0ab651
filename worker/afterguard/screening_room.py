"""The screening's part of the composition: fitted classifiers, and what they read of an event."""

from afterguard.contracts.events import ChatEvent
from afterguard.flow.ports import Classifiers
from afterguard.flow.screening import Screening
from afterguard.policy.normal_form import normal_form
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics


def screening_room(settings: Settings, metrics: Metrics, classifiers: Classifiers) -> Screening:
    """The screening that the settings describe.

    Args:
        settings: All of them.
        metrics: Where events and misses are counted.
        classifiers: They score.
    """
    return Screening(
        classifiers,
        classifier_text,
        metrics.policies.prefilter,
        bypass_share=settings.prefilter.bypass_share,
    )


def classifier_text(event: ChatEvent) -> str:
    """What a classifier reads of an event, when it is fitted and ever after.

    The text alone, in normal form; of a conversation, its turns one after the other.
    """
    if isinstance(event.content, str):
        return normal_form(event.content)
    return normal_form("\n".join(turn.text for turn in event.content))
