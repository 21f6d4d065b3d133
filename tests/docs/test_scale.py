"""The page about scale shows the figures that were measured and simulated last."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_about_scale_is_current(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    scale_page = import_module("scale_page")
    page = scale_page.PAGE.read_text()
    assert page == scale_page.filled(page), "run: python benchmarks --plots"
    assert {found["name"] for found in scale_page.BLOCK.finditer(page)} == {*scale_page.BLOCKS}
