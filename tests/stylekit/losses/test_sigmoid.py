import math

import torch

from stylekit.losses import sigmoid_contrast


def test_equals_the_sum_over_all_pairs_written_out() -> None:
    torch.manual_seed(0)
    z, u = torch.randn(4, 6), torch.randn(3, 6)
    match = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]).bool()
    s, b = torch.tensor(3.0), torch.tensor(-2.0)
    expected = 0.0
    for i in range(4):
        for j in range(3):
            logit = 3.0 * float(z[i] @ u[j]) - 2.0
            expected += math.log1p(math.exp(-logit if match[i, j] else logit))
    assert math.isclose(float(sigmoid_contrast(z, u, match, s, b)), expected / 4, rel_tol=1e-5)


def test_identity_mask_is_the_published_loss_of_transformers() -> None:
    """SiglipModel.forward computes -sum logsigmoid(eye * logits) / n."""
    torch.manual_seed(1)
    z, u = torch.randn(5, 8), torch.randn(5, 8)
    s, b = torch.tensor(1.7), torch.tensor(-0.3)
    logits = u @ z.T * s + b
    m1_diag1 = -torch.ones_like(logits) + 2 * torch.eye(5)
    published = -torch.nn.functional.logsigmoid(m1_diag1 * logits).sum(-1).mean()
    torch.testing.assert_close(sigmoid_contrast(z, u, torch.eye(5).bool(), s, b), published)
