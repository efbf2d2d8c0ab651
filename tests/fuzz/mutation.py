"""Hostile changes to valid samples: a parser's faults lie near what it accepts."""

from random import Random

CONTROL_TOKENS = (
    "<|start|>",
    "<|end|>",
    "<|channel|>final<|message|>",
    "<|return|>",
    "<|im_start|>",
    "</think>",
    "<s>",
    "[INST]",
)
ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "\x1b[2J",
    "\ufeff",
    "\u0085\u2028\u2029",
    "\u202e\u200d\u00ad",
    "e\u0301\u0327",
    "\uffff",
    "\U0010ffff",
    "👩‍👩‍👧‍👦",
    "''\"\"\\",
    "%s{}$(x)`x`",
    "null",
    "NaN",
    "-Infinity",
    *CONTROL_TOKENS,
)
ODD_BYTES = (
    b"\x00",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\xe2\x82",
    b"\r",
    b"\r\n",
    b"\t",
    b"\\u",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\u0000",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
)
NUMBERS = (
    "0",
    "-0",
    "1e400",
    "-1e400",
    "1e-400",
    "1" * 400,
    "-" + "9" * 5_000,
    "0.1e+1_000",
    "9223372036854775808",
    "00",
    "1.",
    ".5",
    "0x10",
    "1E5",
    "NaN",
    "Infinity",
)


def text(random: Random) -> str:
    """A text of odd pieces, now and then a long one."""
    pieces = [random.choice(ODD_TEXTS) for _ in range(random.randint(0, 4))]
    if random.random() < 0.02:
        pieces.append(random.choice("aé漢\U0001f600 \n") * random.randint(1_000, 20_000))
    return "".join(pieces)


def mutated(random: Random, data: bytes) -> bytes:
    """The data with a few changes; often none."""
    for _ in range(random.choice((0, 0, 0, 0, 1, 1, 1, 2, 5, 20))):
        data = _once(random, data)
    return data


def _once(random: Random, data: bytes) -> bytes:  # noqa: PLR0911 (one change a line)
    at = random.randint(0, len(data))
    to = min(len(data), at + random.choice((1, 1, 2, 8, 64, 512)))
    match random.randrange(9):
        case 0:
            return data[:at]
        case 1:
            return data[at:]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:at] + random.choice(ODD_BYTES) + data[at:]
        case 4:
            return data[:at] + random.choice(ODD_TEXTS).encode() + data[to:]
        case 5:
            flipped = bytes(byte ^ (1 << random.randrange(8)) for byte in data[at:to])
            return data[:at] + flipped + data[to:]
        case 6:
            return data[:at] + data[at:to] * random.choice((2, 3, 50)) + data[to:]
        case 7:
            other = random.randint(0, len(data))
            return data[:at] + data[other : other + (to - at)] + data[at:]
    return data[:at] + random.choice(NUMBERS).encode() + data[to:]
