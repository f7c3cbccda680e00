"""Sheets hold every picture in its place; plots hold every curve of the log."""

import json
from pathlib import Path

import torch
from PIL import Image

from engine.training import report


def test_a_sheet_shows_pictures_row_by_row(tmp_path: Path) -> None:
    pictures = [torch.full((3, 16, 16), level) for level in (0.0, 0.25, 0.5)]
    report.sheet(pictures, ["a", "b", "c"], tmp_path / "sheet.png", columns=2)
    page = Image.open(tmp_path / "sheet.png")
    across, down = 16 + report.MARGIN, 16 + report.MARGIN + report.LINE
    assert page.size == (2 * across, 2 * down)
    shown = [page.getpixel((8, 8)), page.getpixel((across + 8, 8)), page.getpixel((8, down + 8))]
    assert shown == [(0, 0, 0), (64, 64, 64), (128, 128, 128)]


def test_a_plot_draws_a_frame_for_each_phase_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    records = [{"phase": "denoiser", "seconds": s, "loss": 1 / (1 + s), "step": s} for s in range(5)]
    records += [{"phase": "autoencoder", "seconds": 1, "reconstruction": 0.5, "loss": 0.6, "step": 1}]
    log.write_text("\n".join(json.dumps(record) for record in records), "utf-8")
    curves = report.losses(log)
    assert curves["autoencoder"] == [(1, 0.5)]
    assert [point[0] for point in curves["denoiser"]] == [0, 1, 2, 3, 4]
    report.plot(curves, tmp_path / "losses.png")
    page = Image.open(tmp_path / "losses.png")
    assert page.size == (report.PLOT[0], 2 * report.PLOT[1])
    assert len(page.getcolors(1 << 20)) > 2
