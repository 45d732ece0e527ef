"""Rows of numbers: irises, flattened images, folds."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.datasets.digits.families import load_family
from pdenca.datasets.tables import Examples, Standardising, flattened, iris, stratified_folds


def test_irises_are_fishers():
    flowers = iris()
    assert flowers.inputs.shape == (150, 4)
    assert flowers.labels.bincount().tolist() == [50, 50, 50]
    assert flowers.classes == ("setosa", "versicolor", "virginica")
    assert flowers.inputs[0].tolist() == pytest.approx([5.1, 3.5, 1.4, 0.2])


def test_images_become_means_over_blocks():
    digits = load_family("mnist", "test", None, sample=True).select(torch.arange(3))
    whole, half = flattened(digits), flattened(digits, 14)
    assert (whole.image_shape, half.image_shape) == ((28, 28), (14, 14))
    assert torch.equal(whole.inputs, digits.images.flatten(1).float() / 255)
    block = digits.images[2, 10:12, 14:16].float().mean() / 255
    assert float(half.inputs[2, 5 * 14 + 7]) == pytest.approx(float(block))
    with pytest.raises(BadInputError, match="into 13 blocks"):
        flattened(digits, 13)


def test_standardised_inputs_have_mean_0_and_deviation_1():
    examples = Examples(
        torch.randn(50, 3) * torch.tensor([1.0, 5.0, 0.0]) + 7, torch.zeros(50).long(), ("a",)
    )
    scaled = Standardising.of(examples)(examples).inputs
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    common = Standardising.of(examples, common=True)(examples).inputs
    assert float(common.mean()) == pytest.approx(0, abs=1e-5)
    assert float(common.std(correction=0)) == pytest.approx(1)
    assert float(common[:, 2].std()) < 1e-7


def test_folds_hold_out_every_example_once_and_every_class_evenly():
    labels = iris().labels
    folds = stratified_folds(labels, 5, seed=3)
    assert torch.cat(folds).sort().values.tolist() == list(range(150))
    assert all(labels[fold].bincount().tolist() == [10, 10, 10] for fold in folds)
    again, other = stratified_folds(labels, 5, seed=3), stratified_folds(labels, 5, seed=4)
    assert all(torch.equal(one, two) for one, two in zip(folds, again, strict=True))
    assert not all(torch.equal(one, two) for one, two in zip(folds, other, strict=True))
    uneven = stratified_folds(torch.tensor([0] * 7 + [1] * 4), 3, seed=0)
    assert sorted(map(len, uneven)) == [3, 4, 4]
    for count in (1, 51):
        with pytest.raises(BadInputError, match="2 folds or more"):
            stratified_folds(labels, count, seed=0)
