// The cell that mapped arrays use of ECP5, for simulation. A half's table of four inputs, exclusive-ored with the carry, is
// its sum; where the table is 0, the carry is made anew by the four entries of the table that C = D = 0 selects.
// As Lattice's FPGA-TN-02213 and the library's documentation describe it; both INJECT1 are "NO" in an adder.
module CCU2C(
  input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
  output S0, S1, COUT
);
  parameter [15:0] INIT0 = 16'h0000, INIT1 = 16'h0000;
  parameter INJECT1_0 = "NO", INJECT1_1 = "NO";

  wire propagate0 = INIT0[{D0, C0, B0, A0}], propagate1 = INIT1[{D1, C1, B1, A1}];
  wire generate0 = INIT0[{2'b00, B0, A0}], generate1 = INIT1[{2'b00, B1, A1}];
  wire between = propagate0 ? CIN : generate0;

  assign S0 = propagate0 ^ CIN;
  assign S1 = propagate1 ^ between;
  assign COUT = propagate1 ? between : generate1;
endmodule
