import math

import torch
import torch.nn.functional as F

from methods.megastyle_encoder import image_style_contrast


def test_image_style_contrast_matches_every_image_of_a_style() -> None:
    """With two images of style 7 both rows are positive against its one prompt."""
    torch.manual_seed(0)
    z, u = F.normalize(torch.randn(3, 4), dim=1), F.normalize(torch.randn(2, 4), dim=1)
    s, b = torch.tensor(5.0), torch.tensor(-1.0)
    loss = image_style_contrast(z, u, torch.tensor([7, 7, 9]), torch.tensor([7, 9]), s, b)
    signs = [[1, -1], [1, -1], [-1, 1]]
    expected = sum(
        math.log1p(math.exp(-signs[i][j] * (5.0 * float(z[i] @ u[j]) - 1.0)))
        for i in range(3)
        for j in range(2)
    )
    assert math.isclose(float(loss), expected / 3, rel_tol=1e-5)
