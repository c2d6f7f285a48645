import pytest
import torch
from torch import nn

from stylekit.chunking import in_chunks


def tower(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.Dropout(dropout), nn.Linear(64, 4)).double()


def contrast(z: torch.Tensor) -> torch.Tensor:
    """A loss in which every row meets every other."""
    return (z @ z.T).softmax(1).diagonal().log().mean()


@pytest.mark.parametrize("size", [1, 3, 5, 12, None])
def test_result_and_gradients_are_those_of_the_whole_batch(size):
    inputs = torch.randn(12, 6, dtype=torch.float64)
    plain, chunked = tower(), tower()
    expected = contrast(plain(inputs))
    expected.backward()
    found = contrast(in_chunks(chunked, inputs, size))
    found.backward()
    torch.testing.assert_close(found, expected)
    for one, other in zip(chunked.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_dropout_falls_the_same_way_in_both_passes():
    """Were other units dropped in the second pass, the gradient would not be that of the loss."""
    model, inputs = tower(dropout=0.5), torch.randn(8, 6, dtype=torch.float64)

    def loss(weight: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        return in_chunks(
            lambda rows: torch.func.functional_call(model, {"3.weight": weight}, rows), inputs, 3
        ).sum()

    assert torch.autograd.gradcheck(loss, model[3].weight.detach().clone().requires_grad_())


def test_memory_grows_with_the_chunk_and_not_with_the_batch():
    def kept(rows: int, size: int | None) -> int:
        """Return the bytes that the graph keeps between the two passes."""
        bytes_kept = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal bytes_kept
            bytes_kept += tensor.nbytes
            return tensor

        model, inputs = tower(), torch.randn(rows, 6, dtype=torch.float64)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            in_chunks(model, inputs, size)
        return bytes_kept

    assert kept(256, 8) < kept(256, None) / 8


def test_without_gradients_nothing_is_run_twice():
    calls = []

    def count(rows):
        calls.append(len(rows))
        return rows

    with torch.no_grad():
        assert torch.equal(in_chunks(count, torch.arange(7.0), 3), torch.arange(7.0))
    assert calls == [3, 3, 1]
