"""What is checked: cocotb benches on Verilator, golden vectors, cycle counts, reports."""
