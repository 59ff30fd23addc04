"""Imports go one way: app -> indexer -> aion_encoder; demo_sky stands beside them."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("aion_encoder", "app", "demo_sky", "indexer")

MAY_IMPORT = {
    "app": {"indexer"},
    "indexer": {"aion_encoder"},
    "aion_encoder": set(),
    "demo_sky": set(),
}
"""Which of our packages each may import besides itself."""

NEVER_IN_APP = {"faiss", "torch", "aion", "h5py", "safetensors"}


def modules_of(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """Names of all modules that a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself; name the package"
            names.add(node.module)
    return names


def may_use_demo_sky(path):
    """Training data and command-line entry points come from the simulated sky."""
    return path.name == "__main__.py" or "training" in path.relative_to(ROOT).parts


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    paths = modules_of(package)
    assert paths
    for path in paths:
        ours = {name.partition(".")[0] for name in imported(path)} & set(PACKAGES)
        allowed = MAY_IMPORT[package] | {package}
        if may_use_demo_sky(path):
            allowed = allowed | {"demo_sky"}
        assert ours <= allowed, f"{path.relative_to(ROOT)} may not import {ours - allowed}"


def test_the_page_knows_neither_faiss_nor_torch():
    for path in modules_of("app"):
        found = {name.partition(".")[0] for name in imported(path)} & NEVER_IN_APP
        assert not found, f"{path.relative_to(ROOT)} may not import {found}"


@pytest.mark.parametrize("package", ["aion_encoder", "indexer", "app"])
def test_importing_a_package_loads_no_torch(package):
    program = (
        f"import sys, {package}; "
        "heavy = {'torch', 'faiss', 'aion', 'streamlit'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_searching_for_an_object_needs_no_torch():
    program = "import sys, indexer.search; assert 'torch' not in sys.modules"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr


def test_no_file_of_the_page_hides_an_installed_module():
    # `streamlit run app/main.py` puts app/ first on the path.
    for path in (ROOT / "app").iterdir():
        name = path.stem
        if name.startswith(("__", ".")) or (path.is_file() and path.suffix != ".py"):
            continue
        assert name != "app"
        assert name not in sys.stdlib_module_names
        spec = importlib.util.find_spec(name)
        assert spec is None, f"app/{path.name} has the name of the installed module {name}"
