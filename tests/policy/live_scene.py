"""A folder of policies, a store beside it that can be switched off, and what is live of them."""

from pathlib import Path
from typing import Any

from tests.policy.documents import PATH
from tests.policy.releases import text

from afterguard.contracts.errors import StateUnavailable
from afterguard.contracts.policies import Policy
from afterguard.policy.document import parse_policy
from afterguard.policy.live import LivePolicies
from afterguard.policy.registry import PolicyRegistry
from afterguard.policy.store import Change, Release, StoreState
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.telemetry.metrics import Metrics


class UnsteadyStore(FolderPolicyStore):
    """A store that can be switched off, to inject that fault; nothing else about it is unreal."""

    away = False

    async def state(self) -> StoreState:
        self._unless_away()
        return await super().state()

    async def document(self, policy_id: str, version: str) -> Release | None:
        self._unless_away()
        return await super().document(policy_id, version)

    def _unless_away(self) -> None:
        if self.away:
            raise StateUnavailable("switched off")


def policy(number: int = 0, policy_id: str = "queue", **front: str) -> Policy:
    return parse_policy(text(number, policy_id, **front), PATH)


class Scene:
    """A folder with two policies, a store beside it, and what is live.

    Args:
        folder: Where the store stands.
        documents: Of the folder; of the number 0.
    """

    def __init__(self, folder: Path, *documents: Policy, **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.metrics, self.now = folder, Metrics(), 0.0
        self.store = UnsteadyStore(folder, poll_s=0.01)
        self.live = LivePolicies(
            PolicyRegistry(documents or (policy(0), policy(0, "tickets"))),
            self.metrics,
            store=self.store,
            clock=lambda: self.now,
            **options,
        )

    async def change(self, wish: Change) -> None:
        """Change the store; nobody else does."""
        await self.store.change(wish, expected=(await self._really()).revision)

    async def follow(self) -> None:
        """Let what is live follow the store."""
        await self.live.apply(await self.store.state())

    async def _really(self) -> StoreState:
        return await FolderPolicyStore(self.folder).state()

    @property
    def in_force(self) -> list[tuple[str, str]]:
        return [(it.id, it.version) for it in self.live.registry.policies]

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"afterguard_{name}", labels)
