"""The card of a fitted classifier: `classifier.json`, what it is and what it promises."""

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from afterguard.contracts.policies import ClassifierName

FORM: Final = 1
CARD_FILE: Final = "classifier.json"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataCard(_Part):
    """What it was fitted on."""

    label: str = Field(description="What a violation is: a policy, a label, or any of several.")
    fingerprint: str = Field(description="SHA-256 over the texts and labels, in their order.")
    rows: Count
    texts: Count = Field(description="Distinct texts; equal ones never stand on both sides.")
    violations: Count
    unknown: Count = Field(description="Rows that say no violation of some labels and nothing of "
                           "others, counted as none.")  # fmt: skip
    left_out: Count = Field(description="Rows without a label, or too long to be read.")
    contradictions: Count = Field(description="Texts that stand there with both labels.")


class ThresholdCard(_Part):
    """A threshold, and how it held on rows that neither it nor the weights were chosen on."""

    target_recall: Share
    threshold: Share
    chosen_lower: Share = Field(description="The bound on the rows that it was chosen on.")
    violations: Count = Field(description="Held-out violations.")
    missed: Count
    recall: Share
    recall_lower: Share
    forwarded: Share = Field(description="Of the held-out rows, what the model would still see.")
    forwarded_in_hindsight: Share = Field(
        description="The same at the threshold that would have been best for just these rows; "
        "published figures are often of this kind."
    )
    needed: int | None = Field(
        description="Held-out violations that it takes to bear out the target, at this share of "
        "misses; null when no number will do."
    )

    @property
    def met(self) -> bool:
        """Whether the bound on held-out rows reaches the target."""
        return self.recall_lower >= self.target_recall


class CurvePoint(_Part):
    """What a threshold does as a judge, on rows that the weights were not fitted on."""

    threshold: Share
    precision: Share
    precision_lower: Share
    recall: Share
    flagged: Share


class ReliabilityBin(_Part):
    """Rows whose scores lie together: what they say, and what is true."""

    rows: Count
    score: Share
    violations: Share


class FiguresCard(_Part):
    """How good it is, on held-out rows."""

    roc_auc: Share
    pr_auc: Share
    brier: Share
    base_rate: Share
    reliability: tuple[ReliabilityBin, ...]
    texts_per_s: float = Field(ge=0, description="On the machine that fitted it, one thread.")


class CalibrationCard(_Part):
    """From a logit to a probability."""

    method: Literal["platt"] = "platt"
    slope: float = Field(gt=0)
    offset: float


class ProbeCard(_Part):
    """A text of ours and its score: what scores otherwise is another classifier."""

    text: str
    score: Share


class Card(_Part):
    """Everything that is said about one classifier."""

    form: Literal[1]
    name: ClassifierName
    version: str = Field(description="First 16 hex digits of a SHA-256 over all the rest.")
    enabled: bool = Field(description="Whether a threshold meets its target on held-out rows.")
    fitted_at: AwareDatetime
    data: DataCard
    folds: int = Field(ge=2)
    inner_folds: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)
    thresholds: tuple[ThresholdCard, ...]
    curve: tuple[CurvePoint, ...]
    figures: FiguresCard
    calibration: CalibrationCard
    probes: tuple[ProbeCard, ...]
    parts: dict[str, str] = Field(description="SHA-256 of each other file.")
    packages: dict[str, str]

    @property
    def reference(self) -> str:
        """Name and version, as verdicts carry them."""
        return f"{self.name}@{self.version}"

    def threshold_for_recall(self, target: float) -> ThresholdCard | None:
        """The threshold that forwards least of those whose bound reaches the target."""
        held = [it for it in self.thresholds if it.recall_lower >= target]
        return min(held, key=lambda it: it.forwarded, default=None)

    def point_for_precision(self, target: float) -> CurvePoint | None:
        """The lowest threshold whose bound on precision reaches the target."""
        held = [it for it in self.curve if it.precision_lower >= target]
        return min(held, key=lambda it: it.threshold, default=None)
