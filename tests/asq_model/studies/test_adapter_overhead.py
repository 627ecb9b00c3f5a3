import pytest

from asq_model.studies.adapter_overhead import PAPER_TABLE_1, compute_overhead, list_convolutions, render_table_1


@pytest.mark.parametrize("bits", PAPER_TABLE_1)
def test_the_paper_s_eight_figures_come_out_to_the_printed_digit(bits):
    row = compute_overhead(bits)
    assert (round(row.parameters, 2), round(row.compute, 2)) == PAPER_TABLE_1[bits]
    assert row.parameters_trained == 4 * row.parameters and row.compute_trained == 4 * row.compute


def test_resnet18_has_its_published_size():
    """Convolutions, batch norms (2 parameters a channel) and the classifier add up to torchvision's count."""
    layers = list_convolutions()
    assert len(layers) == 20
    parameters = sum(layer.weights + 2 * layer.out_channels for layer in layers) + 512 * 1000 + 1000
    assert parameters == 11_689_512


def test_the_command_prints_the_table(command):
    lines = [line.split() for line in command("asq_model", "reproduce", 1).stdout.splitlines()]
    for row in render_table_1().splitlines()[2:]:
        assert row.replace("|", " ").split() in lines
