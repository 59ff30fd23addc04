"""docs/real-weights.md: its commands are taken, and its sample is of the releases that it says."""

import subprocess
from pathlib import Path

import pytest
from documented import DOCS, commands, shell_blocks, taken

from indexer.manifests import Manifest, load_manifest

PAGE = (DOCS / "real-weights.md").read_text()
SHELL = shell_blocks(PAGE)
COMMANDS = commands(SHELL)
MANIFESTS = DOCS.parent / "data_manifests"


def test_the_page_has_every_step_in_its_order():
    steps = [arguments[0] for arguments in COMMANDS]
    assert len(COMMANDS) == PAGE.count("python -m indexer ")
    assert list(dict.fromkeys(steps)) == [
        "plan",
        "build",
        "verify",
        "info",
        "align",
        "evaluate",
        "search",
    ]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_command_is_taken(arguments: list[str]):
    parsed = taken(arguments).params
    manifest = parsed.get("manifest")
    if manifest is not None:
        assert (DOCS.parent / manifest).is_file()


@pytest.mark.parametrize("text", SHELL)
def test_the_shell_takes_it(text: str):
    subprocess.run(["bash", "-n"], input=text, text=True, check=True, capture_output=True)


def test_files_that_the_page_names_are_there():
    for name in ("requirements.txt", "requirements-gpu.txt", "app/main.py"):
        assert name in PAGE
        assert (DOCS.parent / name).is_file()


def test_the_sample_is_of_the_releases_of_other_manifests(tmp_path: Path):
    def loaded(name: str) -> Manifest:
        return load_manifest(MANIFESTS / f"{name}.toml", root=tmp_path)

    for release in loaded("mmu-sample").releases:
        assert release == loaded(release.name).release(release.name)
        # What the page downloads is what the manifest looks for.
        folders = {pattern.split("/healpix=")[0] for pattern in release.files}
        assert any(folder in PAGE for folder in folders)
