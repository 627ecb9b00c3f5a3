// The cells that mapped arrays use of iCE40, for simulation, as Lattice's iCE Technology Library describes them.

// A look-up table of four inputs.
module SB_LUT4(
  input I0, I1, I2, I3,
  output O
);
  parameter [15:0] LUT_INIT = 16'h0000;

  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule

// The carry of a full adder; the look-up table beside it makes the sum.
module SB_CARRY(
  input I0, I1, CI,
  output CO
);
  assign CO = (I0 & I1) | (CI & (I0 | I1));
endmodule
