"""A test bench in Verilog, with an image and its results in it, that checks an engine in anyone's simulator."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

import numpy as np

from asq_model.spec.graph.graph import Graph
from hw.engine.axi_engine import RESULT_BITS
from hw.engine.compiler.compiled import Compiled

SPARE_CYCLES = 1000  # beyond the prediction, before a bench says that nothing comes

PLAIN = """\
    .i__payload(image[sent]), .i__valid(offered), .i__ready(taken),
    .o__payload({last, value}), .o__valid(given), .o__ready(1'b1), .error(error)"""

AXI = """\
    .s_axis_tdata(image[sent]), .s_axis_tvalid(offered), .s_axis_tready(taken), .s_axis_tlast(sent == NUMBERS - 1),
    .m_axis_tdata(value), .m_axis_tvalid(given), .m_axis_tready(1'b1), .m_axis_tlast(last),
    .s_axil_awaddr(6'd0), .s_axil_awprot(3'd0), .s_axil_awvalid(1'b0), .s_axil_wdata(32'd0), .s_axil_wstrb(4'd0),
    .s_axil_wvalid(1'b0), .s_axil_bready(1'b1), .s_axil_araddr(6'd0), .s_axil_arprot(3'd0), .s_axil_arvalid(1'b0),
    .s_axil_rready(1'b1)"""

BENCH = Template("""\
// ${module}_tb: sends an image through ${module}, and compares every result; ends with an error if one differs, or if
// none comes. SystemVerilog, for any simulator.
module ${module}_tb;
  localparam NUMBERS = ${numbers}, RESULTS = ${results}, MOST_CYCLES = ${most_cycles};
  reg clk = 0, rst = 1;
  reg [${top_in}:0] image [0:NUMBERS];  // one more, never sent
  reg signed [${top_out}:0] wanted [0:RESULTS - 1];
  wire signed [${top_out}:0] value;
  wire taken, given, last, error;
  integer sent = 0, seen = 0, cycles = 0;
  wire offered = !rst && sent < NUMBERS;
  always #5 clk = !clk;
  initial begin
${contents}
  end
  ${module} dut (
    .clk(clk), .rst(rst),
${ports}
  );
${no_error}  always @(posedge clk) begin
    cycles <= cycles + 1;
    rst <= cycles < 3;
    if (offered && taken) sent <= sent + 1;
    if (!rst && given) begin
      if (value !== wanted[seen]) $$fatal(1, "result %0d is %0d, not %0d", seen, value, wanted[seen]);
      if (last !== (seen == RESULTS - 1)) $$fatal(1, "result %0d: its mark of the last is %b", seen, last);
      if (seen == RESULTS - 1) begin
        $$display("PASS: all %0d results of an image are right, after %0d cycles", RESULTS, cycles);
        $$finish;
      end
      seen <= seen + 1;
    end
    if (!rst && error) $$fatal(1, "the engine has stopped with an error");
    if (cycles == MOST_CYCLES) $$fatal(1, "%0d of %0d results came in %0d cycles", seen, RESULTS, cycles);
  end
endmodule
""")


@dataclass(frozen=True)
class BenchImage:
    """An image as an engine takes it, and its results: pixel by pixel, the channels of a pixel one after the other."""

    numbers: Sequence[int]
    results: Sequence[int]


def make_bench_image(graph: Graph, image: np.ndarray) -> BenchImage:
    """Make the numbers of an image [C, H, W], and of what the graph makes of it."""
    results = graph(image[None])[0]
    return BenchImage(*([int(number) for number in part.transpose(1, 2, 0).ravel()] for part in (image, results)))


def make_up_image(graph: Graph, bits: int) -> np.ndarray:
    """Make up an image, always the same, for a network without test images. bits: of a value, where it has no bytes."""
    rng = np.random.default_rng(0)
    if graph.input.table is not None:
        return rng.integers(0, 256, graph.input.shape, np.uint8)
    return rng.integers(-(1 << bits - 1), 1 << bits - 1, graph.input.shape)


def write_constants(name: str, numbers: Sequence[int], bits: int) -> list[str]:
    """Write the lines of Verilog that fill an array with numbers of so many bits."""
    digits, ones = -(-bits // 4), (1 << bits) - 1
    return [f"    {name}[{place}] = {bits}'h{number & ones:0{digits}x};" for place, number in enumerate(numbers)]


def make_verilog_bench(module: str, compiled: Compiled, sample: BenchImage) -> str:
    """Make the test bench of an engine, plain or behind AXI (`axi_engine`)."""
    spec = compiled.spec
    behind_axi = module == "axi_engine"
    bits_in = 8 if spec.byte_input else spec.value_bits
    bits_in = -(-bits_in // 8) * 8 if behind_axi else bits_in
    bits_out = RESULT_BITS if behind_axi else spec.total_bits
    contents = write_constants("image", sample.numbers, bits_in) + write_constants("wanted", sample.results, bits_out)
    return BENCH.substitute(
        module=module,
        numbers=len(sample.numbers),
        results=len(sample.results),
        most_cycles=len(sample.numbers) + compiled.latency + len(sample.results) * 4 + SPARE_CYCLES,
        top_in=bits_in - 1,
        top_out=bits_out - 1,
        contents="\n".join(contents),
        ports=AXI if behind_axi else PLAIN,
        no_error="  assign error = 1'b0;  // it is in a register\n" if behind_axi else "",
    )
