"""A policy as data; its document form is read by `afterguard.policy`."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from afterguard.contracts.words import Action, Effort, Kind, Lane, Role, Severity

ID_PATTERN: Final = r"^[a-z][a-z0-9-]{1,63}$"

PolicyId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,7}[0-9]$")]
# Titles stand in the model's prompt, where a second line would be text of its own.
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=120, pattern=r"^[^\r\n]*$"),
]
PrimaryLanguage = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,8}$")]
Pattern = Annotated[str, StringConstraints(min_length=1)]
# It is the name of a folder, too.
ClassifierName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


def _rising(band: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= band[0] < band[1] <= 1:
        raise ValueError("must be two rising numbers from 0 to 1")
    return band


Band = Annotated[tuple[float, float], AfterValidator(_rising)]


class Stage(StrEnum):
    """Whether verdicts of this policy are acted upon."""

    SHADOW = "shadow"
    ACTIVE = "active"


class Rule(BaseModel):
    """One rule that a verdict may cite."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RuleId
    title: Title
    severity: Severity
    action: Action
    category: str | None = Field(
        default=None, description="Reported category; the policy's id when absent."
    )


class AppliesTo(BaseModel):
    """Which events a policy judges. An empty list means: all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = ()
    roles: tuple[Role, ...] = ()
    tenants: tuple[Pattern, ...] = Field(
        default=(), description="Shell patterns, such as `game-*`; an event without one never fits."
    )
    channels: tuple[Pattern, ...] = Field(
        default=(),
        description="Shell patterns, such as `lobby-*`; an event without one never fits.",
    )
    languages: tuple[PrimaryLanguage, ...] = Field(
        default=(), description="Such as `pt`; an event whose language is unknown fits."
    )


class SecondLook(BaseModel):
    """When the model is asked once more, to reason for longer.

    It always is when the first answer leaves the outcome uncertain.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    effort: Effort = Effort.HIGH
    band: Band | None = Field(
        default=None, description="First scores inside this band are looked at again."
    )
    severity: Severity | None = Field(
        default=None, description="A cited rule of at least this severity is looked at again."
    )


class JudgedBy(StrEnum):
    """Who decides under a policy."""

    MODEL = "model"
    CLASSIFIER = "classifier"


class Prefilter(BaseModel):
    """A fitted classifier that keeps what it takes for harmless from the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classifier: ClassifierName
    target_recall: float = Field(
        default=0.99,
        gt=0,
        lt=1,
        description="Of all violations, the share that must reach the model. A worker refuses a "
        "classifier whose recall on held-out data has a lower bound under it.",
    )


class DedicatedClassifier(BaseModel):
    """A fitted classifier that decides in the model's place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClassifierName
    target_precision: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="Of all that it calls a violation, the share that must be one. Its threshold "
        "is the lowest at which held-out data bear that out.",
    )
    rule: RuleId | None = Field(
        default=None, description="The rule that its violations cite; none when absent."
    )


class Policy(BaseModel):
    """A written policy, ready to be judged under."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: PolicyId
    title: Title
    owner: str = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1, max_length=40)
    applies_to: AppliesTo = AppliesTo()
    effort: Effort = Effort.LOW
    second_look: SecondLook | None = Field(
        default=None,
        description="When the model is asked again at a higher effort; never when absent.",
    )
    threshold: float = Field(
        default=0.5, gt=0, lt=1, description="P(violation) from which it is a violation."
    )
    uncertain: Band | None = Field(
        default=None, description="Scores inside this band go to a person."
    )
    fallback_action: Action = Field(
        default=Action.ESCALATE,
        description="For a violation that cites no rule of this policy.",
    )
    on_expiry: Action | None = Field(
        default=None,
        description="For an event that was not judged in time; as the settings say when absent.",
    )
    prefilter: Prefilter | None = Field(
        default=None,
        description="A classifier that is asked before the model; none when absent.",
    )
    judge: JudgedBy = Field(
        default=JudgedBy.MODEL, description="Who decides: the model, or a fitted classifier."
    )
    classifier: DedicatedClassifier | None = Field(
        default=None, description="With `judge: classifier`: which one, and how sure it must be."
    )
    stage: Stage = Stage.ACTIVE
    lane: Lane | None = Field(default=None, description="Overrides the lane of the event.")
    body: str = Field(description="What the model reads: instruction, definitions, criteria, ...")
    version: str = Field(description="First 16 hex digits of the normalised document's SHA-256.")

    @field_validator("second_look")
    @classmethod
    def _second_look_is_longer(
        cls, look: SecondLook | None, info: ValidationInfo
    ) -> SecondLook | None:
        first = info.data.get("effort")
        if look is not None and first is not None and look.effort.rank <= first.rank:
            raise ValueError(f"its effort must be higher than `effort`, which is {first.value}")
        return look

    @field_validator("classifier")
    @classmethod
    def _rule_is_ours(
        cls, classifier: DedicatedClassifier | None, info: ValidationInfo
    ) -> DedicatedClassifier | None:
        rules = info.data.get("rules")
        cited = classifier.rule if classifier else None
        if cited is not None and rules and cited not in {rule.id for rule in rules}:
            raise ValueError(f"its rule {cited} is none of this policy")
        return classifier

    @model_validator(mode="after")
    def _one_decides(self) -> Self:
        by_classifier = self.judge is JudgedBy.CLASSIFIER
        if by_classifier and self.classifier is None:
            raise ValueError("`judge: classifier` needs `classifier: {name: ...}`")
        if self.classifier is not None and not by_classifier:
            raise ValueError("`classifier` has no meaning without `judge: classifier`")
        if self.prefilter is not None and by_classifier:
            raise ValueError("`prefilter` has no meaning with `judge: classifier`")
        return self

    @property
    def handle(self) -> str:
        """Tells policies that are judged side by side apart: a shadow names its version too."""
        return handle_of(self.id, self.version, shadow=self.shadow)

    @property
    def shadow(self) -> bool:
        """Whether verdicts of this policy are written down and never acted upon."""
        return self.stage is Stage.SHADOW

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, or None when the policy has no such rule."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


def handle_of(policy_id: str, version: str | None, *, shadow: bool) -> str:
    """See `Policy.handle`; for those who have a verdict and not its policy."""
    return f"{policy_id}@{version}" if shadow else policy_id
