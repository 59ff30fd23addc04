"""Many people at once: searches through the page and through the API of one server.

    python -m benchmarks.load INDEX [--people 30] [--searches 5000] [--think-s 4] [--seed 1]
        [--json benchmarks/results/load.json]

Starts `app/asgi.py` as `make demo` does, and asks it over loopback. Everybody has a session of
their own: a WebSocket that speaks Streamlit's protocol, on which a question is an address
(`/?q=KEY`) and its answer is over when the script says so; every tenth question goes to `/api/v1`.
Between an answer and the next question somebody looks at it, for `--think-s` on average. Pictures
come with the answers. Prints latencies, errors, and how the memory of the server grew after the
first fifth of the searches, and one JSON object on the last line; exit code 1 if one of `BUDGETS`
is missed.

    nice -n 5 python -m benchmarks.load var/demo/index
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import urllib.request
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.memory import anonymous_bytes, growth
from benchmarks.search_latency import machine
from benchmarks.serving import Served, served
from benchmarks.telling import tell
from indexer.search import open_searcher

BUDGETS = {"errors": 0.0, "page.p95_s": 2.0, "api.p95_s": 2.0, "memory.bytes_a_search": 4_000.0}
"""At most. Of memory: 20 MB over 5,000 searches, which one of the session's caches may take."""

PAGE, API = "page", "api"
ONE_IN = 10
"""Questions of which one goes to the API."""

ANSWER_S = 60.0
WARM = 0.2
"""Share of the searches after which memory has to stay."""

KEYS = 2_000


@dataclass
class Seen:
    """What happened so far; memory is looked at after `every` so many answers."""

    left: int
    every: int = 50
    seconds: dict[str, list[float]] = field(default_factory=lambda: {PAGE: [], API: []})
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Answers."""
        return sum(map(len, self.seconds.values())) + len(self.errors)


def at_hand(index: Path, folder: Path) -> AbstractContextManager[Served]:
    """Serve an index to a crowd, whose requests all come of one address."""
    return served(index, folder / "server.log", AION_SEARCH_API_PER_MINUTE="1000000")


async def ask_page(session: ClientConnection, key: str) -> None:
    """Ask as a browser does when an address is opened, until the page is whole."""
    message = BackMsg()
    message.rerun_script.query_string = f"q={quote(key)}&k=10"
    await session.send(message.SerializeToString())
    began = False
    while True:
        told = ForwardMsg()
        told.ParseFromString(await session.recv(decode=False))
        kind = told.WhichOneof("type")
        began = began or kind == "new_session"
        if kind == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
            raise RuntimeError(told.delta.new_element.exception.message)
        if kind == "script_finished" and began:
            return


def ask_api(port: int, key: str) -> None:
    """Ask as a script does."""
    address = f"http://127.0.0.1:{port}/api/v1/neighbours?object={quote(key, safe='')}&k=10"
    with urllib.request.urlopen(address, timeout=ANSWER_S) as answer:
        told = json.load(answer)
    if not told["hits"]:
        raise RuntimeError(f"no neighbours of {key}")


async def person(
    port: int, keys: list[str], think_s: float, rng: random.Random, seen: Seen, pid: int
) -> None:
    """Ask and look, again and again."""
    address = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None) as session:
        # Not all at the same moment.
        await asyncio.sleep(rng.uniform(0.0, think_s))
        while seen.left > 0:
            seen.left -= 1
            kind = API if rng.randrange(ONE_IN) == 0 else PAGE
            key = rng.choice(keys)
            began = time.perf_counter()
            try:
                async with asyncio.timeout(ANSWER_S):
                    if kind == PAGE:
                        await ask_page(session, key)
                    else:
                        await asyncio.to_thread(ask_api, port, key)
            except (RuntimeError, OSError, TimeoutError) as error:
                seen.errors.append(f"{kind} {key}: {error or type(error).__name__}")
            else:
                seen.seconds[kind].append(time.perf_counter() - began)
            if seen.done % seen.every == 0:
                seen.memory.append((seen.done, anonymous_bytes(pid)))
            await asyncio.sleep(rng.expovariate(1.0 / think_s))


async def crowd(
    port: int, pid: int, keys: list[str], people: int, searches: int, think_s: float, seed: int
) -> Seen:
    """Let people ask until there were enough searches."""
    seen = Seen(searches, max(1, searches // 100))
    # What is loaded when the first one asks is not theirs.
    await person(port, keys, 0.01, random.Random(seed), Seen(3), pid)
    generators = [random.Random(f"{seed}-{number}") for number in range(people)]
    async with asyncio.TaskGroup() as group:
        for rng in generators:
            group.create_task(person(port, keys, think_s, rng, seen, pid))
    return seen


def measures_of(seen: Seen, searches: int) -> dict[str, float]:
    """Return latencies in seconds, errors, and the growth of memory in bytes a search."""
    told: dict[str, float] = {"errors": len(seen.errors)}
    for kind, seconds in seen.seconds.items():
        for share in (50, 95, 99):
            value = float(np.percentile(seconds, share)) if seconds else float("nan")
            told[f"{kind}.p{share}_s"] = round(value, 4)
    told["memory.bytes_a_search"] = round(growth(seen.memory, WARM * searches), 1)
    told["memory.most_bytes"] = max(size for _, size in seen.memory)
    return told


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure a server under many people.")
    parser.add_argument("index", type=Path)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--searches", type=int, default=5000)
    parser.add_argument("--think-s", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file that the result is written to, too")
    given = parser.parse_args()
    keys = open_searcher(given.index).random_keys(KEYS, given.seed)
    with tempfile.TemporaryDirectory() as folder, at_hand(given.index, Path(folder)) as up:
        began = time.perf_counter()
        seen = asyncio.run(
            crowd(up.port, up.pid, keys, given.people, given.searches, given.think_s, given.seed)
        )
        taken = time.perf_counter() - began
    measures = measures_of(seen, given.searches)
    measures["searches_a_second"] = round(seen.done / taken, 2)
    for error in seen.errors[:10]:
        print(error, file=sys.stderr)
    result = {
        "benchmark": "load",
        "machine": machine(),
        "people": given.people,
        "searches": seen.done,
        "think_s": given.think_s,
        "seed": given.seed,
        "measures": measures,
    }
    return tell(result, BUDGETS, given.json)


if __name__ == "__main__":
    sys.exit(main())
