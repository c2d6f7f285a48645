import math

import pytest
import torch
import torch.nn.functional as F

from stylekit.losses import supervised_contrast


def brute_force(z: torch.Tensor, styles: list[int], tau: float) -> float:
    terms = []
    for i in range(len(z)):
        positives = [p for p in range(len(z)) if p != i and styles[p] == styles[i]]
        if not positives:
            continue
        denominator = sum(math.exp(float(z[i] @ z[a]) / tau) for a in range(len(z)) if a != i)
        terms.append(
            -sum(math.log(math.exp(float(z[i] @ z[p]) / tau) / denominator) for p in positives)
            / len(positives)
        )
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("styles", [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2], [0, 1, 2, 3, 3, 3]])
def test_supervised_contrast_equals_the_formula_written_out(styles: list[int]) -> None:
    torch.manual_seed(len(styles))
    z = F.normalize(torch.randn(len(styles), 8, dtype=torch.float64), dim=1)
    loss = supervised_contrast(z, torch.tensor(styles), temperature=0.2)
    assert math.isclose(float(loss), brute_force(z, styles, 0.2), rel_tol=1e-9)


def test_images_without_positives_do_not_count_and_leave_no_nan() -> None:
    z = F.normalize(torch.randn(4, 8), dim=1).requires_grad_()
    loss = supervised_contrast(z, torch.arange(4))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(z.grad, torch.zeros_like(z))


def test_image_without_positives_still_serves_as_a_negative() -> None:
    z = F.normalize(torch.randn(3, 8), dim=1)
    with_negative = supervised_contrast(z, torch.tensor([0, 0, 1]))
    assert float(supervised_contrast(z[:2], torch.tensor([0, 0]))) == pytest.approx(0.0, abs=1e-6)
    assert float(with_negative) > 0.0


def test_loss_falls_when_a_style_is_pulled_together() -> None:
    torch.manual_seed(0)
    z = F.normalize(torch.randn(6, 8), dim=1)
    styles = torch.tensor([0, 0, 1, 1, 2, 2])
    centres = F.normalize(z.view(3, 2, 8).mean(1, keepdim=True).expand(3, 2, 8).reshape(6, 8), dim=1)
    nearer = F.normalize(0.5 * z + 0.5 * centres, dim=1)
    assert float(supervised_contrast(nearer, styles)) < float(supervised_contrast(z, styles))


def test_order_of_the_batch_does_not_matter() -> None:
    z = F.normalize(torch.randn(8, 4, dtype=torch.float64), dim=1)
    styles = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    order = torch.randperm(8)
    torch.testing.assert_close(
        supervised_contrast(z, styles), supervised_contrast(z[order], styles[order]), rtol=1e-12, atol=1e-12
    )
