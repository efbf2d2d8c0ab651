"""The connection to Redis or Valkey, and leaving it alone for a while after a fault."""

from collections.abc import Callable
from time import monotonic

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from afterguard.contracts.errors import SettingsError
from afterguard.state.settings import RedisSettings
from afterguard.telemetry.metrics import Metrics


def connect(settings: RedisSettings) -> Redis:
    """A client; connects at its first command.

    Raises:
        SettingsError: `redis.url` cannot be read as a Redis address.
    """
    if settings.url is None:
        raise SettingsError(["redis.url: needed here"])
    try:
        return Redis.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            # The circuit decides when to try again; a retry inside a call would outlast its time.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise SettingsError(
            ["redis.url: must look like redis://user:password@host:6379/0 (or rediss://)"]
        ) from None


async def ping(settings: RedisSettings) -> str | None:
    """What is wrong with the server, in a few words without credentials; None when it answers."""
    client = connect(settings)
    try:
        await client.ping()
    except (RedisError, OSError, TimeoutError) as error:
        return type(error).__name__
    finally:
        await client.aclose()
    return None


class Circuit:
    """Open after a fault: nobody waits for a Redis that does not answer.

    Args:
        retry_after_s: How long it stays open.
        metrics: Shows whether it is open.
        clock: Monotonic seconds.
    """

    def __init__(
        self, retry_after_s: float, metrics: Metrics, clock: Callable[[], float] = monotonic
    ) -> None:
        self._retry_after_s, self._metrics, self._clock = retry_after_s, metrics, clock
        self._open_until: float | None = None

    @property
    def away(self) -> bool:
        """Whether the last call failed and nothing has succeeded since."""
        return self._open_until is not None

    @property
    def passes(self) -> bool:
        """Whether a call may be tried now."""
        return self._open_until is None or self._clock() >= self._open_until

    def failed(self) -> None:
        """A call failed."""
        self._open_until = self._clock() + self._retry_after_s
        self._metrics.redis_away.set(1)

    def succeeded(self) -> None:
        """A call succeeded."""
        if self._open_until is not None:
            self._open_until = None
            self._metrics.redis_away.set(0)
