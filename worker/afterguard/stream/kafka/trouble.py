"""Trouble: what a client of Kafka does not get out of by itself."""

from time import monotonic
from typing import NamedTuple

from afterguard.contracts.errors import StreamUnavailable
from afterguard.stream.kafka.membership import Membership
from afterguard.stream.kafka.watch import BrokerWatch
from afterguard.stream.outcast import Outcast
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings


class Trouble(NamedTuple):
    """What a new client mends.

    Attributes:
        reason: One word, for a metric.
        told: For a person.
    """

    reason: str
    told: str


def trouble(
    settings: KafkaSettings,
    membership: Membership,
    watch: BrokerWatch,
    outcast: Outcast,
    cut_off: Partition | None,
) -> Trouble | None:
    """What is wrong now and would stay wrong; None when nothing is.

    Args:
        settings: How long to wait for what.
        membership: The client's time in the group.
        watch: Knows whether a broker answers and whether what we read moves.
        outcast: Knows whether the group refuses us.
        cut_off: A partition that ends before what was read of it.

    Raises:
        StreamUnavailable: No new client would mend it.
    """
    away_s = settings.away_timeout_s
    if watch.silent_s > away_s:
        raise StreamUnavailable(
            f"no broker has answered for kafka.away_timeout_s={away_s:g} s; "
            f"kafka.bootstrap_servers={settings.bootstrap_servers} may be gone"
        )
    if membership.joining_since is not None:
        if monotonic() - membership.joining_since > away_s:
            raise StreamUnavailable(
                f"the group {settings.group_id!r} has dealt out no partitions for "
                f"kafka.away_timeout_s={away_s:g} s"
            )
        return None
    if watch.stalled:
        where = ", ".join(str(it) for it in watch.stalled)
        stall_s = settings.stall_timeout_s
        return Trouble(
            "stalled", f"{where}: there is more to read, and none came for {stall_s:g} s"
        )
    if outcast.certain:
        return Trouble("refused", "the group refuses every commit and takes no partition away")
    if cut_off is not None:
        return Trouble("cut_off", f"{cut_off} ends before what was read of it")
    return None
