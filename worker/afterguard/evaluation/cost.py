"""Cost: what a thousand events take in tokens, seconds and money, under said assumptions."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.results import Result

_MILLION = 1_000_000


class Prices(NamedTuple):
    """What judging is paid by; the currency is the reader's own.

    Attributes:
        gpu_hour: An hour of the engine.
        read: A million prompt tokens that are not in the prefix cache.
        cached: A million prompt tokens that are.
        written: A million output tokens.
    """

    gpu_hour: float | None = None
    read: float | None = None
    cached: float | None = None
    written: float | None = None

    @classmethod
    def of(cls, gpu_hour: float | None, tokens: str | None) -> Self:
        """The prices of `--gpu-hour-price` and `--token-prices`.

        Raises:
            SettingsError: The second is not three numbers of at least 0.
        """
        if tokens is None:
            return cls(gpu_hour)
        try:
            read, cached, written = (float(part) for part in tokens.split(","))
        except ValueError:
            read = cached = written = -1.0
        if not all(0 <= price < float("inf") for price in (read, cached, written)):
            raise SettingsError(
                [f"--token-prices {tokens}: must be three prices, such as 0.1,0.02,0.4"]
            )
        return cls(gpu_hour, read, cached, written)


class Cost(NamedTuple):
    """What a thousand events take.

    Attributes:
        prompt_tokens: Read, those from the prefix cache among them.
        cached_prompt_tokens: Read from the prefix cache.
        output_tokens: Written.
        seconds: Of the whole engine, at the rate of this run; None when it was not timed.
        by_hour: At the price of an hour; None without one.
        by_tokens: At the prices of tokens; None without them.
    """

    prompt_tokens: float
    cached_prompt_tokens: float
    output_tokens: float
    seconds: float | None
    by_hour: float | None
    by_tokens: float | None


def cost_per_thousand(
    results: Sequence[Result], events: int, prices: Prices, *, seconds: float, timed: int
) -> Cost | None:
    """What a thousand events take; None without any.

    Args:
        results: All of them.
        events: How many events they judge.
        prices: What is paid by.
        seconds: Of judging.
        timed: Events that were judged in these seconds.
    """
    if not events:
        return None
    scale = 1_000 / events
    read = sum(it.prompt_tokens for it in results) * scale
    cached = sum(it.cached_prompt_tokens for it in results) * scale
    written = sum(it.output_tokens for it in results) * scale
    took = seconds / timed * 1_000 if timed else None
    by_hour = took * prices.gpu_hour / 3_600 if took is not None and prices.gpu_hour else None
    by_tokens = None
    if prices.read is not None and prices.cached is not None and prices.written is not None:
        fresh = read - cached
        by_tokens = (
            fresh * prices.read + cached * prices.cached + written * prices.written
        ) / _MILLION
    return Cost(read, cached, written, took, by_hour, by_tokens)
