"""The golden vectors that come with the package: valid, small, and enough for every design that is compared."""

import pytest

from asq_model.common.errors import InputError
from asq_model.export.excerpt import LAYERS, write_excerpt
from asq_model.spec.golden_vectors import read_golden, read_manifest
from sim.explore.design import mac_of
from sim.explore.design_space import list_designs
from sim.explore.measure_design import find_golden_for
from sim.explore.report_plan import WIDEST, parse_plan
from sim.vectors.dot_products import make_golden_workloads
from sim.vectors.shipped import SHIPPED, WIDTHS, shipped_folder, shipped_folders


@pytest.mark.parametrize("widths", WIDTHS)
def test_they_are_whole_and_their_results_are_the_specification_s(widths):
    layers = list(read_golden(shipped_folder(widths)))  # every hash is checked
    assert [layer.name for layer in layers] == list(LAYERS)
    for layer in layers:
        bits = layer.entry["weight_bits"], layer.entry["activation_bits"]
        assert bits == ((8, 8) if layer.name == "fc" else widths)
    for spec in map(mac_of, list_designs(widths, "mac")):
        for workload in make_golden_workloads(spec, shipped_folder(widths)):
            starts = [0, *workload.ends[:-1]]
            for start, end, expected in list(zip(starts, workload.ends, workload.expected, strict=True))[:3]:
                assert spec.dot(workload.codes[start:end], workload.activations[start:end]) == expected


def test_every_design_of_the_report_has_vectors():
    for members in parse_plan(" ".join(WIDEST)).values():
        for design in members:
            assert find_golden_for(mac_of(design), shipped_folders()) in shipped_folders()


def test_they_are_small():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.*")) < 600_000


def test_the_command_makes_folders_of_the_same_form(small_golden, tmp_path):
    manifest = write_excerpt(small_golden, tmp_path / "excerpt")
    shipped = shipped_folder((3, 3))
    assert {path.name for path in (tmp_path / "excerpt").iterdir()} == {path.name for path in shipped.iterdir()}
    assert set(read_manifest(shipped)) == set(read_manifest(tmp_path / "excerpt")) == set(manifest) | {"digest"}
    whole = {layer.name: layer for layer in read_golden(small_golden)}
    for layer in read_golden(tmp_path / "excerpt"):
        assert set(layer.arrays) == set(whole[layer.name].arrays) and layer.entry == whole[layer.name].entry
    with pytest.raises(InputError, match="have no layer conv9"):
        write_excerpt(small_golden, tmp_path / "other", ("conv9",))
