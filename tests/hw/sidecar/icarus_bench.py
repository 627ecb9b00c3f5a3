"""Drives emitted modules in Icarus Verilog: a test bench in Verilog for each run, written from the sidecar alone.

Many runs go into one process. A bench resets the module, lets some beats in, resets it again (they must be gone), then
sends what the run says and logs every beat that was taken, with its cycle.
"""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

QUIET = 4000  # cycles without a beat after which a run ends
TAIL = 40  # cycles after the last awaited beat, in which nothing more may come

HEAD = """module {top};
  reg clk = 0, rst = {active}; integer cycle = 0, quiet = 0, tail = 0, file, seed = {seed}, going = 1, resets = 0;
  integer since = 0, taken = 0; reg second = 0;
  initial begin file = $fopen("{log}", "w"); while (going) begin #9 clk = 1; #9 clk = 0; end $fclose(file); end
"""
IN = """  reg [{high}:0] {s}_words [0:{most}]; reg [15:0] {s}_gaps [0:{most}]; integer {s}_at = 0, {s}_wait = 0;
  reg [{high}:0] {s}_payload = {{{width}{{1'bx}}}}; reg {s}_valid = 0; wire {s}_ready;
  initial begin $readmemh("{words}", {s}_words); $readmemh("{gaps}", {s}_gaps); end
"""
OUT = """  wire [{high}:0] {s}_payload; wire {s}_valid; reg {s}_ready = 0;
  reg [{high}:0] {s}_before; reg {s}_waits = 0;
"""
SEND = """      if ({s}_valid && {s}_ready) begin $fdisplay(file, "{s} %0d %h", cycle, {s}_payload); quiet = 0; end
      if (!{s}_valid || {s}_ready) begin
        if ({s}_at < {count} && {s}_wait == 0 && {when}) begin
          {s}_valid <= 1; {s}_payload <= {s}_words[{s}_at]; {s}_at = {s}_at + 1;
          if ({s}_at < {count}) {s}_wait = {s}_gaps[{s}_at];
        end else begin
          {s}_valid <= 0; {s}_payload <= {{{width}{{1'bx}}}}; if ({s}_wait > 0) {s}_wait = {s}_wait - 1;
        end
      end
"""
GIVE = """      if ({s}_ready) begin
        $fdisplay(file, "{s} %0d %h", cycle, {s}_payload); {s}_at = {s}_at + 1; {s}_payload <= {s}_words[{s}_at];
      end
"""
TAKE = """      if ({s}_waits && (!{s}_valid || {s}_payload !== {s}_before)) $fdisplay(file, "{s} %0d unstable", cycle);
      if ({s}_valid && {s}_ready) begin
        $fdisplay(file, "{s} %0d %h", cycle, {s}_payload); quiet = 0; taken = taken + 1;
      end
      if ({s}_valid !== 0 && {s}_valid !== 1) $fdisplay(file, "{s} %0d unknown", cycle);
      {s}_waits = {holds} && {s}_valid && !{s}_ready; {s}_before = {s}_payload; {s}_ready <= {ready};
"""
# Between two edges each handshake input is turned over in turn; what follows it is seen, and must be told.
PROBE = """  reg {flips} = 0; reg [{high}:0] before, follows [0:{last}]; integer place;
  initial for (place = 0; place <= {last}; place = place + 1) follows[place] = 0;
  always @({idle} clk) if (rst !== {active}) begin
    before = {{{seen}}};
{turns}  end
"""
TURN = "    {flip} = 1; #1 follows[{index}] = follows[{index}] | (before ^ {{{seen}}}); {flip} = 0; #1 ;\n"
TAIL_TEXT = """      if (taken >= {awaited}) tail = tail + 1;
      if (tail > {tail} || quiet > {quiet}) begin if (going) begin {told} end going = 0; end
    end
  end
endmodule
"""


@dataclass
class Run:
    """One run of one module.

    held: constant ports; sent: (word, cycles before it is offered) of each beat, by stream; awaited: how many beats
    come out; stalls: whether outputs make the module wait; restart: when it is reset; then: what is sent and held
    afterwards, once all of this has come out, without a reset between; untaken: output streams that nobody takes.
    """

    sidecar: dict
    verilog: Path
    held: dict[str, int]
    sent: dict[str, list[tuple[int, int]]]
    awaited: int
    stalls: bool = False
    restart: int = 7
    then: "Run | None" = None
    untaken: tuple[str, ...] = ()
    log: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def parts(self) -> list["Run"]:
        return [self, self.then] if self.then else [self]

    def counts(self, stream: str) -> list[int]:
        """Beats to be sent until this, and until what is sent afterwards."""
        first = len(self.sent.get(stream, ()))
        return [first, sum(len(part.sent.get(stream, ())) for part in self.parts)]

    def follows(self, output: str) -> set[str]:
        """Handshake inputs that an output of the module was seen to follow in the same cycle."""
        return {entry.split("<")[1] for entry in self.log if entry.startswith(f"{output}<")}

    def beats(self, stream: str) -> list[tuple[int, int]]:
        """(cycle, word) of the beats taken. Raises AssertionError for a word that is not known."""
        unknown = [entry for entry in self.log.get(stream, ()) if set(entry[1]) - set("0123456789abcdef")]
        assert not unknown, f"{self.sidecar['top']}: stream {stream} at cycle {unknown[0][0]} is {unknown[0][1]}"
        return [(cycle, int(word, 16)) for cycle, word in self.log.get(stream, ())]


def widths(sidecar: dict) -> dict[str, int]:
    return {port["name"]: port["width"] for port in sidecar["ports"]}


def send_text(stream: dict, run: Run, width: int) -> tuple[str, str]:
    """Statements at a clock edge for an input stream, and those of a reset."""
    name = stream["name"]
    first, count = run.counts(name)
    if stream["valid"] is None:
        return GIVE.format(s=name), f"{name}_at = 0; {name}_payload <= {name}_words[0];"
    loads = any(other["name"] == "load" for other in run.sidecar["streams"]) and run.sidecar["form"] == "block"
    when = f"({name}_at < {first} || second)"
    if loads and name != "load":
        when += " && load_at == (second ? {1} : {0}) && !load_valid".format(*run.counts("load"))
    reset = f"{name}_at = 0; {name}_valid <= 0; {name}_wait = {name}_gaps[0];"
    if name == "load" and loads:  # what a memory was given before the reset is not sent again
        reset = f"{name}_valid <= 0; if ({name}_at > {first}) {name}_at = 0;"
    return SEND.format(s=name, count=count, width=width, when=when), reset


def input_text(run: Run, stream: dict, top: str, folder: Path, width: int) -> tuple[str, str, str]:
    """Declarations, statements at a clock edge and statements at a reset of an input stream; its beats go to files."""
    name = stream["name"]
    beats = [beat for part in run.parts for beat in part.sent.get(name, ())]
    padded = [*beats, *[(0, 0)] * TAIL] if stream["valid"] is None else [*beats, (0, 0)]
    files = {kind: f"{top}.{name}.{kind}" for kind in ("words", "gaps")}
    for index, kind in enumerate(files):
        (folder / files[kind]).write_text("".join(f"{beat[index]:x}\n" for beat in padded))
    text = IN.format(s=name, width=width, high=width - 1, most=len(padded) - 1, **files)
    text += f"  assign {name}_ready = 1;\n" if stream["ready"] is None else ""
    return text, *send_text(stream, run, width)


def output_text(run: Run, stream: dict, width: int) -> tuple[str, str, str]:
    """The same of an output stream. With stalls, ready waits for valid."""
    name = stream["name"]
    ready = f"{name}_valid && !{name}_ready && $random(seed) % 3 == 0" if run.stalls else "1"
    ready = "0" if name in run.untaken else ready
    step = TAKE.format(s=name, ready=ready, holds=int(stream["ready"] is not None))
    return OUT.format(s=name, high=width - 1), step, f"{name}_ready <= 0; {name}_waits = 0;"


def reset_text(run: Run) -> str:
    """Statements at a clock edge under reset: what ready must show from the second one on, and the reset's end."""
    reset = run.sidecar["reset"]
    shown = {row["name"]: row["ready_in_reset"] for row in run.sidecar["streams"] if row["ready_in_reset"] is not None}
    said = "".join(
        f'if ({name}_ready !== {value}) $fdisplay(file, "{name} 0 ready_in_reset"); ' for name, value in shown.items()
    )
    return (
        f"  always @({'pos' if run.sidecar['clock']['edge'] == 'rising' else 'neg'}edge clk) begin\n"
        "    cycle = cycle + 1; quiet = quiet + 1; since = since + 1;\n"
        f"    if (rst === {reset['active']}) begin\n      if (since > 1) begin {said}end\n"
        f"      if (since > {reset['cycles']}) begin rst <= !rst; since = 0; resets = resets + 1; end\n"
    )


def probe_text(run: Run) -> tuple[str, dict[str, str], str]:
    """Statements that turn over handshake inputs, what to connect in their place, and those that log what followed."""
    streams = run.sidecar["streams"]
    parts = [(row["name"], row["direction"], part, row[part]) for row in streams for part in ("valid", "ready")]
    parts = [(f"{name}_{part}", port, (part == "valid") == (way == "in")) for name, way, part, port in parts if port]
    inputs = {port: name for name, port, is_input in parts if is_input}
    outputs = {port: name for name, port, is_input in parts if not is_input}
    if not inputs or not outputs:
        return "", {}, ""
    seen = ", ".join(outputs.values())
    turns = [TURN.format(flip=f"flip_{port}", index=index, seen=seen) for index, port in enumerate(inputs)]
    text = PROBE.format(
        flips=" = 0, ".join(f"flip_{port}" for port in inputs),
        high=len(outputs) - 1,
        last=len(inputs) - 1,
        idle="negedge" if run.sidecar["clock"]["edge"] == "rising" else "posedge",
        active=run.sidecar["reset"]["active"],
        seen=seen,
        turns="".join(turns),
    )
    told = [
        f'if (follows[{row}][{len(outputs) - 1 - column}]) $fdisplay(file, "{output}<{port} 0 0");'
        for row, port in enumerate(inputs)
        for column, output in enumerate(outputs)
    ]
    return text, {port: f"{name} ^ flip_{port}" for port, name in inputs.items()}, " ".join(told)


def bench(run: Run, top: str, folder: Path) -> str:
    """Verilog of the module `top`, whose words and log are files in `folder`."""
    sidecar, wide = run.sidecar, widths(run.sidecar)
    active = sidecar["reset"]["active"]
    text = [HEAD.format(top=top, active=active, seed=run.restart, log=f"{top}.log")]
    wiring = [f".{sidecar['clock']['port']}(clk)", f".{sidecar['reset']['port']}(rst)"]
    probe, turned, told = probe_text(run)
    steps, restarts = [], ["second = 0;"]
    for port, value in run.held.items():
        wiring.append(f".{port}(held_{port})")
        text.append(f"  reg [{wide[port] - 1}:0] held_{port} = {wide[port]}'h{value:x};\n")
        restarts.append(f"held_{port} <= {wide[port]}'h{value:x};")
    if run.then:
        changes = " ".join(f"held_{port} <= {wide[port]}'h{value:x};" for port, value in run.then.held.items())
        steps.append(f"      if (!second && taken >= {run.awaited}) begin second = 1; {changes} end\n")
    for stream in sidecar["streams"]:
        name, width = stream["name"], wide[stream["payload"]]
        inwards = stream["direction"] == "in"
        parts = input_text(run, stream, top, folder, width) if inwards else output_text(run, stream, width)
        for part, place in zip(parts, (text, steps, restarts), strict=True):
            place.append(part)
        ports = {stream[part]: f"{name}_{part}" for part in ("payload", "valid", "ready") if stream[part]}
        wiring += [f".{port}({turned.get(port, signal)})" for port, signal in ports.items()]
    text.append(f"  {sidecar['top']} dut ({', '.join(wiring)});\n{probe}{reset_text(run)}")
    text.append(
        f"    end else if (resets == 1 && since == {run.restart}) begin\n"
        f'      rst <= {active}; since = 0; taken = 0; tail = 0; $fdisplay(file, "restart 0 0");\n'
        f"      {' '.join(restarts)}\n    end else begin\n"
    )
    awaited = sum(part.awaited for part in run.parts)
    return "".join(text + steps) + TAIL_TEXT.format(awaited=awaited, tail=TAIL, quiet=QUIET, told=told)


def read_log(path: Path) -> dict[str, list[tuple[int, str]]]:
    """What was logged after the second reset began, by stream."""
    log: dict[str, list[tuple[int, str]]] = {}
    for line in path.read_text().splitlines():
        stream, cycle, word = line.split()
        if stream == "restart":
            log = {}
            continue
        log.setdefault(stream, []).append((int(cycle), word))
    return log


def simulate(runs: list[Run], folder: Path) -> None:
    """Run them all in one process, and keep their logs."""
    assert shutil.which("iverilog") and shutil.which("vvp"), "run the tests by `make test`, which gets Icarus Verilog"
    folder.mkdir(parents=True, exist_ok=True)
    tops = [f"bench_{index}" for index in range(len(runs))]
    text = "".join(bench(run, top, folder) for run, top in zip(runs, tops, strict=True))
    (folder / "benches.v").write_text(text)
    sources = list(dict.fromkeys(str(run.verilog.resolve()) for run in runs))
    chosen = [word for top in tops for word in ("-s", top)]
    build = ["iverilog", "-g2005", *chosen, "-o", "benches.vvp", "benches.v", *sources]
    for command in (build, ["vvp", "-n", "benches.vvp"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, (done.stdout + done.stderr)[-2000:]
    for run, top in zip(runs, tops, strict=True):
        run.log = read_log(folder / f"{top}.log")
