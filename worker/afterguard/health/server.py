"""The small server: `/livez` and `/readyz` for probes, `/metrics` for Prometheus, and controls."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry

from afterguard.contracts.errors import SettingsError
from afterguard.health.control import Control, handler
from afterguard.health.settings import HttpSettings
from afterguard.telemetry.exposition import page


class ProbeResult(NamedTuple):
    """What a probe found, and a few words about it."""

    ok: bool
    detail: str = ""


Probe = Callable[[], ProbeResult]


class HealthServer:
    """Serves probes, metrics and controls.

    Args:
        settings: Where to listen.
        live: By name; one that fails means: restart this worker.
        ready: By name; one that fails means: it does not work yet, or not now.
        registries: Their metrics are shown on one page; see `telemetry.exposition`.
        controls: Answered to loopback peers alone; see `health.control`.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        live: Mapping[str, Probe],
        ready: Mapping[str, Probe],
        registries: Sequence[CollectorRegistry],
        controls: Sequence[Control] = (),
    ) -> None:
        self._settings, self._live, self._ready = settings, live, ready
        self._registries, self._controls = registries, controls
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one that was found when 0 was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._settings.port
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: The address cannot be used; names `http.host` and `http.port`.
        """
        app = web.Application()
        app.router.add_get("/livez", lambda _: _answer(self._live))
        app.router.add_get("/readyz", lambda _: _answer({**self._live, **self._ready}))
        app.router.add_get("/metrics", self._metrics)
        for control in self._controls:
            app.router.add_route(control.method, control.path, handler(control, lambda: self.port))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self.stop()
            raise SettingsError(
                [f"http.host, http.port: cannot listen at {self._where}: {error.strerror}"]
            ) from None

    async def stop(self) -> None:
        """Listen no more. May be called more than once."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        # vLLM's histograms make this some milliseconds of work: not on the event loop.
        accept = ",".join(request.headers.getall("Accept", ()))
        shown = await asyncio.to_thread(page, self._registries, accept)
        return web.Response(body=shown.text, headers={"Content-Type": shown.content_type})


async def _answer(probes: Mapping[str, Probe]) -> web.Response:
    found = {name: probe() for name, probe in probes.items()}
    status = 200 if all(result.ok for result in found.values()) else 503
    return web.json_response(
        {name: {"ok": result.ok, "detail": result.detail} for name, result in found.items()},
        status=status,
    )
