"""Plans, builds and indexes as text for a terminal."""

from typing import TYPE_CHECKING

from aion_encoder.identity import named
from indexer.forecast import Forecast
from indexer.index_file import Index
from indexer.plan import Plan
from indexer.printing import aligned
from indexer.rates import Quantity
from indexer.verify import Report

if TYPE_CHECKING:
    from indexer.index_model import IndexInfo

__all__ = ["forecast_text", "info_text", "plan_text", "totals_text", "verify_text"]


def plan_text(plan: Plan) -> str:
    """Return what a build would read and make: one line per release, and the sums."""
    rows = [
        [
            each.release.name,
            each.release.modality,
            f"{len(each.partitions):,}",
            f"{len(each.files):,}",
            size_text(each.input_bytes),
            f"{each.estimated_objects:,}",
            size_text(each.estimated_bytes),
        ]
        for each in plan.releases
    ]
    rows.append(
        [
            "sum",
            "",
            f"{plan.partitions:,}",
            f"{plan.files:,}",
            size_text(plan.input_bytes),
            f"{plan.estimated_objects:,}",
            size_text(plan.estimated_bytes),
        ]
    )
    header = [
        "release",
        "modality",
        "partitions",
        "files",
        "input",
        "objects (about)",
        "disk (about)",
    ]
    return "\n".join(
        [
            f"{plan.manifest.title} ({plan.manifest.name}), files in {plan.manifest.root}",
            "",
            aligned(header, rows, set(header[2:])),
        ]
    )


def forecast_text(forecast: Forecast) -> str:
    """Return hours, memory and disk of an index, and of each whether it is measured."""
    encoding, fleet = forecast.encoding, forecast.encoding.fleet
    lists = f" in {forecast.lists:,} lists" if forecast.lists else ""

    def table(of: str, quantities: tuple[Quantity, ...], unit: str, scale: float) -> str:
        rows = [
            [each.name, f"{each.value / scale:,.2f}", each.basis, each.source]
            for each in quantities
        ]
        return aligned([of, unit, "basis", "from"], rows, {unit})

    held = f" ({encoding.gpu_hours:,.1f} GPU-hours)" if fleet.gpu else ""
    side = "side by side" if fleet.gpu else "on the same cores"
    disk = sum(each.value for each in forecast.disk)
    steps = (*encoding.read, *encoding.encode, *forecast.indexing)
    parts = [
        f"{forecast.count:,} objects, one vector of {forecast.dim} numbers each: "
        f"{forecast.recipe}{lists}; on {fleet}",
        f"{table('time', steps, 'hours', 1.0)}\n"
        f"reading and encoding {side} {encoding.hours:,.1f} hours{held}, in all "
        f"{forecast.hours:,.1f} hours; what limits is to {forecast.slowest}",
        table("memory", forecast.memory, "GB", 1e9),
        table("disk", forecast.disk, "GB", 1e9) + f"\nin all {disk / 1e9:,.0f} GB",
        "\n".join(["assumed", *(f"- {each}" for each in _assumptions(forecast))]),
    ]
    parts += [
        f"{each.name} needs {each.value / 1e9:,.1f} GB of memory, a node has "
        f"{fleet.node.memory_bytes / 1e9:,.1f}"
        for each in forecast.too_large_for(fleet.node)
    ]
    return "\n\n".join(parts)


def _assumptions(forecast: Forecast) -> list[str]:
    encoding, fleet = forecast.encoding, forecast.encoding.fleet
    feeding = (
        f"each core reads for the GPUs; with {encoding.cores_to_feed:,} a node they never wait"
        if fleet.gpu
        else "each core reads, and encodes what it read"
    )
    return [
        feeding,
        f"survey files of {encoding.input_bytes / 1e9:,.0f} GB come at "
        f"{encoding.bytes_per_s / 1e6:,.0f} MB/s, to all nodes together",
        "nodes are as fast as where rates were measured, and none is lost; twice the nodes take "
        "half the time to encode",
        "one node trains and fills, with as many threads as it has cores",
        "no links, heads or evaluations; vectors are kept in two bytes a number",
    ]


def info_text(index: Index) -> str:
    """Return what an index holds: releases, spaces, links, and by which encoder."""
    info = index.info
    encoder = info.encoder
    revision = f"@{encoder.revision}" if encoder.revision else ""
    lines = [
        f"{info.manifest.title or info.name} ({info.name}), {len(index):,} objects",
        f"index id       {info.index_id}, built {info.created} by {info.software}",
        f"format         version {info.format_version}, generation {info.generation}",
        f"encoder        {encoder.repository}{revision}, identity {encoder.digest}, "
        f"{encoder.dim} dimensions, pooling {encoder.pooling or 'not declared'}",
        f"size           {size_text(sum(file.bytes for file in info.files.values()))} "
        f"in {len(info.files):,} files",
        "",
        totals_text(info),
        "",
    ]
    rows = []
    for name, space in info.spaces.items():
        method, fitted = "heads", ""
        if index.heads_facts and name == "shared":
            fitted = f"{index.heads_facts.get('pairs', '')} pairs"
        elif name != "shared":
            description = index.space(name).description
            method, fitted = description.method, f"{description.fitted_on:,} vectors"
        vectors = sum(
            len(segment.vectors(name, modality)[1])
            for segment in index.segments.values()
            for modality in segment.info.spaces.get(name, ())
        )
        rows.append(
            [name, "/".join(space.modalities), str(space.dim), f"{vectors:,}", method, fitted]
        )
    header = ["space", "modalities", "dimensions", "vectors", "method", "fitted on"]
    lines += [aligned(header, rows, {"dimensions", "vectors", "fitted on"}), ""]
    for name in info.spaces:
        if (own := index.encoder_of(name)).digest != encoder.digest:
            lines.append(f"{name}: encoder {named(own)}")
    if index.heads_facts:
        plain = [(k, v) for k, v in index.heads_facts.items() if isinstance(v, str | int | float)]
        lines.append("aligned: " + ", ".join(f"{k} {v}" for k, v in plain))
    links = [[*each.releases, f"{each.count:,}"] for each in info.links if each.count]
    if links:
        lines += [aligned(["release", "release", "linked"], links, {"linked"}), ""]
    if info.unclaimed_files:
        lines.append(f"{info.unclaimed_files} input files belong to no release ({info.unclaimed})")
    lines += [f"note: {note}" for note in info.notes]
    return "\n".join(lines).rstrip()


def verify_text(report: Report) -> str:
    """Return what an examination found: one line per problem, then the verdict."""
    lines = [f"wrong: {problem}" for problem in report.problems]
    lines += [f"not part of the index: {each}" for each in report.leftovers]
    lines += [f"not of this program: {each}" for each in report.strangers]
    verdict = "the index is what it says" if report.ok else f"{len(report.problems)} problems"
    return "\n".join([*lines, f"{report.checks:,} checks: {verdict}"])


def totals_text(info: "IndexInfo") -> str:
    """Return a table of the releases in which read = indexed + rejected."""
    rows = [
        [
            name + (" (simulated)" if release.simulated else ""),
            "/".join(modality for modality, count in release.vectors.items() if count),
            f"{release.read:,}",
            "=",
            f"{release.indexed:,}",
            "+",
            f"{release.rejected:,}",
        ]
        for name, release in info.releases.items()
    ]
    releases = info.releases.values()
    sums = [
        f"{sum(counts):,}"
        for counts in (
            [each.read for each in releases],
            [each.indexed for each in releases],
            [each.rejected for each in releases],
        )
    ]
    rows.append(["sum", "", sums[0], "=", sums[1], "+", sums[2]])
    header = ["release", "modality", "read", "", "indexed", "", "rejected"]
    return aligned(header, rows, {"read", "indexed", "rejected"})


def size_text(count: int) -> str:
    """Return a size in bytes as people read it."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000.0:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000.0
    return f"{size:.1f} TB"
