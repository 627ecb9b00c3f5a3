"""What is built: Amaranth components of the POST multiply-accumulate units, and the Verilog they become."""
