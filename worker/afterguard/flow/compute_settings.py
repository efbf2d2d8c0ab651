"""The settings `judging.compute`."""

from pydantic import BaseModel, ConfigDict, Field


class ComputeSettings(BaseModel):
    """What judging may cost. All of it counts for one worker, from its start."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    tokens_per_hour: int | None = Field(
        default=None,
        gt=0,
        description="Budget of this worker, in tokens that are read anew or written; those of the "
        "prefix cache cost nothing. None for no limit.",
    )
    engine_seconds_per_hour: float | None = Field(
        default=None,
        gt=0,
        le=3_600,
        description="Budget of this worker, in seconds in which its engine is busy. Of two budgets "
        "the one nearer its end counts. None for no limit.",
    )
    step_down_from: float = Field(
        default=0.7,
        gt=0,
        lt=1,
        description="Share of the budget at which backfill gets no second look any more; the "
        "further steps follow evenly, up to the whole budget.",
    )
    shed_live: bool = Field(
        default=False,
        description="Whether live events are shed, too, once all of the budget is spent. Otherwise "
        "they are judged at low effort, whatever it costs.",
    )
    platform_tokens_per_hour: float | None = Field(
        default=None,
        gt=0,
        description="What all of the platform's models use in an hour, this worker's included, "
        "counted as above: the whole of which `safety_compute_share` is the part.",
    )
    platform_engine_seconds_per_hour: float | None = Field(
        default=None,
        gt=0,
        description="The same in seconds of engines like this worker's.",
    )

    @property
    def limited(self) -> bool:
        """Whether there is any budget."""
        return self.tokens_per_hour is not None or self.engine_seconds_per_hour is not None
