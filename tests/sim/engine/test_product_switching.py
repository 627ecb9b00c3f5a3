"""The switching of an engine's products: of whole weights, of all bits of weights, or not measured."""

from types import SimpleNamespace

from asq_model.spec.mac import MacSpec
from sim.engine import product_switching
from sim.engine.product_switching import measure_product_switching


def test_a_weight_that_is_taken_bit_by_bit_counts_all_its_bits(tmp_path, monkeypatch):
    asked = []

    def measured(spec, golden, root, cut_bits=0):
        asked.append((spec.name, golden.name, cut_bits))
        return SimpleNamespace(per_product=10.0)

    monkeypatch.setattr(product_switching, "measure_switching", measured)
    whole, bits = MacSpec("uniform-sign", 4, 4), MacSpec("uniform-sign", 2, 4)
    assert measure_product_switching(whole, whole, tmp_path) == 10
    assert measure_product_switching(bits, whole, tmp_path) == 3 * 10
    golden = "digits_post4_a4_seed0"
    assert asked == [("uniform_sign_array8x8_w4a4", golden, 0), ("uniform_sign_array8x8_w2a4", golden, 4)]


def test_widths_without_golden_vectors_are_not_measured(tmp_path):
    wide = MacSpec("post", 6, 5)
    assert measure_product_switching(wide, wide, tmp_path) is None
