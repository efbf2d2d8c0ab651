"""Policy documents that tests change to make their point."""

from pathlib import Path

PATH = Path("policies/queue.md")

FRONT = """\
id: queue
title: Jumping the queue
owner: front-desk
uncertain: [0.3, 0.7]
rules:
  - {id: Q1, title: Pushing in, severity: low, action: label}
  - {id: Q2, title: Selling places, severity: high, action: remove}
"""

BODY = """\
## Instruction

Decide whether the author jumps the queue. Precedence: Q2 before Q1, the gravest first.

## Definitions

- **Queue**: people who wait in an order.

## Criteria

### Violates

- Q1: pushes in before others.
- Q2: sells a place.

### Does not violate

- Asking politely, or telling a story about a queue.

## Examples

- "Move, I go first." Violates Q1.
- "Places three and four, ten each." Violates Q2.
- "May I go first, my train leaves." No violation: asks.
- "Ein Platz vorn, fünf Euro!" Violates Q2.
"""


def document(front: str = FRONT, body: str = BODY) -> str:
    """A whole document; a valid one when nothing is changed."""
    return f"---\n{front}---\n\n{body}"
