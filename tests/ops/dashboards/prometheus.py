"""A real Prometheus that scrapes what it is told, and its answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml
from tests.ops.fetched import tool

from afterguard.embedded.process import EmbeddedProcess, free_port, port_answers

RULES: Final = Path("deploy/prometheus")
SCRAPE_S: Final = 1
_ANSWER_S: Final = 20


class Series(NamedTuple):
    """One series of an answer.

    Attributes:
        labels: By name.
        points: Time and value; NaN is kept.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


class Prometheus(EmbeddedProcess):
    """An async context manager; the server lives as long as its block.

    Args:
        targets: What is scraped, once a second as job `afterguard`: address by instance.
        rules: Files of rules to load.
    """

    def __init__(self, targets: Mapping[str, str], rules: Sequence[Path] = ()) -> None:
        self._port = free_port()
        binary = str(tool("prometheus"))
        config = {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
            "rule_files": [str(it.resolve()) for it in rules],
            "scrape_configs": [
                {
                    "job_name": "afterguard",
                    "static_configs": [
                        {"targets": [address], "labels": {"instance": instance}}
                        for instance, address in targets.items()
                    ],
                }
            ],
        }

        def command(folder: Path) -> Sequence[str]:
            file = folder / "prometheus.yml"
            file.write_text(yaml.safe_dump(config), encoding="utf-8")
            return [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--enable-feature=exemplar-storage",
                "--log.level=warn",
            ]

        super().__init__("prometheus", command, lambda: port_answers(self._port))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def query(self, expr: str, at: float | None = None) -> list[Series]:
        """What an expression gives at one moment; now when `at` is absent."""
        answer = self.ask("query", query=expr, **({} if at is None else {"time": at}))
        if answer["resultType"] == "scalar":
            return [Series({}, _points([answer["result"]]))]
        return [Series(it["metric"], _points([it["value"]])) for it in answer["result"]]

    def query_range(self, expr: str, start: float, end: float, step_s: float) -> list[Series]:
        """What an expression gives from `start` to `end`, at every step."""
        answer = self.ask("query_range", query=expr, start=start, end=end, step=step_s)
        return [Series(it["metric"], _points(it["values"])) for it in answer["result"]]

    def exemplars(self, expr: str, start: float, end: float) -> list[dict[str, Any]]:
        """The exemplars of an expression's series: `labels`, `value` and `timestamp` of each."""
        answer = self.ask("query_exemplars", query=expr, start=start, end=end)
        return [exemplar for it in answer for exemplar in it["exemplars"]]

    def ask(self, what: str, **parameters: Any) -> Any:
        """An answer of the HTTP API, below `/api/v1/`.

        Raises:
            AssertionError: The server refused the question; quotes what it says.
        """
        url = f"{self.url}/api/v1/{what}?{urlencode(parameters)}"
        try:
            with urlopen(url, timeout=_ANSWER_S) as response:
                return json.load(response)["data"]
        except HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None


def rule_files() -> list[Path]:
    """The rules that are shipped; the folder also holds examples that are none."""
    return [
        it
        for it in sorted(RULES.glob("*.y*ml"))
        if "groups" in (yaml.safe_load(it.read_text(encoding="utf-8")) or {})
    ]


def _points(values: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in values]
