"""What a screen reader finds in the exported notebooks, in JupyterLab and in the page of texts.

axe checks in Chromium that nothing is critical or serious. What JupyterLab itself gets wrong is in
exceptions.json: each rule with its reason.
"""

import html
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbconvert
import nbformat
import numpy as np
import pytest

from course_utils.plotting.texts import html_page
from tools.browser import call, grave, require
from tools.notebooks import FOLDER, all_notebooks, kernel_environment
from tools.outputs import normalise

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
EXCEPTIONS = json.loads((HERE / "exceptions.json").read_text("utf-8"))
NOTEBOOKS = all_notebooks()


@pytest.fixture(scope="module")
def browser():
    """Calls browser.mjs and returns its answer."""
    require()
    return call


def described(path: Path) -> list[str]:
    """The alternative texts of the stored figures."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    pages = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    return [html.unescape(alt) for alt in re.findall(r'<img alt="([^"]*)"', pages)]


# --- pages --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checked(browser, tmp_path_factory):
    """Name of a notebook → (its page, what axe finds there)."""
    folder = tmp_path_factory.mktemp("pages")
    exporter = nbconvert.HTMLExporter(
        template_name="accessible", extra_template_basedirs=[str(FOLDER / "templates")]
    )
    pages = {}
    for path in NOTEBOOKS:
        pages[path.stem] = folder / f"{path.stem}.html"
        pages[path.stem].write_text(exporter.from_filename(str(path))[0], encoding="utf-8")
    found = browser("pages", *pages.values())
    return {name: (page.read_text("utf-8"), found[str(page)]) for name, page in pages.items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_exported_page(path, checked):
    page, violations = checked[path.stem]
    assert grave(violations, EXCEPTIONS["pages"]) == []
    alts = re.findall(r'<img alt="([^"]*)"', page)
    assert [html.unescape(alt) for alt in alts] == described(path)
    assert "No description has been provided" not in page  # nbconvert's text for a missing one


def test_the_page_of_texts(browser, tmp_path):
    class Verdict:
        text, words, spans = "good <b>end</b>", ["good", "end"], [(0, 4), (8, 11)]
        weights, label, probability = np.array([0.1, 0.9]), "positive", 0.75

    page = tmp_path / "page.html"
    page.write_text(html_page([Verdict(), Verdict()]), encoding="utf-8")
    assert browser("pages", page) == {str(page): []}


def test_faults_are_found(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<!doctype html><html lang="en"><title>x</title><main><h1>x</h1>'
        '<img src="x.png"><p style="color: #bbb; background: #fff">pale</p></main>'
    )
    lines = grave(browser("pages", page)[str(page)], EXCEPTIONS["pages"])
    assert [line.split(", ")[0] for line in lines] == [
        "serious: color-contrast",
        "critical: image-alt",
    ]


# --- JupyterLab ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A JupyterLab with copies of the notebooks, which it does not trust: (its address, folder)."""
    place = tmp_path_factory.mktemp("lab")
    folder = place / "notebooks"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = place / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # All cells are in the page, not only those on the screen.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{name}_DIR": str(place / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | own | {"JUPYTERLAB_SETTINGS_DIR": str(place / "settings")}
    for name, value in kernel_environment(Path("lab.ipynb"), place).items():
        environment.pop(name, None)
        environment |= {name: value} if value is not None else {}
    token = secrets.token_hex(8)
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *(f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"),
            f"--IdentityProvider.token={token}",
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _attempt in range(120):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "JupyterLab ended"
                time.sleep(0.5)
        yield address, token, folder
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.mark.parametrize("name", [path.name for path in NOTEBOOKS])
def test_jupyterlab_reads_the_figures_out_and_saves_the_notebook(name, lab, browser):
    address, token, folder = lab
    before = nbformat.read(folder / name, as_version=4)
    seen = browser("lab", address, token, name)
    assert [image["alt"] for image in seen["images"]] == described(FOLDER / name)
    assert all(image["shown"] for image in seen["images"])
    assert grave(seen["violations"], EXCEPTIONS["jupyterlab"]) == []
    after = nbformat.read(folder / name, as_version=4)
    assert after != before  # it has been saved
    assert normalise(after) == normalise(before)
