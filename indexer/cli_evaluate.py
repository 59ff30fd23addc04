"""``python -m indexer evaluate``: measure how good the neighbours of an index are."""

from pathlib import Path

import click

__all__ = ["evaluate"]

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("index", type=_PATH)
@click.option(
    "--labels",
    "tables",
    type=_PATH,
    multiple=True,
    metavar="FILE",
    help="A table of labels (votes, lenses, redshifts, classes), as docs/labels.md says; may be "
    "repeated. Redshift, class and magnitude of the catalogues count where no table has them.",
)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    help="A fidelity, B morphology, C lenses, D partners, E redshifts, F classes, "
    "G discoveries; may be repeated. Default: all.",
)
@click.option(
    "--output",
    type=_PATH,
    default=Path("evaluation"),
    show_default=True,
    metavar="FOLDER",
    help="Where evaluation.json, evaluation.html and the rows of all queries go.",
)
@click.option(
    "--queries",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="Of a kind, at most; picked evenly.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all draws.")
@click.option(
    "--manifest",
    type=_PATH,
    metavar="FILE",
    help="Manifest of the index. With it G reads survey files again and encodes what is changed "
    "in them, and asks the decoder for redshifts.",
)
@click.option("--root", type=_PATH, help="Folder of the survey files, if not the manifest's own.")
@click.option("--weights", metavar="WEIGHTS", help="Where the index's encoder is, if it moved.")
def evaluate(
    index: Path,
    tables: tuple[Path, ...],
    suites: tuple[str, ...],
    output: Path,
    queries: int,
    seed: int,
    manifest: Path | None,
    root: Path | None,
    weights: str | None,
) -> None:
    """Measure how good the neighbours of an index are.

    Exact search, the index, random order and plain baselines stand side by side, with bootstrap
    intervals over queries. A suite that lacks labels says so.
    """
    from indexer.bar import progress_bar
    from indexer.evaluate.bench import Bench
    from indexer.evaluate.evaluation import evaluate as run_suites
    from indexer.evaluate.evaluation import suites_named, write_evaluation
    from indexer.evaluate.report import report_text
    from indexer.index_file import open_index
    from indexer.labels import read_labels
    from indexer.survey_files import open_survey_files

    names = suites_named(suites)
    opened = open_index(index)
    files = None
    if manifest is not None:
        files = open_survey_files(opened, manifest, root=root, weights=weights)
    bench = Bench(
        opened,
        read_labels(*tables) if tables else None,
        queries=queries,
        seed=seed,
        files=files,
    )
    with progress_bar("evaluating", "suite") as bar:
        done = run_suites(bench, names, announce=bar.announce)
    for result in done.results:
        click.echo(report_text(result))
        click.echo()
    for path in write_evaluation(done, output):
        click.echo(f"written: {path}")
