"""Documents that are nearly policies, some of them exactly."""

from random import Random

from tests.fuzz.mutation import NUMBERS, mutated, text
from tests.policy.documents import BODY, FRONT, document

_YAML = (
    "!!python/object/apply:os.system ['true']",
    "!!python/name:os.system",
    "!!binary aGk=",
    "!!set {a, b}",
    "!!timestamp 2001-12-14",
    "!!float .nan",
    "!!int 0o17",
    "!!str",
    "!<tag:yaml.org,2002:map> {}",
    "!local x",
    "! x",
    "&a [*a, *a]",
    "&a {b: *a}",
    "*nobody",
    "<<: {id: other}",
    "? [a, b]\n: c",
    "? {a: b}\n: c",
    "? ",
    ": x",
    "{a, b}: c",
    "|\n  block",
    ">-\n  folded",
    "|9\n x",
    "'open",
    '"open',
    '"\\x41\\uD800\\U0010FFFF\\z"',
    "# only a remark",
    "- - - -",
    "[[[[[[[[[[[[",
    "{{{{{{{{",
    "~",
    "yes",
    "12:30",
    "2026-01-05",
    "@at",
    "`tick",
    "%percent",
    "...",
    "---",
    "\t",
)
_HEADS = ("%YAML 1.2\n--- ", "%YAML 9.9\n", "%TAG ! tag:x,2000:\n--- ", "\ufeff", "# x\n", "\n\n")
_FIELDS = (
    *("id", "title", "owner", "rules", "applies_to", "effort", "threshold", "uncertain"),
    *("fallback_action", "stage", "lane", "body", "version", "nonsense", "<<"),
)
_PATTERNS = ("[!", "**", "a" * 3_000 + "*", "[z-a]", "*" * 60 + "x", "\\")


def policy_input(random: Random) -> bytes:
    """One document."""
    match random.randrange(1_000):
        case 0:
            return document(FRONT, BODY * 300).encode()
        case 1 | 2 | 3:
            return _bomb(random)
        case number if number < 40:
            return random.randbytes(random.randint(0, 300))
    front = FRONT
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        front = _changed(random, front)
    body = BODY
    if random.random() < 0.4:
        lines = body.splitlines(keepends=True)
        random.shuffle(lines)
        body = "".join(lines[: random.randint(0, len(lines))]) + text(random)
    data = document(front, body).encode("utf-8", "surrogatepass")
    return mutated(random, data)


def _changed(random: Random, front: str) -> str:
    if random.random() < 0.1:
        return random.choice(_HEADS) + front
    lines = front.splitlines()
    at = random.randint(0, len(lines))
    match random.randrange(5):
        case 0:
            lines.insert(at, f"{random.choice(_FIELDS)}: {_value(random)}")
        case 1:
            lines.insert(at, random.choice(_YAML))
        case 2 if lines:
            name = lines.pop(min(at, len(lines) - 1)).partition(":")[0]
            lines.insert(at, f"{name}: {_value(random)}")
        case 3:
            pattern = random.choice(_PATTERNS)
            lines.append(f"applies_to: {{tenants: ['{pattern}'], kinds: [{_value(random)}]}}")
        case _:
            lines.append(f"  - {{id: {_value(random)}, title: {_value(random)}}}")
    return "\n".join(lines) + "\n"


def _value(random: Random) -> str:
    match random.randrange(4):
        case 0:
            return random.choice(_YAML)
        case 1:
            return random.choice(NUMBERS)
        case 2:
            return text(random).replace("\n", " ")
    return random.choice(("hate", "H1", "active", "low", "[0.2, 0.8]", "[nan, .inf]", "0.5", "[]"))


def _bomb(random: Random) -> bytes:
    deep = random.choice((9, 100, 3_000))
    bombs = (
        "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a]\n" for n in range(30)),
        "a: " + "[" * deep + "]" * deep + "\n",
        "a: " + "{a: " * deep + "\n",
        "".join(" " * n + "a:\n" for n in range(min(deep, 300))),
        "- " * deep + "x\n",
        "".join(f"k{n}: {n}\n" for n in range(deep)),
        "a: '" + "x" * 250_000 + "'\n",
        "id: x\n" * deep,
    )
    return document(random.choice(("", FRONT)) + random.choice(bombs)).encode()
