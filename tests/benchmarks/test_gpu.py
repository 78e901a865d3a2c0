import json
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture
def gpu(script, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))  # of which it imports another script
    return script("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_line(gpu):
    with pytest.raises(SystemExit, match=r"^no GPU: PyTorch finds none here; a dry run takes --device cpu --quick$"):
        gpu.main([])


def test_a_dry_run_on_the_cpu_has_a_row_for_everything(gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "SECONDS", 0.0)
    monkeypatch.setitem(sys.modules, "spikingjelly", None)  # as where it is not installed
    gpu.main(["--device", "cpu", "--quick", "--peers", "spikingjelly", "--out", str(tmp_path / "gpu")])
    result = json.loads((tmp_path / "gpu.json").read_text("utf-8"))
    assert len(result["rows"]) == 4 * 3
    by_who = {row["who"].removesuffix(" not installed"): row for row in result["rows"]}
    assert by_who["ours, plain"]["steps_per_s"] > 0
    assert by_who["ours, plain"]["clips"] == 10
    assert by_who["ours, Triton"]["skipped"] == "needs a GPU"
    assert by_who["spikingjelly"]["skipped"]
    assert capsys.readouterr().out == (tmp_path / "gpu.md").read_text("utf-8")


def test_what_there_is_no_time_for_is_named(gpu, capsys):
    gpu.main(["--device", "cpu", "--quick", "--minutes", "0", "--only", "2 x 512", "--peers", ""])
    assert "Left out, for want of time: adaptive, 2 x 512: plain; adaptive, 2 x 512: Triton" in capsys.readouterr().out
