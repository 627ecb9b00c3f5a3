"""An engine's Verilog: its top module, and those of which it has many, a lane and a column."""

from amaranth.lib import wiring

from hw.emit import to_verilog
from hw.engine.axi_engine import AxiEngine
from hw.engine.engine import Engine
from hw.engine.flashed_engine import FlashedEngine


def make_engine_verilog(component: Engine | AxiEngine | FlashedEngine, name: str, header: str) -> str:
    """Make the Verilog of an engine, top module `name`, under `header` as a comment."""
    engine = component if isinstance(component, Engine) else component.engine
    parts: dict[str, wiring.Component] = engine.modules()
    texts = [to_verilog(component, name, header)]
    texts += [to_verilog(part, part_name, f"{part_name}: a part of {name}") for part_name, part in parts.items()]
    return "\n".join(texts)
