import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from stylekit.errors import ConfigError
from stylekit.muon import MuonWithAdamW, nearest_orthogonal
from stylekit.stage import Stage


def make_parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [
        nn.Parameter(torch.randn(6, 4)),
        nn.Parameter(torch.randn(6, 3, 2, 2)),
        nn.Parameter(torch.randn(5)),
    ]


def set_gradients(parameters: list[nn.Parameter], seed: int = 1) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_a_matrix_moves_by_the_nearest_orthogonal_matrix_of_its_gradient() -> None:
    (matrix, kernel, _), lr = make_parameters(), 0.1
    for parameter, shape in ((matrix, (6, 4)), (kernel, (6, 12))):
        optimizer = MuonWithAdamW([parameter], lr=lr, weight_decay=0.0)
        before = parameter.detach().clone().view(shape)
        set_gradients([parameter])
        assert parameter.grad is not None
        u, _, v = torch.linalg.svd(parameter.grad.view(shape), full_matrices=False)
        optimizer.step()
        moved = (before - parameter.detach().view(shape)) / (0.2 * lr * max(shape) ** 0.5)
        # Newton and Schulz's steps leave singular values that are not tiny between 0.68 and 1.21
        in_its_axes = u.T @ moved @ v.T
        singular = in_its_axes.diagonal()
        assert (in_its_axes - singular.diag()).abs().max() < 0.02
        assert 0.6 < float(singular.min()) <= float(singular.max()) < 1.3


def test_matrices_move_as_with_the_muon_of_torch() -> None:
    ours, theirs = make_parameters()[:2], [parameter.flatten(1) for parameter in make_parameters()[:2]]
    theirs = [nn.Parameter(parameter.detach()) for parameter in theirs]
    optimizer = MuonWithAdamW(ours, lr=0.1, momentum=0.9, weight_decay=0.1)
    reference = torch.optim.Muon(
        theirs, lr=0.1, momentum=0.9, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(4):
        set_gradients(ours, step)
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.grad is not None
            other.grad = mine.grad.flatten(1).clone()
        optimizer.step()
        reference.step()  # type: ignore[no-untyped-call]
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.flatten(1), other, rtol=0.0, atol=0.01)  # it computes in bfloat16


def test_matrices_of_one_shape_move_together_as_each_would_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(5, 6, 4)
    together = nearest_orthogonal(matrices)
    for matrix, one in zip(matrices, together, strict=True):
        torch.testing.assert_close(nearest_orthogonal(matrix[None])[0], one)
        torch.testing.assert_close(nearest_orthogonal(matrix.T[None])[0].T, one)
    monkeypatch.setattr("stylekit.muon._STACKED_AT_ONCE", 60)  # two of them
    few, many = ([nn.Parameter(matrix.clone()) for matrix in matrices] for _ in range(2))
    for parameters in (few, many):
        set_gradients(parameters)
        MuonWithAdamW(parameters).step()
        monkeypatch.undo()
    for one, other in zip(few, many, strict=True):
        torch.testing.assert_close(one, other)


def test_a_kernel_moves_the_same_in_any_memory_format() -> None:
    plain = make_parameters()[1]
    turned = nn.Parameter(plain.detach().to(memory_format=torch.channels_last))
    for parameter in (plain, turned):
        set_gradients([parameter])
        MuonWithAdamW([parameter]).step()
    assert not turned.is_contiguous()
    torch.testing.assert_close(turned, plain)


def test_a_parameter_without_gradient_stays() -> None:
    matrix, other = make_parameters()[0], make_parameters()[0]
    matrix.grad = torch.ones_like(matrix)
    MuonWithAdamW([matrix, other]).step()
    assert torch.equal(other, make_parameters()[0])
    assert not torch.equal(matrix, other)


def test_vectors_move_as_with_adamw() -> None:
    vector, same = make_parameters()[2], make_parameters()[2]
    ours = MuonWithAdamW([vector], lr=0.3, adamw_lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    theirs = torch.optim.AdamW([same], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(3):
        set_gradients([vector], step)
        set_gradients([same], step)
        ours.step()
        theirs.step()
    torch.testing.assert_close(vector, same)


def test_a_schedule_reaches_both() -> None:
    parameters = make_parameters()
    optimizer = MuonWithAdamW(parameters)
    schedule = LambdaLR(optimizer, lambda step: float(step == 0))
    for step in range(2):
        before = [parameter.detach().clone() for parameter in parameters]
        set_gradients(parameters)
        optimizer.step()
        schedule.step()
        moved = [not torch.equal(a, b) for a, b in zip(before, parameters, strict=True)]
        assert moved == [step == 0] * 3


def test_it_goes_on_from_its_state_as_if_it_had_not_stopped() -> None:
    whole, halved = make_parameters(), make_parameters()
    optimizer, first = MuonWithAdamW(whole), MuonWithAdamW(halved)
    for step in range(2):
        for parameters, one in ((whole, optimizer), (halved, first)):
            set_gradients(parameters, step)
            one.step()
    state = first.state_dict()
    second = MuonWithAdamW(halved, lr=1.0)
    second.load_state_dict(state)
    for parameters, one in ((whole, optimizer), (halved, second)):
        set_gradients(parameters, 5)
        one.step()
    for a, b in zip(whole, halved, strict=True):
        assert torch.equal(a, b)


def test_a_stage_builds_it_without_decay_of_vectors() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    built = Stage(10, MuonWithAdamW).optimize(model.parameters())["optimizer"]
    assert isinstance(built, MuonWithAdamW)
    assert [group["weight_decay"] for group in built.param_groups] == [0.01, 0.0]


def test_a_rate_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="lr"):
        MuonWithAdamW(make_parameters(), lr=-1.0)
