"""Hardware in Amaranth: multiply-accumulate units, arrays, ASQ's blocks, engines, and the Verilog that they become."""
