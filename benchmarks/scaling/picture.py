"""docs/scaling.png: the simulation's figures as four plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.scaling.fleet import Moment
from benchmarks.scaling.outcome import Outcome
from benchmarks.scaling.scenarios import FORWARDED, GPUS, LOADS

_SHOWN = ("lag alone, 2,000 each", "as the chart: lag 285, age 30 s", "lag 285, one for each 30 s")


def draw(
    file: Path,
    loads: Sequence[Outcome],
    prefilters: Sequence[Outcome],
    autoscaled: Mapping[str, Sequence[Moment]],
) -> None:
    """Draw the picture.

    Args:
        file: Where to.
        loads: For each number of GPUs, each load.
        prefilters: For some numbers of GPUs, each share.
        autoscaled: For each autoscaler, what happened.
    """
    mpl.use("agg")
    figure, ((left, right), (pods, oldest)) = plt.subplots(2, 2, figsize=(11, 7.5))
    for number, gpus in enumerate(GPUS):
        part = loads[number * len(LOADS) : (number + 1) * len(LOADS)]
        left.plot(LOADS, [it.p99_s for it in part], marker="o", label=f"{gpus} GPUs")
    left.set(title="p99 from message to verdict", xlabel="messages a second", ylabel="seconds")
    for number, gpus in enumerate(GPUS[:2]):
        part = prefilters[number * len(FORWARDED) : (number + 1) * len(FORWARDED)]
        right.plot(
            [100 * it for it in FORWARDED],
            [it.p99_s for it in part],
            marker="o",
            label=f"{gpus} GPUs",
        )
    right.set(title="the same, 40 a second", xlabel="% that pass the prefilter", ylabel="seconds")
    for name in _SHOWN:
        moments = autoscaled[name]
        hours = [it.at_s / 3600 for it in moments]
        pods.step(hours, [it.pods for it in moments], label=name)
        oldest.plot(hours, [it.oldest_s for it in moments], label=name)
    pods.set(title="pods, autoscaled", xlabel="hours", ylabel="pods")
    oldest.set(title="age of the oldest unjudged", xlabel="hours", ylabel="seconds")
    for axes in (left, right, oldest):
        axes.set_yscale("symlog", linthresh=1)
    for axes in (left, right, pods, oldest):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle("Simulated: engines of 9.5 events a second; not measured on GPUs", fontsize=10)
    figure.tight_layout()
    figure.savefig(file, dpi=90)
    plt.close(figure)
