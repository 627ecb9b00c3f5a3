module registered_${top} (input clk, input load, input d, output q);
  reg [${a_bits}-1:0] a; wire [${y_bits}-1:0] y; reg [${y_bits}-1:0] found, shifted;
  ${top} unit (a, y);
  always @(posedge clk) begin
    a <= {a, d};
    found <= y;
    shifted <= load ? found : {shifted, 1'b0};
  end
  assign q = shifted[${y_bits}-1];
endmodule
