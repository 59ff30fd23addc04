"""How long the demonstration takes, and how much memory and disk it needs.

Run as ``python -m benchmarks.demo_build FOLDER [--objects 3000]``: writes the simulated sky and
builds its index below FOLDER, each in a process of its own, and prints seconds, peak memory and
sizes. The last line is JSON.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import click

REPOSITORY = Path(__file__).parents[1]


def _run(*arguments: str) -> tuple[float, float]:
    """Return seconds and the peak resident memory of all processes so far, in GB."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", *arguments], cwd=REPOSITORY, check=True)
    seconds = time.perf_counter() - began
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


@click.command(context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--objects", default=3000, help="Simulated sources.")
def main(folder: Path, objects: int) -> None:
    """Write a simulated sky below FOLDER and build its index."""
    sky, index = folder / "sky", folder / "index"
    results: dict[str, object] = {"cores": os.cpu_count(), "machine": platform.machine()}
    click.echo(f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}")
    results["sky_s"], results["sky_peak_gb"] = _run(
        "demo_sky", "write", str(sky), "--objects", str(objects), "--seed", "7", "--quiet"
    )
    manifest = str(REPOSITORY / "data_manifests" / "demo.toml")
    results["index_s"], results["index_peak_gb"] = _run(
        "indexer", "build", manifest, str(index), "--root", str(sky)
    )
    results["sky_mb"], results["index_mb"] = _size(sky), _size(index)
    for name, value in results.items():
        click.echo(f"{name:14} {value:.2f}" if isinstance(value, float) else f"{name:14} {value}")
    click.echo(json.dumps(results))


if __name__ == "__main__":
    main()
