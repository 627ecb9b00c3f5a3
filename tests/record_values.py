"""A value of every kind of record that the program writes for itself, by its schema."""

import json

from conftest import ROOT

from asq_model.common.result_schemas import ARITHMETIC, BENCH, STUDY
from asq_model.common.zoo import NETWORKS, list_zoo_names, read_zoo
from asq_model.studies.figure_records import FIGURES_PAGE
from asq_model.studies.integer_parity_page import PARITY
from asq_model.studies.step_sizes_page import STEPS
from asq_model.studies.trained_out.record import TRAINED_OUT
from hw.engine.load_words import LOAD_FILE
from hw.engine.schedule_record import SCHEDULE
from sim.engine.bitstream import BITSTREAM, SYNTHESISED
from sim.engine.build_engine import SIMULATOR, VERILOG
from sim.engine.engine_area import ENGINE_AREA
from sim.engine.engines_report import ENGINES
from sim.engine.simulate_network import NETWORK_RUN
from sim.explore.design_rows import REPORT, ROW, TABLE, Description
from sim.measure.fpga_families import PLACED
from sim.measure.gate_equivalents import GATES
from sim.measure.nextpnr_clock import RATES
from sim.measure.switching import SWITCHING
from sim.measure.yosys_area import AREA
from sim.reports.adaptation_page import ASQ
from sim.runner.outcomes import JOB_FILE, OUTCOME
from sim.runner.verilator import STAMPS
from sim.unrolled.layer import GRAPH
from sim.unrolled.report import UNROLLED

HASH = "0123456789abcdef" * 4
AREA_OF_FEW = {"luts": 20, "carries": 3, "ffs": 9, "memories": 0, "dsps": 0}
COUNTERS = {"cycles": 9, "input_stalls": 0, "output_stalls": 0, "operands": 8, "results": 2}
SWITCHED = {"per_product": 5.5, "toggles_per_product": 2.5, "nets": 30, "flip_flops": 9, "products": 100}
NETWORK_FOUND = {
    "images": 3,
    "compared": 2,
    "numbers": 6,
    "engine_right": 2,
    "graph_right": 2,
    "period": 300,
    "under_way": 2,
    "latency": 400,
    "engine_products": 16,
    "layers": [{"name": "conv", "products": 500, "multiply": 90, "prepare": 20}],
    "memories": [{"name": "codes", "used": 8, "rows": 16}],
}
FOUND = {
    "golden": {
        "vectors": 2,
        "failed": 0,
        "failures": [],
        "counters": COUNTERS,
        "layers": [{"layer": "conv1", "vectors": 2, "failed": 0, "betas": [1, 2], "steps": [3, 4], **COUNTERS}],
    },
    "timing": {"latency": 2, "interval": 1},
}


def published(name: str, whole: str = "") -> dict:
    """A committed results file, its lists cut down to two entries but for one that others point into."""
    content = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text(encoding="utf-8"))["content"]
    return {key: value[:2] if isinstance(value, list) and key != whole else value for key, value in content.items()}


def rows() -> list[dict]:
    """A committed row of each target, and of one that is placed."""
    content = json.loads((ROOT / "docs" / "results" / "hardware.json").read_text(encoding="utf-8"))["content"]
    return list({row["target"]: row for row in content["rows"] if "mhz" in row or row["target"] not in PLACED}.values())


ROWS = {row["target"]: row for row in rows()}
FAILURE = {key: ROWS["xc7"][key] for key in Description.__struct_fields__ if key in ROWS["xc7"]} | {"error": "no tool"}
RUN = {"start": 5, "cycles": 9, "program": "values", "kind": "COLLECT", "name": "input", "bank": 0}
ENGINE_ROW = {
    "network": "made up",
    "preset": "zynq7020",
    "unit": "post",
    "product_bits": 4,
    "weight_bits": 4,
    "activation_bits": 4,
    "kind": "",
    "cells": "xc7",
    "products": 128,
    "lanes": 2,
    "period": 2000,
    "under_way": 2,
    "latency": 1500,
    "busy": 0.5,
    "area": {"lane": AREA_OF_FEW, "rest": AREA_OF_FEW},
    "blocks": 20,
    "simulated": 2,
    "right": 8,
    "tested": 10,
    "first_layer": 16,
    "any_first_layer": 16,
    "other_blocks": 12,
    "programs": [
        {
            "programs": 8,
            "pixels": 32,
            "terms": 3,
            "weight_terms": 0.9,
            "cycles": 9000,
            "lane": AREA_OF_FEW,
            "blocks": 96,
        }
    ],
    "placed": {"area": AREA_OF_FEW, "clocks": [31.5, 30.25]},
    "switching": 98.1,
}
VALUES = {
    JOB_FILE: {
        "kind": "mac",
        "spec": {"unit": "post", "weight_bits": 3},
        "seed": 1,
        "tests": ["golden"],
        "golden": "g",
        "layer": None,
        "verilog": None,
        "result": "r.json",
    },
    AREA: {"area": AREA_OF_FEW, "mapped": HASH},
    RATES: {"1": 200.25, "2": None},
    GATES: 310.5,
    SWITCHING: SWITCHED,
    GRAPH: {"cost": 30.0, "depth": 3, "widths": [7, 8], "sha256": HASH, "vectors": 5, "rounded_apart": 0.25},
    STAMPS: {"content": HASH, "sources": HASH},
    SYNTHESISED: {"area": AREA_OF_FEW, "netlist": HASH},
    ENGINE_AREA: {"lane": AREA_OF_FEW, "rest": AREA_OF_FEW},
    ENGINES: {"rows": [ENGINE_ROW], "note": "n"},
    BITSTREAM: {"megahertz": 31.5, "sha256": HASH},
    SCHEDULE: {"network": "digits", "images": 2, "period": 90, "runs": [RUN, RUN | {"start": 0, "bank": 1}]},
    LOAD_FILE: {"network": "x", "engine": 7, "control": 0, "begin": 1, "register": 32, "words": "AAAA"},
    VERILOG: {"sha256": HASH},
    SIMULATOR: {"sha256": HASH},
    NETWORK_RUN: NETWORK_FOUND,
    OUTCOME: FOUND,
    ROW: ROWS["ice40"],
    TABLE: {"rows": [*ROWS.values()], "failures": [FAILURE]},
    REPORT: published("hardware"),
    ARITHMETIC: published("arithmetic"),
    STUDY: published("cifar10"),
    FIGURES_PAGE: published("figures"),
    BENCH: published("training-speed"),
    PARITY: published("parity"),
    TRAINED_OUT: published("trained-out", whole="sessions"),
    STEPS: published("steps"),
    NETWORKS: {name: read_zoo()[name] for name in list_zoo_names()[:2]},
    UNROLLED: published("unrolled"),
    ASQ: published("asq"),
}
