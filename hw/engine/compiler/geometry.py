"""The fields of an instruction that say where a window lies and how it moves."""

from dataclasses import dataclass

from asq_model.spec.graph.tensor import Margins, Pair

NO_MARGIN = (0, 0, 0, 0)
ONE = (1, 1)


@dataclass(frozen=True)
class Window:
    """A window over a map of `words` words a pixel, of which the first `used` are read; rows first in each pair."""

    size: Pair  # of the map
    output: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Margins
    base: int  # address of the map's first word
    words: int
    used: int

    def make_fields(self, steps_over_words: bool, modulus: int) -> dict[str, int]:
        """Make the instruction's fields. steps_over_words: whether a place's words follow each other; else one is read
        of each place. modulus: addresses wrap around there.
        """
        (rows, columns), (above, _, left, _) = self.size, self.padding
        last = self.used - 1 if steps_over_words else 0
        row_words = columns * self.words
        to_next = self.dilation[1] * self.words - last
        to_row = self.dilation[0] * row_words - (self.kernel[1] - 1) * self.dilation[1] * self.words - last
        addresses = {
            "source": self.base - above * row_words - left * self.words,
            "column_step": self.stride[1] * self.words,
            "row_step": self.stride[0] * row_words,
            "kernel_column_step": to_next,
            "kernel_row_step": to_row,
        }
        return {name: number % modulus for name, number in addresses.items()} | {
            "rows": rows,
            "columns": columns,
            "last_column": self.output[1] - 1,
            "pixels": self.output[0] * self.output[1],
            "first_row": -above,
            "first_column": -left,
            "row_stride": self.stride[0],
            "column_stride": self.stride[1],
            "row_dilation": self.dilation[0],
            "column_dilation": self.dilation[1],
            "last_kernel_row": self.kernel[0] - 1,
            "last_kernel_column": self.kernel[1] - 1,
            "last_word": last,
        }
