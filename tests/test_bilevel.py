"""Bilevel training: hyper-gradients that are known, three strategies, and detection that reaches the fusion network."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch")
pytest.importorskip("pydantic")

import torch
from torch import Tensor, nn

from lexifuse.errors import UsageError
from lexifuse.training.bilevel import (
    STRATEGIES,
    Alternating,
    FusionDetection,
    Implicit,
    Strategy,
    Targets,
    strategy_of,
)
from lexifuse.training.networks.text_to_pixels import TextToPixels

# Toy problems


class Toy:
    """f = (y - x)^2 / 2, so that y*(x) = x; F = (x - 1)^2 / 2 + (y - 3)^2 / 2, so that the best x is 2."""

    def __init__(self) -> None:
        self.x = nn.Parameter(torch.tensor([0.0], dtype=torch.float64))
        self.y = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
        self.optimisers = torch.optim.SGD([self.x], lr=0.2), torch.optim.SGD([self.y], lr=0.5)

    def upper(self) -> Tensor:
        return ((self.x - 1) ** 2 / 2 + (self.y - 3) ** 2 / 2).sum()

    def lower(self) -> Tensor:
        return ((self.y - self.x) ** 2 / 2).sum()

    def solve(self, strategy: Strategy, steps: int = 60) -> tuple[float, float]:
        for _ in range(steps):
            strategy.step(self.upper, self.lower)
        return self.x.item(), self.y.item()


def test_the_implicit_gradient_solves_the_bilevel_problem() -> None:
    toy = Toy()
    assert toy.solve(Implicit(*toy.optimisers)) == pytest.approx((2.0, 2.0), abs=1e-3)


def test_the_others_solve_the_problems_that_they_are() -> None:
    # Joint: the minimum of F + f over both. Alternating: x goes down its own F and knows nothing of what y answers.
    toy = Toy()
    assert toy.solve(strategy_of("joint", *toy.optimisers)) == pytest.approx((5 / 3, 7 / 3), abs=1e-3)
    toy = Toy()
    assert toy.solve(Alternating(*toy.optimisers, decay=0.5)) == pytest.approx((1.0, 1.0), abs=1e-3)
    toy = Toy()
    assert toy.solve(strategy_of("joint", *toy.optimisers, weight=0.0)) == pytest.approx((1.0, 3.0), abs=1e-3)


def test_the_implicit_gradient_is_that_of_the_implicit_function_theorem() -> None:
    """f is the square of one residual, nonlinear in both variables; there the approximation of rank one is exact."""
    x = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))
    y = nn.Parameter(torch.tensor([0.9], dtype=torch.float64))

    def residual(x: Tensor, y: Tensor) -> Tensor:
        return y[0] ** 3 + y[0] - x[0] * x[1] - x[0].sin()

    def lower() -> Tensor:
        return residual(x, y) ** 2 / 2

    def upper() -> Tensor:
        return (x**2).sum() * y[0] + y[0].cos()

    gradient, result = Implicit(torch.optim.SGD([x]), torch.optim.SGD([y])).gradient(upper, lower)
    r_x, r_y = torch.autograd.grad(residual(x, y), (x, y))
    f_x, f_y = torch.autograd.grad(upper(), (x, y))
    torch.testing.assert_close(gradient[0], f_x - f_y[0] / r_y[0] * r_x)
    torch.testing.assert_close(result.lower, lower().detach())


def test_many_variables_answer_by_the_least_change() -> None:
    """One residual in many y: the response is that of the pseudo-inverse, -w b' / |w|^2."""
    generator = torch.Generator().manual_seed(0)
    w, b, a = (torch.randn(count, generator=generator, dtype=torch.float64) for count in (4, 3, 4))
    x, y = nn.Parameter(torch.ones(3, dtype=torch.float64)), nn.Parameter(torch.ones(4, dtype=torch.float64))
    strategy = Implicit(torch.optim.SGD([x]), torch.optim.SGD([y]), response=0.25)

    def lower() -> Tensor:
        return (w @ y + b @ x - 1) ** 2 / 2

    def upper() -> Tensor:
        return a @ y + (x**2).sum()

    gradient, result = strategy.gradient(upper, lower)
    answer = (a @ w) / (w @ w) * b
    torch.testing.assert_close(gradient[0], 2 * x.detach() - 0.25 * answer)
    assert result.response != 0.0


def test_the_same_loss_on_both_levels_cancels() -> None:
    # Why both levels need batches of their own: what y will mend by itself is none of the business of x.
    toy = Toy()
    gradient, _ = Implicit(*toy.optimisers).gradient(lambda: (toy.x**2).sum() + toy.lower(), toy.lower)
    torch.testing.assert_close(gradient[0], 2 * toy.x.detach())


def test_at_the_minimum_of_the_lower_problem_nothing_explodes() -> None:
    toy = Toy()
    with torch.no_grad():
        toy.y.copy_(toy.x)
    gradient, result = Implicit(*toy.optimisers).gradient(toy.upper, toy.lower)
    torch.testing.assert_close(gradient[0], torch.tensor([-1.0], dtype=torch.float64))
    assert result.response == 0.0


def test_the_average_is_what_the_lower_level_answers_to_and_is_stored() -> None:
    toy = Toy()
    strategy = Alternating(*toy.optimisers, decay=0.9, lower_steps=1)
    for _ in range(5):
        strategy.step(toy.upper, toy.lower)
    seen: list[float] = []
    averaged = strategy.average[0].item()
    strategy.step(toy.upper, lambda: seen.append(toy.x.item()) or toy.lower())
    assert seen == [averaged]
    assert averaged != toy.x.item()

    other = Toy()
    resumed = Alternating(*other.optimisers, decay=0.9, lower_steps=1)
    resumed.restore(strategy.state())
    other.x.data.copy_(toy.x)
    other.y.data.copy_(toy.y)
    for problem, one in ((toy, strategy), (other, resumed)):
        one.step(problem.upper, problem.lower)
    assert (toy.x.item(), toy.y.item()) == (other.x.item(), other.y.item())
    torch.testing.assert_close(strategy.state(), resumed.state(), rtol=0, atol=0)


def test_gradients_are_shortened_and_unknown_strategies_refused() -> None:
    toy = Toy()
    before = toy.x.item()
    strategy_of("joint", *toy.optimisers, max_norm=1e-3).step(toy.upper, toy.lower)
    assert abs(toy.x.item() - before) == pytest.approx(0.2e-3, rel=1e-3)
    with pytest.raises(UsageError, match="choose from joint, alternating, implicit"):
        strategy_of("sequential", *toy.optimisers)


# Fusion and detection


class Spotter(nn.Module):
    """A stand-in for a detector: one score per pixel, which should be high inside the boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        assert images.min() >= 0 and images.max() <= 1
        wanted = torch.zeros(len(images), 1, *images.shape[-2:])
        for plane, (boxes, labels) in zip(wanted, targets, strict=True):
            assert len(boxes) == len(labels)
            for left, top, right, bottom in boxes.int().tolist():
                plane[0, top:bottom, left:right] = 1.0
        return nn.functional.binary_cross_entropy_with_logits(self.score(images), wanted)


Batch = tuple[Tensor, Tensor, Tensor]
BOXES: Targets = [
    (torch.tensor([[2.0, 3.0, 12.0, 11.0]]), torch.tensor([0])),
    (torch.zeros(0, 4), torch.zeros(0).long()),
]


def batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    infrared, visible = (torch.rand(2, planes, 24, 20, generator=generator) for planes in (1, 3))
    return infrared, visible, torch.randn(2, 3, 8, generator=generator)


def problem(weight: float = 1.0) -> tuple[TextToPixels, Spotter, FusionDetection]:
    torch.manual_seed(0)
    shape = {"width": 4, "blocks": (1, 0, 0), "layers": 1, "heads": (1, 2, 2), "text_width": 8, "window": 2}
    network = TextToPixels(**shape, codebook={"size": 8, "width": 4}, patch=2, from_brighter=True)
    detector = Spotter()

    def fuse(pair: Batch) -> tuple[Tensor, Tensor]:
        picture = network(*pair)
        assert isinstance(picture, Tensor)
        return picture, (picture - pair[1]).abs().mean()

    return network, detector, FusionDetection(fuse, detector, weight)


def test_detection_gradients_reach_every_part_of_the_fusion_network() -> None:
    network, _, levels = problem()
    levels.lower(batch(0), BOXES)().backward()
    for part in (network.infrared_extractor, network.visible_extractor, network.transformer, network.output):
        gradients = [weight.grad for weight in part.parameters() if weight.grad is not None]
        assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


@pytest.mark.parametrize("name", STRATEGIES)
def test_detection_changes_what_the_fusion_network_learns(name: str) -> None:
    moved: list[Tensor] = []
    for weight in (0.0, 5.0):
        network, detector, levels = problem(weight)
        before = copy.deepcopy(network.state_dict())
        options = {"weight": weight} if name == "joint" else {}
        optimisers = torch.optim.SGD(network.parameters(), lr=0.1), torch.optim.SGD(detector.parameters(), lr=0.1)
        strategy = strategy_of(name, *optimisers, **options)
        start = levels.lower(batch(1), BOXES)().detach()
        result = strategy.step(levels.upper(batch(0), BOXES), levels.lower(batch(1), BOXES))
        assert result.lower <= start
        moved.append(network.output.weight.detach() - before["output.weight"])
        assert all(value.isfinite().all() for value in network.state_dict().values())
    assert moved[0].abs().max() > 0
    assert (moved[1] - moved[0]).abs().max() > 1e-2 * moved[0].abs().max()


def test_alternating_training_finds_the_objects() -> None:
    network, detector, levels = problem(weight=2.0)
    optimisers = torch.optim.Adam(network.parameters(), lr=3e-3), torch.optim.Adam(detector.parameters(), lr=3e-2)
    strategy = strategy_of("alternating", *optimisers, max_norm=1.0)
    upper, lower = levels.upper(batch(0), BOXES), levels.lower(batch(0), BOXES)
    course = [float(strategy.step(upper, lower).lower) for _ in range(10)]
    assert course[-1] < 0.9 * course[0]


def test_running_means_that_the_upper_level_moves_leave_the_lower_gradient_alone() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 3))
    network[1].running_mean.add_(0.5)  # type: ignore[union-attr, operator]
    detector = nn.Parameter(torch.tensor(0.7))
    images = torch.rand(3, 1, 12, 12)

    def lower() -> Tensor:
        network.eval()
        return (network(images) * detector).square().mean()

    def upper() -> Tensor:
        network.train()
        return (network(images) - detector).square().mean()

    def gradients(loss: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad(loss, [*network.parameters(), detector]))

    before = copy.deepcopy(network.state_dict())
    below = gradients(lower())
    above = gradients(upper())
    network.load_state_dict(before)
    ratio = above[-1] * below[-1] / (below[-1] ** 2 + 1e-12)
    wanted = [one - ratio * other for one, other in zip(above[:-1], below[:-1], strict=True)]
    strategy = Implicit(torch.optim.SGD(network.parameters(), lr=0.1), torch.optim.SGD([detector], lr=0.1))
    found, _ = strategy.gradient(upper, lower)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
