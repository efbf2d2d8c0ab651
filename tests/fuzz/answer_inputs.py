"""Texts that are nearly a model's output, some of them exactly."""

from random import Random

from tests.fuzz.mutation import CONTROL_TOKENS, NUMBERS, mutated, text

_ANSWERS = (
    '{"violation":0,"rules":[]}',
    '{"violation":1,"rules":["H1"]}',
    '{"violation":1,"rules":["H1","H2","H9"]}',
    '{"violation": true, "rule_ids": "H1, H2"}',
    '{"violation":"false"}',
    '{"violation":2}',
    '{"violation":null,"rules":null}',
    '{"violation":0,"violation":1}',
    '{"violation":1,"rules":[["H1"]]}',
    '{"rules":{"violation":1}}',
    '{"a":{"violation":1}}',
    '```json\n{"violation":1,"policy_category":"H2"}\n```',
    '{"violation":',
    '{"',
    "{",
    "}",
)
_AROUND = ("", "I think so.\n", "</think>", "Take that back. ", "\n\n", '"violation"', "`", "{}")
_HARMONY = (
    "<|channel|>analysis<|message|>",
    "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
    "<|channel|>final<|message|>",
    "<|return|>",
    "<|call|>",
)


def answer_input(random: Random) -> str:
    """One text."""
    if random.random() < 0.02:
        return _deep(random)
    if random.random() < 0.2:
        return random.choice(_AROUND) + random.choice(_ANSWERS)
    pieces: list[str] = []
    for _ in range(random.randint(1, 4)):
        pieces += [random.choice(_AROUND), random.choice(_ANSWERS)]
        if random.random() < 0.3:
            pieces.append(random.choice(_HARMONY))
        if random.random() < 0.2:
            pieces.append(f'{{"violation":{random.choice(NUMBERS)},"rules":["{text(random)}"]}}')
        if random.random() < 0.2:
            pieces.append(random.choice(CONTROL_TOKENS))
    if random.random() < 0.3:
        random.shuffle(pieces)
    data = mutated(random, "".join(pieces).encode("utf-8", "surrogatepass"))
    return data.decode("utf-8", random.choice(("replace", "surrogateescape")))


def _deep(random: Random) -> str:
    count = random.choice((20, 900, 1_100, 5_000))
    opened = random.choice(('{"a":', "[", '{"a":[', "{", '{"}', '{"violation":1}', '{"a":"}', "{ "))
    closed = random.choice(("", "}" * count, "]}" * count, '{"violation":0,"rules":[]}'))
    return opened * count + closed
