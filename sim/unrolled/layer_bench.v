module bench (input clk);
  reg [${a_bits}-1:0] a; wire [${y_bits}-1:0] y; reg [${a_bits}+${y_bits}-1:0] vectors [0:${vectors}-1];
  integer i = 0, wrong = 0; reg ready = 0;
  ${top} dut (a, y);
  initial $readmemh("vectors.hex", vectors);
  always @(negedge clk) begin a <= vectors[i][${a_bits}-1:0]; ready <= 1; end
  always @(posedge clk) if (ready) begin
    if (y != vectors[i][${a_bits}+${y_bits}-1:${a_bits}]) wrong = wrong + 1;
    i = i + 1;
    if (i == ${vectors}) begin $display("wrong: %0d of %0d", wrong, i); $finish; end
  end
endmodule
