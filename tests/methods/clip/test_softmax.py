import torch
import torch.nn.functional as F

from methods.clip.softmax import softmax_contrast


def test_one_match_each_is_the_published_loss() -> None:
    torch.manual_seed(0)
    z, u = F.normalize(torch.randn(5, 8), dim=1), F.normalize(torch.randn(5, 8), dim=1)
    scale = torch.tensor(7.0)
    logits, labels = scale * z @ u.T, torch.arange(5)
    expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    torch.testing.assert_close(softmax_contrast(z, u, torch.eye(5).bool(), scale), expected)


def test_more_matches_are_averaged() -> None:
    torch.manual_seed(0)
    z, u = F.normalize(torch.randn(3, 8), dim=1), F.normalize(torch.randn(4, 8), dim=1)
    match = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()
    logits = 5.0 * z @ u.T

    def one_way(logits: torch.Tensor, match: torch.Tensor) -> float:
        terms = []
        for row, wanted in zip(logits.tolist(), match.tolist(), strict=True):
            total = sum(torch.tensor(row).exp()).log()
            chosen = [value - total for value, is_match in zip(row, wanted, strict=True) if is_match]
            terms.append(-sum(chosen) / len(chosen))
        return float(sum(terms) / len(terms))

    expected = (one_way(logits, match) + one_way(logits.T, match.T)) / 2
    torch.testing.assert_close(
        softmax_contrast(z, u, match, torch.tensor(5.0)), torch.tensor(expected), rtol=1e-5, atol=1e-6
    )


def test_it_is_least_where_matches_share_the_probability() -> None:
    z = torch.eye(2).repeat_interleave(2, dim=0)
    match = z @ z.T > 0
    best = softmax_contrast(z, z, match, torch.tensor(100.0))
    torch.testing.assert_close(best, torch.tensor(2.0).log())
    assert softmax_contrast(z, z.roll(1, 0), match, torch.tensor(100.0)) > best
