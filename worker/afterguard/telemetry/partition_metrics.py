"""The metrics of partitions as objects: series of each partition that is ours, and no other."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from prometheus_client import Counter, Gauge

from afterguard.contracts.words import Lane

UNREAD: Final = "unread"
"""What stands in the label `lane` for records that are not taken in yet."""

LANES: Final = (*(lane.value for lane in Lane), UNREAD)


class PartitionMetrics:
    """How far each partition is.

    Args:
        made: The metrics of `stream_metric_list` and `room_metric_list`, by name.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self.lag_records: Gauge = made["lag_records"]
        self.oldest_unsettled_seconds: Gauge = made["oldest_unsettled_seconds"]
        self.committed_offset: Gauge = made["committed_offset"]
        self.admitted: Gauge = made["partition_admitted"]
        self.settled: Gauge = made["partition_settled"]
        self.in_flight: Gauge = made["partition_in_flight"]
        self._oldest_unjudged: Gauge = made["oldest_unjudged_seconds"]
        self._skipped: Counter = made["records_skipped_by_retention_total"]
        self._shown: AbstractSet[tuple[str, int]] = frozenset()

    def oldest_unjudged(self, topic: str, partition: int, ages_s: Mapping[str, float]) -> None:
        """Show the age of the oldest event that has no verdict, by lane; 0 for lanes not named."""
        for lane in LANES:
            self._oldest_unjudged.labels(topic, partition, lane).set(ages_s.get(lane, 0.0))

    def keep(self, held: AbstractSet[tuple[str, int]]) -> None:
        """Drop the series of all partitions but these, by topic and number."""
        for partition in held - self._shown:
            # From 0, or an increase would not see the first loss.
            self._skipped.labels(*partition)
        for topic, number in self._shown - held:
            for gauge in (
                self.lag_records,
                self.oldest_unsettled_seconds,
                self.committed_offset,
                self.admitted,
                self.settled,
                self.in_flight,
            ):
                gauge.remove(topic, number)
            for lane in LANES:
                self._oldest_unjudged.remove(topic, number, lane)
        self._shown = frozenset(held)
