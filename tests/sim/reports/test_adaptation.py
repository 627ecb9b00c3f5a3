"""The page on what adaptation costs, and the areas that it gives."""

import json
import re

import pytest
from conftest import some
from msgspec import structs

from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from asq_model.spec.golden_vectors import read_manifest, write_manifest
from asq_model.spec.mac import MacSpec
from hw.emit import emit
from sim.measure import yosys_area
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.measure.yosys_area import Area, measure_area, sum_cells
from sim.reports.adaptation_areas import compute_adaptation_shares, describe_areas
from sim.reports.adaptation_page import ASQ, render_page

# One worker: the first run of Yosys compiles it, and the benches are built once.
pytestmark = pytest.mark.xdist_group("accepted")


def test_the_page(few_golden, build_root, command, tmp_path):
    done = command("sim", "asq", few_golden, "--root", build_root, "--area", 0, "--out", tmp_path / "asq.md")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "asq.md").read_text()
    assert render_page(read_record(tmp_path / "asq.json", ASQ), "asq-beta.png") == text
    assert "| block2.conv1 |" in text and "](asq-beta.png)" in text and "## Area" not in text
    assert (tmp_path / "asq-beta.png").read_bytes().startswith(b"\x89PNG")
    again = command("sim", "asq", few_golden, "--root", build_root, "--area", 0, "--out", tmp_path / "again.md")
    assert again.stderr.count("unchanged") == 6
    assert (tmp_path / "again.md").read_text() == text.replace("asq-beta", "again-beta")
    assert (tmp_path / "again-beta.png").read_bytes() == (tmp_path / "asq-beta.png").read_bytes()


def test_a_network_without_adapters_is_refused(small_golden, refused, tmp_path):
    manifest = read_manifest(small_golden)
    for path in small_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_manifest(tmp_path, manifest | {"maps": [maps for maps in manifest["maps"] if maps["adapter"] is None]})
    assert "of a network without adapters" in refused("sim", "asq", tmp_path)


@pytest.mark.parametrize("family", [some(name, ("ice40", "ecp5"), name) for name in FPGA_FAMILIES])
def test_area_is_measured_once_and_kept(family, build_root, tmp_path, monkeypatch):
    verilog, _ = emit(MacSpec(), build_root / "verilog")
    found = measure_area(verilog, "post_mac_w3a3", family, False, tmp_path)
    assert 20 <= found.luts <= 80 and found.ffs == 28 and found.dsps == found.memories == 0
    cells = json.loads((tmp_path / "synth" / f"post_mac_w3a3-{family}" / "stat.json").read_text())
    cells = cells["modules"]["\\post_mac_w3a3"]["num_cells_by_type"]
    assert sum_cells(FPGA_FAMILIES[family], cells) == found
    monkeypatch.setattr(yosys_area, "run_yosys", lambda script, folder: pytest.fail("synthesised again"))
    assert measure_area(verilog, "post_mac_w3a3", family, False, tmp_path) == found


def test_a_multiplier_block_is_used_only_when_asked_for(build_root, tmp_path):
    spec = MacSpec("uniform", 8, 8)
    verilog, _ = emit(spec, build_root / "verilog")
    with_blocks, without = (measure_area(verilog, spec.name, "ecp5", dsp, tmp_path) for dsp in (True, False))
    assert with_blocks.dsps == 1 and without.dsps == 0 and without.luts > 2 * with_blocks.luts


def test_a_synthesis_that_reports_nothing_has_failed(build_root, tmp_path, monkeypatch):
    """A tool that stops early with exit 0; a tool that stops with an error."""
    verilog, _ = emit(MacSpec(), build_root / "verilog")
    with pytest.raises(InputError, match=r"Yosys could not synthesise in .*-ice40"):
        measure_area(verilog, "another_top", "ice40", False, tmp_path)
    monkeypatch.setattr(yosys_area, "run_yosys", lambda script, folder: None)
    with pytest.raises(InputError, match="Yosys wrote no statistics of post_mac_w3a3"):
        measure_area(verilog, "post_mac_w3a3", "ice40", False, tmp_path)
    empty = json.dumps({"modules": {"\\post_mac_w3a3": {"num_cells_by_type": {"SB_DFF": 3}}}})
    monkeypatch.setattr(yosys_area, "run_yosys", lambda script, folder: (folder / "stat.json").write_text(empty))
    with pytest.raises(InputError, match="found no look-up table in post_mac_w3a3"):
        measure_area(verilog, "post_mac_w3a3", "ice40", False, tmp_path)


def test_the_shares_of_adaptation():
    found = {name: Area(luts, 0, 0, 0, 0) for name, luts in (("step", 100), ("rescale", 50), ("mac", 50))}
    assert (
        compute_adaptation_shares(found, "step", "rescale", "mac")
        == "1 MAC: 50%, 16 MACs: 11%, 64 MACs: 3%, 256 MACs: 1%"
    )


def test_the_page_says_which_block_is_not_equal():
    found = {"network": "n", "weight_bits": 3, "activation_bits": 3, "checkpoint": "c", "note": "", "cycles": []}
    block = {"module": "adapter", "golden": 5, "made_up": 3, "passed": True}
    said = render_page(found | {"blocks": [block], "areas": []}, "p")
    assert "specification, all equal:" in said and re.search(r"\| `adapter` +\| +5 \| +3 \|", said)
    said = render_page(found | {"blocks": [block, block | {"module": "rescale", "passed": False}], "areas": []}, "p")
    assert "specification, **not all equal: `rescale`**:" in said


def test_each_adapter_of_a_network_of_mixed_widths_has_its_share():
    area = Area(100, 0, 0, 0, 0)
    found = {"family": "ice40", "dsp": False, "steps": ["one", "two"], "rescale": None, "mac": "post", "quantisers": []}
    modules = {"one": area, "two": structs.replace(area, luts=300), "post": area}
    shares = describe_areas(found | {"modules": modules}).shares
    assert shares["one"].startswith("1 MAC: 50%,") and shares["two"].startswith("1 MAC: 75%,")
