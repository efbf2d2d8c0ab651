"""librdkafka's mock cluster: three brokers in this process that can be told to fail.

The library is the one inside the wheel of `confluent-kafka`; its mock functions are called through
ctypes, for the Python binding offers none of them. It elects group leaders, moves partitions, goes
down, comes back and answers with errors, which the embedded broker cannot. What it is no use for:
transactions (an aborted record is shown) and anything that must outlive this process.

Some of its ways differ from a broker's. It takes a group for settled once the leader has dealt out,
and refuses the members that ask a moment later what they got; so leaders of this process wait that
moment. Every rebalance takes it the session timeout less a second, and commits are refused
meanwhile. It does not know a record again that an idempotent producer sends a second time.
"""

import asyncio
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import confluent_kafka
from aiokafka.consumer.group_coordinator import GroupCoordinator
from tests.conftest import Broker

# Keys of the protocol's requests.
PRODUCE: Final = 0
FETCH: Final = 1
OFFSET_COMMIT: Final = 8
JOIN_GROUP: Final = 11

# Settings of a group that rebalances within about a second.
QUICK_GROUP: Final = {"session_timeout_ms": 2_000, "heartbeat_interval_ms": 200}

# Error codes of the protocol.
TOO_LARGE: Final = 10
ILLEGAL_GENERATION: Final = 22
TOPIC_REFUSED: Final = 29
GROUP_REFUSED: Final = 30
OUT_OF_ORDER: Final = 45
UNKNOWN_PRODUCER: Final = 59

_PRODUCER: Final = 0
_POINTER, _TEXT, _NUMBER, _LONG = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int64
_ERROR_BYTES: Final = 512
_FOLLOWERS_ASK_WITHIN_S: Final = 0.3
_deal_out = GroupCoordinator._perform_assignment


async def _deal_out_late(coordinator: Any, response: Any) -> Any:
    await asyncio.sleep(_FOLLOWERS_ASK_WITHIN_S)
    return await _deal_out(coordinator, response)


class MockCluster:
    """A context manager; the brokers live as long as its block.

    Args:
        brokers: How many; their ids count from 1.
    """

    def __init__(self, brokers: int = 3) -> None:
        self._brokers = brokers
        self._client: Any = None
        self._cluster: Any = None

    def __enter__(self) -> Self:
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        conf = _function("rd_kafka_conf_new", _POINTER)()
        result = ctypes.create_string_buffer(_ERROR_BYTES)
        # Its own warnings, such as that this client knows no broker, go nowhere.
        _function("rd_kafka_conf_set", _NUMBER, _POINTER, _TEXT, _TEXT, _POINTER, ctypes.c_size_t)(
            conf, b"log_level", b"0", result, _ERROR_BYTES
        )
        self._client = _function(
            "rd_kafka_new", _POINTER, _NUMBER, _POINTER, _POINTER, ctypes.c_size_t
        )(_PRODUCER, conf, error, _ERROR_BYTES)
        assert self._client, error.value
        new = _function("rd_kafka_mock_cluster_new", _POINTER, _POINTER, _NUMBER)
        self._cluster = new(self._client, self._brokers)
        assert self._cluster
        # A group need not wait for members that may yet come.
        _function("rd_kafka_mock_group_initial_rebalance_delay_ms", None, _POINTER, _NUMBER)(
            self._cluster, 0
        )
        GroupCoordinator._perform_assignment = _deal_out_late
        return self

    def __exit__(self, *_: object) -> None:
        GroupCoordinator._perform_assignment = _deal_out
        _function("rd_kafka_mock_cluster_destroy", None, _POINTER)(self._cluster)
        _function("rd_kafka_destroy", None, _POINTER)(self._client)

    @property
    def broker(self) -> Broker:
        """Its address, as tests take it; see `QUICK_GROUP`."""
        bootstraps = _function("rd_kafka_mock_cluster_bootstraps", _TEXT, _POINTER)
        return Broker(bootstraps(self._cluster).decode())

    @property
    def ids(self) -> range:
        """The ids of its brokers."""
        return range(1, self._brokers + 1)

    def topic(self, name: str, partitions: int) -> None:
        """Make a topic."""
        self._call(
            "rd_kafka_mock_topic_create", (_TEXT, _NUMBER, _NUMBER), name.encode(), partitions, 1
        )

    def lead(self, topic: str, partition: int, broker: int) -> None:
        """Move the leader of a partition to a broker."""
        self._call(
            "rd_kafka_mock_partition_set_leader",
            (_TEXT, _NUMBER, _NUMBER),
            topic.encode(),
            partition,
            broker,
        )

    def coordinate(self, group: str, broker: int) -> None:
        """Move the coordinator of a group to a broker."""
        self._call(
            "rd_kafka_mock_coordinator_set",
            (_TEXT, _TEXT, _NUMBER),
            b"group",
            group.encode(),
            broker,
        )

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records of a partition before an offset, as retention does."""
        self._call(
            "rd_kafka_mock_partition_delete_records",
            (_TEXT, _NUMBER, _LONG),
            topic.encode(),
            partition,
            offset,
        )

    def down(self, *brokers: int) -> None:
        """Close the connections of brokers and take no new ones."""
        for broker in brokers:
            self._call("rd_kafka_mock_broker_set_down", (_NUMBER,), broker)

    def up(self, *brokers: int) -> None:
        """Let brokers take connections again; they still hold what they held."""
        for broker in brokers:
            self._call("rd_kafka_mock_broker_set_up", (_NUMBER,), broker)

    def answer(self, request: int, error: int, times: int) -> None:
        """Answer the next requests of a kind with an error."""
        errors = (_NUMBER * times)(*[error] * times)
        push = _function(
            "rd_kafka_mock_push_request_errors_array",
            None,
            _POINTER,
            ctypes.c_int16,
            ctypes.c_size_t,
            _POINTER,
        )
        push(self._cluster, request, times, errors)

    def relent(self, request: int) -> None:
        """Answer requests of a kind as they should be."""
        _function("rd_kafka_mock_clear_request_errors", None, _POINTER, ctypes.c_int16)(
            self._cluster, request
        )

    def _call(self, name: str, kinds: tuple[Any, ...], *values: object) -> None:
        code = _function(name, _NUMBER, _POINTER, *kinds)(self._cluster, *values)
        assert code == 0, f"{name}: {code}"


def _function(name: str, result: Any, *kinds: Any) -> Callable[..., Any]:
    function = _library()[name]
    function.restype, function.argtypes = result, kinds
    return function


def _library() -> ctypes.CDLL:
    beside = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    (found,) = beside.glob("librdkafka*.so*")
    return ctypes.CDLL(str(found))
