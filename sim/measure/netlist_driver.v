module driver(input clk, input rst);
  reg [${word_width}-1:0] words [0:${words}];
  integer index = 0, received = 0, file;
  wire [${word_width}-1:0] word = words[index];
  wire i_valid = !rst && index < ${words};
  ${ready};
  wire o_valid;
  wire [${o_width}-1:0] o_payload;
  initial begin
    $readmemh("words.hex", words);
    file = $fopen("results.hex", "w");
  end
  always @(posedge clk) begin
    if (i_valid && i_ready) index <= index + 1;
    if (!rst && o_valid) begin
      $fdisplay(file, "%h", o_payload);
      received <= received + 1;
      if (received + 1 == ${results}) $finish;
    end
  end
  ${top} unit(
    .clk(clk), .rst(rst),
${connections}
    .o__valid(o_valid), .o__payload(o_payload)
  );
endmodule
