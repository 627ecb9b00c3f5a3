module shift_adder #(
    parameter BW_INPUT0 = 1, parameter BW_INPUT1 = 1, parameter SIGNED0 = 0, parameter SIGNED1 = 0,
    parameter BW_OUT = 1, parameter SHIFT1 = 0, parameter IS_SUB = 0
) (input [BW_INPUT0-1:0] in0, input [BW_INPUT1-1:0] in1, output [BW_OUT-1:0] out);
  wire sign0 = in0[BW_INPUT0-1] & (SIGNED0 != 0);
  wire sign1 = in1[BW_INPUT1-1] & (SIGNED1 != 0);
  wire signed [BW_OUT-1:0] x = $signed({sign0, in0}) <<< (SHIFT1 < 0 ? -SHIFT1 : 0);
  wire signed [BW_OUT-1:0] y = $signed({sign1, in1}) <<< (SHIFT1 > 0 ? SHIFT1 : 0);
  generate
    if (IS_SUB) assign out = x - y;
    else assign out = x + y;
  endgenerate
  (* keep *) wire top = out[BW_OUT-1];
endmodule

module negative #(parameter BW_IN = 1, parameter BW_OUT = 1, parameter IN_SIGNED = 0) (
    input [BW_IN-1:0] in, output [BW_OUT-1:0] out);
  wire signed [BW_OUT-1:0] x = $signed({in[BW_IN-1] & (IN_SIGNED != 0), in});
  assign out = -x;
  (* keep *) wire top = out[BW_OUT-1];
endmodule
