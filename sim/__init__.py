"""Simulation and measurement: cocotb test benches on Verilator, area, clock and energy, and the pages on them."""
