"""The chat event: what a platform sends."""

from typing import Annotated, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from afterguard.contracts.words import Kind, Lane, Role

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Author(BaseModel):
    """Who wrote the content."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Identifier
    role: Role = Role.USER


class Turn(BaseModel):
    """One message of a whole conversation."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Role
    text: str
    author_id: str | None = None


class ChatEvent(BaseModel):
    """One thing that was said, and who may be acted upon.

    Unknown fields are ignored and counted, so that producers may add fields before the worker
    knows them.
    """

    model_config = ConfigDict(
        extra="allow", title="ChatEvent", json_schema_extra={"additionalProperties": True}
    )

    event_id: Identifier = Field(description="Chosen by the producer; stable over re-sends.")
    occurred_at: AwareDatetime = Field(description="When it was said, with a time zone.")
    kind: Kind
    conversation_id: Identifier
    author: Author
    content: str | list[Turn] = Field(
        description="The text; for `conversation`, its turns in order."
    )
    target: JsonValue = Field(
        default=None,
        description="Opaque: handed back untouched so that the platform knows what to act on.",
    )
    tenant: Identifier | None = None
    channel_id: Identifier | None = None
    language: Annotated[str, StringConstraints(max_length=35)] | None = Field(
        default=None, description="BCP 47 tag, such as `en` or `pt-BR`."
    )
    lane: Lane | None = None
    deadline: AwareDatetime | None = Field(
        default=None, description="A verdict after this moment is of no use."
    )
    policies: list[Identifier] | None = Field(
        default=None, description="Judge under these policies only."
    )
    sequence: int | None = Field(default=None, ge=0, description="Position of a chunk.")

    @model_validator(mode="after")
    def _shape_follows_kind(self) -> Self:
        if (self.kind is Kind.CONVERSATION) is isinstance(self.content, str):
            wanted = "turns" if self.kind is Kind.CONVERSATION else "text"
            # The code is all that a rejection tells.
            raise PydanticCustomError(
                f"{self.kind.value}_needs_{wanted}", "content is of the other shape"
            )
        return self

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to read: no text, or white space alone."""
        if isinstance(self.content, str):
            return not self.content or self.content.isspace()
        return all(not turn.text.strip() for turn in self.content)
