"""Images through an OpenAI-compatible server: this project, the bare `openai` client loop, inspect_ai and lmms-eval, in one run.

By default a stub server answers after 0.2 s about drawn images. With --fault-rate, clean and faulty runs are compared; with
--max-in-flight, the server refuses more requests at once than that.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

from api_contenders import CELL, Home, Measured, bare, eve_run, ours, peers, stored
from api_photographs import write_photographs
from api_server import OWN, Server, serving

from eve_pipeline.responses.answering import answer_cell

OF_LIMIT, OF_BARE, BARE_IS_SLOW = 1.2, 1.05, 1.14
AROUND_ASKING_S = 5.0
OF_CLEAN, WASTED, NEAR = 2.3, 0.10, 0.25


class Benchmark:
    """One run of the script: its options, its images, and whether all targets were reached."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.files = write_photographs(folder / "images", options.n, options.images)
        self.home = Home(folder, folder / "images")
        self.all_reached = True
        kilobytes = sum(map(os.path.getsize, self.files)) / options.n / 1000
        images = f"{options.n} images, {kilobytes:.0f} kB on average"
        print(f"{images}, {options.in_flight} in flight, {options.latency * 1000:.0f} ms, {options.server.name}, {os.cpu_count()} cores")

    def limit_s(self, in_flight: int | None = None) -> float:
        """Return the seconds that no client can beat."""
        return float(self.options.n * self.options.latency / (in_flight or self.options.in_flight))

    def target(self, text: str, *, is_reached: bool) -> None:
        """Print a target, and remember a missed one."""
        self.all_reached &= is_reached
        print(f"  target {text}{'' if is_reached else '   MISSED'}")

    def line(self, name: str, seconds: float, our_seconds: float, note: str = "") -> None:
        """Print a contender's line."""
        ratios = f"{seconds / self.limit_s():6.2f} x the limit   {seconds / our_seconds:5.2f} x ours"
        print(f"{name:<26}{seconds:7.2f} s {ratios}   {note}".rstrip())

    def ask(self, server: Server) -> tuple[Measured, dict[str, int]]:
        """Ask with this project in a fresh home, which must then hold every response, and count the answers' statuses."""
        settings = self.home.copy(server, self.options.in_flight)
        measured = ours(settings, server)
        keys = stored(settings)["request_key"].n_unique()
        if keys != self.options.n:
            raise SystemExit(f"{keys} of {self.options.n} responses are stored")
        statuses = answer_cell(CELL, settings)["status"].value_counts().sort("count", descending=True)
        return measured, dict(statuses.iter_rows())

    def clean(self) -> float:
        """Compare all contenders on a server without faults."""
        with serving(self.options.server, self.options.latency) as server:
            bare(self.files[: self.options.in_flight], server, self.options.in_flight)
            ours(self.home.copy(server, self.options.in_flight), server, limit=self.options.in_flight)
            rounds = [(bare(self.files, server, self.options.in_flight), *self.ask(server)) for _ in range(self.options.rounds)]
            loop_s, our_s = median(loop.seconds for loop, *_ in rounds), median(ask.seconds for _, ask, _ in rounds)
            print(f"{'limit':<26}{self.limit_s():7.2f} s")
            self.line("bare openai loop", loop_s, our_s, f"nothing stored; {_seconds(loop for loop, *_ in rounds)}")
            _, (_, seen), statuses = rounds[-1]
            note = f"all stored: {_listed(statuses)}; {seen.requests} requests, at most {seen.peak} in flight"
            self.line("ours", our_s, our_s, f"{note}; {_seconds(ask for _, ask, _ in rounds)}")
            self.whole("eve run", eve_run(self.home.copy(server, self.options.in_flight), server), our_s, AROUND_ASKING_S)
            for name, measured in peers(self.folder, self.options.peers, self.files, server, self.options.in_flight):
                if isinstance(measured, str):
                    print(f"{name:<26}{measured}")
                else:
                    self.whole(name, measured, our_s)
        of_limit, of_bare = our_s / self.limit_s(), our_s / loop_s
        is_reached = of_limit <= OF_LIMIT or (loop_s / self.limit_s() > BARE_IS_SLOW and of_bare <= OF_BARE)
        text = f"<= {OF_LIMIT} x the limit, or <= {OF_BARE} x a bare loop above {BARE_IS_SLOW} x: {of_limit:.2f}, {of_bare:.2f} x the loop"
        self.target(text, is_reached=is_reached)
        return of_limit

    def whole(self, name: str, measured: Measured, our_s: float, around_s: float | None = None) -> None:
        """Print what a command took to ask, and from start to end."""
        asking_s = measured.seen.asking_s
        self.line(f"{name}, asking", asking_s, our_s, f"{measured.seen.requests} requests, at most {measured.seen.peak} in flight")
        self.line(f"{name}, start to end", measured.seconds, our_s, f"+ {measured.seconds - asking_s:.1f} s")
        if around_s is not None:
            self.target(f"start to end <= asking + {around_s:.0f} s", is_reached=measured.seconds <= asking_s + around_s)

    def faulty(self) -> float:
        """Compare clean and faulty runs; every image must end with a final status."""
        ratios, seconds = [], []
        for seed in range(self.options.rounds):
            with serving(self.options.server, self.options.latency) as server:
                clean, _ = self.ask(server)
            with serving(self.options.server, self.options.latency, self.options.fault_rate, seed) as server:
                faulty, statuses = self.ask(server)
            seconds.append(faulty.seconds)
            ratios.append(faulty.seconds / clean.seconds)
            times = f"clean {clean.seconds:.2f} s   faulty {faulty.seconds:.2f} s   ratio {ratios[-1]:.2f}"
            print(f"{times}   {faulty.seen.requests} requests   {_listed(statuses)}")
            self.all_final(statuses)
        self.target(f"faulty <= {OF_CLEAN} x clean: {median(ratios):.2f}", is_reached=median(ratios) <= OF_CLEAN)
        return median(seconds) / self.limit_s()

    def capped(self) -> float:
        """Ask a server that refuses more than so many requests at once."""
        cap, ratios, wasted, settled = self.options.max_in_flight, [], [], []
        for _ in range(self.options.rounds):
            with serving(self.options.server, self.options.latency, max_in_flight=cap) as server:
                measured, statuses = self.ask(server)
            late = measured.seen.late_peaks()
            ratios.append(measured.seconds / self.limit_s(cap))
            wasted.append(1 - self.options.n / measured.seen.requests)
            settled.append(median(late))
            asked = f"{measured.seconds:.2f} s   {ratios[-1]:.2f} x n * latency / {cap}"
            in_flight = f"late in the run {settled[-1]:.0f} in flight (median), {late[-1]} at most"
            print(f"{asked}   {in_flight}   {wasted[-1]:.1%} wasted   {_listed(statuses)}")
            self.all_final(statuses)
        self.target(f"settles at {cap} +- {NEAR:.0%}: {median(settled):.0f}", is_reached=abs(median(settled) / cap - 1) <= NEAR)
        self.target(f"< {WASTED:.0%} of requests wasted: {median(wasted):.1%}", is_reached=median(wasted) < WASTED)
        return median(ratios)

    def all_final(self, statuses: Mapping[str, int]) -> None:
        """Print whether each image has a status that no further run would change."""
        is_reached = sum(statuses.values()) == self.options.n and not {"error", "missing"} & set(statuses)
        self.target("every image has a final status", is_reached=is_reached)


def _listed(statuses: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in statuses.items())


def _seconds(measured: Iterable[Measured]) -> str:
    return "of " + " ".join(f"{one.seconds:.2f}" for one in measured)


def main() -> None:
    """Print a line a contender; the last line says how far from the limit this project is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--server", type=Path, default=OWN, help="a script that takes PORT, --latency, --fault-rate, --seed and --max-in-flight"
    )
    parser.add_argument("--images", type=Path, help="folder of JPEG files; by default they are drawn")
    parser.add_argument("--n", type=int, default=2000, help="images")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2, help="seconds")
    parser.add_argument("--fault-rate", type=float, default=0, help="share of requests that meet a fault")
    parser.add_argument("--max-in-flight", type=int, default=0, help="requests at once that the server takes")
    parser.add_argument("--rounds", type=int, default=3, help="measurements; the median counts")
    parser.add_argument("--peers", type=Path, help="folder with the peers' environments inspect_ai and lmms_eval")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(options, Path(folder))
        runs = [benchmark.faulty] * bool(options.fault_rate) + [benchmark.capped] * bool(options.max_in_flight)
        for run in runs or [benchmark.clean]:
            of_limit = run()
        print(f"ours {of_limit:.2f} x the limit")
    sys.exit(not benchmark.all_reached)


if __name__ == "__main__":
    main()
