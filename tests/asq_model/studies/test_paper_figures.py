import re

import pytest
import torch
from conftest import ROOT
from matplotlib import pyplot as plt
from matplotlib.text import Text
from PIL import Image

from asq_model.common.records import check_content, read_record
from asq_model.config.layer_config import LayerConfig
from asq_model.config.recipe import recipe_of
from asq_model.config.run_options import RunOptions
from asq_model.quantisation.activations import FROM_BATCH
from asq_model.quantisation.layers import QuantLinear
from asq_model.studies.figure_levels import count_magnified
from asq_model.studies.figure_networks import load_networks, measure_errors
from asq_model.studies.figure_records import FIGURES_PAGE
from asq_model.studies.measure_figures import make_report
from asq_model.studies.pages import write_training_pages
from asq_model.studies.paper_figures import FIGURES, draw_figure, draw_figure_3, write_figures
from asq_model.studies.paper_figures_page import describe_plots, list_figures
from asq_model.studies.trained_out.record import TRAINED_OUT
from asq_model.training.train import train

pytestmark = pytest.mark.xdist_group("figures")  # one worker trains what they look at

RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with the five checkpoints that the figures need, barely trained."""
    folder = tmp_path_factory.mktemp("figures")

    def made(run=None, **fields):
        recipe = recipe_of("digits", batch=512, **fields)
        path = folder / f"{recipe.name}.safetensors"
        train(recipe, path, run or RunOptions())
        return path

    full = made(full_precision_epochs=1, quantised_epochs=0)
    for bits in (2, 3):
        for activations in ("lsq", "asq"):
            fields = {"weight_bits": bits, "activation_bits": bits, "activations": activations, "family": "uniform"}
            made(RunOptions(start=full), full_precision_epochs=0, quantised_epochs=1, **fields)
    return folder


@pytest.fixture(scope="module")
def report(study):
    """What was measured of the networks for the figures."""
    return make_report(load_networks("digits", 0, study, None, None))


def test_every_figure_is_drawn(study, command, tmp_path):
    done = command("asq_model", "figures", "--network", "digits", "--study", study, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert "ASQ at 2 bits: " in text and all(f"figure{number}.png" in text for number in FIGURES)
    assert list_figures("") == list(FIGURES)
    for number in FIGURES:
        with Image.open(tmp_path / f"figure{number}.png") as image:
            assert image.width > 500 and len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_figures_are_drawn_again_from_their_record_alone(report, tmp_path):
    written = write_figures(report, tmp_path)
    before = {path: path.read_bytes() for path in written}
    for path in written:
        path.unlink()
    assert set(write_training_pages(tmp_path)) == set(written)
    assert {path: path.read_bytes() for path in written} == before


def test_the_page_says_what_the_figures_show(report):
    """Counted here by hand, from three layers and two blocks."""
    even, uneven = [0.25] * 4, [1.0, 0.0, 0.0, 0.0]
    spreads = {"small": [1.0, 1.0, 3.0], "large": [2.0, 1.0, 2.0]}
    errors = {name: {"means": means, "deviations": [0.0] * 3} for name, means in spreads.items()}
    plots = report["plots"] | {
        "codes": {"LSQ": {"layer": "b", "shares": uneven}, "ASQ": {"layer": "b", "shares": even}},
        "distances": {"LSQ": [2.0, 4.0], "ASQ": [1.0, 5.0]},
        "layers": ["a", "b", "c"],
        "errors": {
            "LSQ": {"rounding": errors["large"], "clipping": errors["small"], "whole": errors["large"]},
            "ASQ": {"rounding": errors["small"], "clipping": errors["large"], "whole": errors["large"]},
        },
    }
    said = describe_plots(plots)
    assert "A code of b carries 0.00 bits with LSQ, 2.00 with ASQ (its entropy); used are 1 codes and 4." in said[4]
    assert said[4].endswith("in this layer, it does.")
    assert "after 1 of 2 blocks; its distances are 0.50 to 1.25 times" in said[5]
    assert "Of 3 layers" in said[6] and "rounding in 1, by clipping in 1, by both together in 0." in said[6]
    assert said[6].endswith("here it is larger in 0 of 3, and varies more over images in 0.")
    other_way = plots["codes"] | {"ASQ": {"layer": "b", "shares": uneven}}
    assert describe_plots(plots | {"codes": other_way})[4].endswith("in this layer, it does not.")
    larger = plots["errors"]["LSQ"] | {"whole": {"means": [3.0, 1.0, 1.0], "deviations": [0.1, 0.1, 0.0]}}
    assert describe_plots(plots | {"errors": plots["errors"] | {"ASQ": larger}})[6].endswith(
        "larger in 1 of 3, and varies more over images in 2."
    )


@pytest.mark.parametrize("lost", ["layers", "blocks"])
def test_plots_of_other_lengths_are_refused(report, lost):
    check_content(FIGURES_PAGE, report)
    plots = report["plots"] | {lost: report["plots"][lost][1:]}
    with pytest.raises(ValueError, match="lists of other lengths"):
        check_content(FIGURES_PAGE, report | {"plots": plots})


def test_a_figure_that_cannot_be_drawn_leaves_the_pictures_of_the_page_that_is_there(report, tmp_path, monkeypatch):
    (tmp_path / "figure1.png").write_bytes(b"old")
    monkeypatch.setitem(FIGURES, 6, lambda report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_figures(report, tmp_path)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("figure1.png", b"old")]


def test_every_text_is_read_at_the_width_that_a_page_has(report):
    """A page shows 700 pixels, 96 an inch: there no text is below 8 points, and none is cut."""
    for number in FIGURES:
        figure = draw_figure(number, report)
        shown = 700 / 96 / figure.get_figwidth()
        figure.draw_without_rendering()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
        assert len(texts) > 10 and min(text.get_fontsize() for text in texts) * shown >= 8, number
        drawn, whole = figure.get_tightbbox(), figure.bbox_inches.padded(0.01)
        plt.close(figure)
        assert whole.x0 <= drawn.x0 and whole.y0 <= drawn.y0 and drawn.x1 <= whole.x1 and drawn.y1 <= whole.y1, number


def test_figures_are_drawn_of_networks_trained_out(study, command, refused, tmp_path):
    """Names have part and epochs; a run made again serves, too; no network has 2 bits, so that Figure 4 is of 3."""
    lsq, asq = "digits_uniform3_a3_lsq_seed0", "digits_uniform3_a3_seed0"
    names = {"digits_full_seed0": "ceiling_digits_full_seed0_e1", lsq: f"rows_{lsq}_e1", asq: f"repeats_{asq}_e1_2"}
    for name, other in names.items():
        (tmp_path / f"{other}.safetensors").write_bytes((study / f"{name}.safetensors").read_bytes())
    words = ("asq_model", "figures", "--network", "digits", "--study", tmp_path, "--out", tmp_path / "out")
    done = command(*words, "--suffix", "-more")
    assert done.returncode == 0, done.stderr
    drawn = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert drawn == [f"figure{number}-more.png" for number in (1, 4, 5, 6)]
    page = (tmp_path / "out" / "figures-more.md").read_text(encoding="utf-8")
    assert "One layer's input at 3 bits" in page and "The paper draws 2 bits" in page and "Figure 3" not in page
    (tmp_path / "digits_full_seed0.safetensors").write_bytes(b"")
    assert "has several checkpoints of digits_full_seed0: digits_full" in refused(*words)


@pytest.mark.parametrize("page, record", [("figures", "trained-out"), ("figures-resnet20", "trained-out-resnet20")])
def test_the_committed_figures_are_of_networks_in_the_records(page, record):
    report = read_record(RESULTS / f"{page}.json", FIGURES_PAGE)
    study = read_record(RESULTS / f"{record}.json", TRAINED_OUT)
    right = {run["digest"][:12]: run["correct"] for run in [study["ceiling"], *study["rows"], *study["repeats"]]}
    shown = {line.split("`")[1]: int(re.findall(r"(\d+) of 10000", line)[0]) for line in report["made"]}
    assert shown and shown.items() <= right.items()


def test_figure_3_magnifies_the_levels_near_zero():
    """POT's extended set has 2^−7, 2^−6 and 2^−5 there; POST's smallest is √2^−7, beyond the paper's range."""
    figure = draw_figure_3(None)
    whole, magnified = figure.axes
    names = [label.get_text() for label in whole.get_yticklabels()]
    near = dict(zip(names, (line.get_xdata() for line in magnified.lines), strict=True))
    plt.close(figure)
    assert near["POT extended"] == pytest.approx([0, 2**-7, 2**-6, 2**-5, 2**-4, 2**-3])
    assert near["POST extended"] == pytest.approx([0, 2**-3.5, 2**-3])
    assert near["uniform"] == pytest.approx([0, 2**-3])
    assert sorted(whole.lines[list(near).index("uniform")].get_xdata()) == pytest.approx([n / 8 for n in range(-8, 8)])
    assert magnified.get_xlim()[1] < 0.2 < whole.get_xlim()[1]
    said = count_magnified()
    assert "POST extended 1," in said and "POT extended 4," in said and "uniform 1," in said


@pytest.mark.exhaustive
def test_every_figure_is_drawn_the_same_twice(study, command, tmp_path):
    for out in ("a", "b"):
        command("asq_model", "figures", "--network", "digits", "--study", study, "--out", tmp_path / out)
    for number in FIGURES:
        first, second = (tmp_path / out / f"figure{number}.png" for out in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_checkpoints_in_the_wrong_place_are_refused(study, refused, tmp_path):
    words = ("asq_model", "figures", "--network", "digits", "--study", tmp_path, "--out", tmp_path / "out")
    assert "digits_full_seed0.safetensors does not exist" in refused(*words)
    for path in study.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lsq, asq = (tmp_path / f"digits_uniform2_a2{which}_seed0.safetensors" for which in ("_lsq", ""))
    lsq.write_bytes(asq.read_bytes())
    assert "not one of LSQ at 2 bits" in refused(*words)
    assert "is quantised; the figures compare" in refused(*words, "--from", asq)
    assert not (tmp_path / "out").exists()


def test_errors_are_told_apart():
    """Codes 0 … 3 of step 1: 0.4 is rounded by 0.4, 5 is clipped by 2, −1 is clipped by 1."""
    layer = QuantLinear.of(torch.nn.Linear(3, 1), LayerConfig("uniform", activations="lsq", activation_bits=2)).eval()
    layer.activation_quantiser.started.fill_(FROM_BATCH)
    rounding, clipping = measure_errors(layer, torch.tensor([[0.4, 5.0, -1.0], [3.0, 2.0, 3.0]]))
    torch.testing.assert_close(rounding, torch.tensor([0.4, 0.0]))
    torch.testing.assert_close(clipping, torch.tensor([5**0.5, 0.0]))
