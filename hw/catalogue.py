# amaranth: UnusedElaboratable=no
# A bench makes a unit only to know its ports.
"""Every unit that this package can write, by its specification."""

from amaranth.lib import wiring

from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC
from hw.array import Array, MappedArray
from hw.asq.adapter import Adapter
from hw.asq.adapter_step import AdapterStep
from hw.asq.channel_sums import ChannelSums
from hw.asq.layer_contents import Contents
from hw.asq.quantiser import ActivationQuantiser
from hw.asq.rescale import Rescale
from hw.mac.mac import Mac

BLOCK_COMPONENTS = {
    "channel-sums": ChannelSums,
    "adapter": Adapter,
    "quantiser": ActivationQuantiser,
    "rescale": Rescale,
    "adapter-step": AdapterStep,
}


def make_component(spec: MacSpec | ArraySpec | BlockSpec, contents: Contents | None = None) -> wiring.Component:
    """Make the circuit of a specification. contents: what the memories of a block hold at first."""
    if isinstance(spec, MacSpec):
        return Mac(spec)
    if isinstance(spec, ArraySpec):
        return Array(spec) if spec.fpga_family == GENERIC else MappedArray(spec)
    return BLOCK_COMPONENTS[spec.unit](spec, *([contents] if contents else []))
