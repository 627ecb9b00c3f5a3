// The cells that mapped arrays use of 7-series, for simulation, as AMD's UG474 and UG953 describe them.

// Two look-up tables of five inputs; O6 takes the upper one where I5 is set.
module LUT6_2(
  input I0, I1, I2, I3, I4, I5,
  output O5, O6
);
  parameter [63:0] INIT = 64'h0;

  wire [4:0] inputs = {I4, I3, I2, I1, I0};

  assign O5 = INIT[{1'b0, inputs}];
  assign O6 = INIT[{I5, inputs}];
endmodule

// Four places of a carry chain: S says whether a place hands the carry on, DI what it sends up otherwise.
module CARRY4(
  input CI, CYINIT,
  input [3:0] DI, S,
  output [3:0] CO, O
);
  wire carry0 = CI | CYINIT;
  wire carry1 = S[0] ? carry0 : DI[0];
  wire carry2 = S[1] ? carry1 : DI[1];
  wire carry3 = S[2] ? carry2 : DI[2];
  wire carry4 = S[3] ? carry3 : DI[3];

  assign O = S ^ {carry3, carry2, carry1, carry0};
  assign CO = {carry4, carry3, carry2, carry1};
endmodule
