"""Published figures for gpt-oss-safeguard, to be shown beside ours, with what keeps them apart.

They are of tables 1 and 2 of OpenAI's technical report, as others quote them; the ToxicChat figures
of the 20b models are confirmed by who tried to repeat them (dactile.net, dev notes 02).
"""

from typing import Final, NamedTuple

from afterguard.evaluation.datasets import Form

SOURCE: Final = (
    "OpenAI, technical report on gpt-oss-safeguard-120b and -20b (October 2025), tables 1 and 2, "
    "as others quote them"
)


class Published(NamedTuple):
    """What is published of one model.

    Attributes:
        model: Its name.
        exact_match: Share of rows right under all of several policies, on OpenAI's own data.
        moderation_f1: F1 on the 2022 moderation set.
        toxicchat_f1: F1 on ToxicChat.
    """

    model: str
    exact_match: float
    moderation_f1: float
    toxicchat_f1: float


FIGURES: Final = (
    Published("gpt-oss-safeguard-120b", 0.463, 0.829, 0.793),
    Published("gpt-oss-safeguard-20b", 0.436, 0.829, 0.799),
    Published("gpt-5-thinking", 0.432, 0.798, 0.810),
    Published("gpt-oss-120b", 0.325, 0.804, 0.767),
    Published("gpt-oss-20b", 0.321, 0.787, 0.759),
)

EXACT_MATCH_CAVEAT: Final = (
    "The published exact match is of OpenAI's own policies and data, which are not public: it says "
    "how hard several policies at once are, and cannot be compared with ours."
)
_OF_MODERATION: Final = (
    "The published F1 is of all 1,680 rows, with a policy that was made for this set and is not "
    "public, and takes a row for one decision. Ours is of the policies of this run: sexual content "
    "and violence have no shipped one. Rows of unknown label are left out, and a copy of the set "
    "may lack rows. Only `any policy` is near to it."
)
_OF_TOXICCHAT: Final = (
    "The published F1 is of the 5,083 rows of the test split, with a short policy that is not "
    "public; one rough policy of somebody else's scored 15 points less with the same model."
)


class Comparison(NamedTuple):
    """Published figures of a data set that this run has judged, too.

    Attributes:
        data: The form of the data set.
        figures: By model, the F1.
        caveat: What keeps them from being compared with ours.
    """

    data: str
    figures: tuple[tuple[str, float], ...]
    caveat: str


def published_for(form: str) -> Comparison | None:
    """The published figures of a form of data; None when there are none."""
    if form == Form.MODERATION:
        figures = tuple((it.model, it.moderation_f1) for it in FIGURES)
        return Comparison(form, figures, _OF_MODERATION)
    if form == Form.TOXICCHAT:
        figures = tuple((it.model, it.toxicchat_f1) for it in FIGURES)
        return Comparison(form, figures, _OF_TOXICCHAT)
    return None
