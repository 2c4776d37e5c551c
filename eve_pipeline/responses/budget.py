"""What a run spends, and which requests still fit `max_usd`; counted by all its threads together."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from threading import Lock

from eve_pipeline.errors import EveError
from eve_pipeline.responses.forecast import expected_usd
from eve_pipeline.vlms.protocol import Reply, Request
from eve_pipeline.vlms.registry import ModelEntry

ROUNDING = 1 + 1e-9  # ten times a tenth of the budget is the budget


@dataclass
class Account:
    """One model's part: USD of its replies that named a cost, how many those are, and its requests in flight."""

    forecast_usd: float = 0.0
    spent_usd: float = 0.0
    n_costed: int = 0
    n_in_flight: int = 0

    @property
    def expected_usd(self) -> float:
        """What a request is expected to cost: the mean of this run's replies, before there is one the forecast."""
        return self.spent_usd / self.n_costed if self.n_costed else self.forecast_usd


class Budget:
    """Counts replies and USD; admits a request while what was spent, what is in flight and the request itself fit in `max_usd`."""

    def __init__(self, max_usd: float | None = None) -> None:
        self.max_usd = max_usd
        self.n_replies = 0
        self.accounts: dict[str, Account] = defaultdict(Account)
        self.lock = Lock()

    @property
    def spent_usd(self) -> float:
        """USD of all replies so far."""
        return sum(account.spent_usd for account in self.accounts.values())

    def refuse_unpriced(self, entries: Iterable[ModelEntry]) -> None:
        """Raise `EveError` where there is a budget and an endpoint's entry has no prices; a local model costs nothing."""
        unpriced = {entry.key for entry in entries if entry.prices is None and entry.backend != "transformers"}
        if self.max_usd is not None and unpriced:
            raise EveError(
                f"What {', '.join(sorted(unpriced))} costs is not known",
                "Add prices to the entry (models.yaml of EVE_HOME), or leave out --max-usd.",
            )

    def expect(self, entry: ModelEntry, requests: list[Request]) -> None:
        """Learn what these requests are to cost on average, until replies tell."""
        if self.max_usd is not None:
            forecasts = [expected_usd(entry, request.prompt, request.width, request.height) or 0 for request in requests]
            with self.lock:
                self.accounts[entry.key].forecast_usd = fmean(forecasts)

    def admit(self, model: str) -> bool:
        """Return whether one more request to the model fits; if so it is in flight."""
        with self.lock:
            account = self.accounts[model]
            in_flight_usd = sum(other.n_in_flight * other.expected_usd for other in self.accounts.values())
            if self.max_usd is not None and self.spent_usd + in_flight_usd + account.expected_usd > self.max_usd * ROUNDING:
                return False
            account.n_in_flight += 1
            return True

    def settle(self, model: str, reply: Reply) -> None:
        """Count the reply to an admitted request; one that came without its cost is taken to cost what was expected."""
        with self.lock:
            account = self.accounts[model]
            account.n_in_flight -= 1
            self.n_replies += 1
            if reply.cost_usd is not None:
                account.spent_usd += reply.cost_usd
                account.n_costed += 1
            elif reply.delivery == "received":
                account.spent_usd += account.expected_usd
                account.n_costed += 1

    def release(self, model: str, n_requests: int) -> None:
        """Take back admitted requests that will get no reply."""
        with self.lock:
            self.accounts[model].n_in_flight -= n_requests
