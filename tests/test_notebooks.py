"""The notebooks of docs/notebooks, executed as they stand."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


def test_there_is_one_for_each_gan_without_outputs():
    assert [file.stem for file in NOTEBOOKS] == ["gaussian", "image", "text"]
    for file in NOTEBOOKS:
        assert not any(cell.get("outputs") for cell in json.loads(file.read_text())["cells"]), file


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install 'rlgan[dev]'")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(file, as_version=4)
    nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    drawn = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert drawn
