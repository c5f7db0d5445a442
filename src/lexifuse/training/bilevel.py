"""Bilevel training: fusion above, detection below, and three ways to train them together behind one interface.

The problem is to find the x (the fusion network) that is best for the y (the detector) which answers to it,

    min over x of F(x, y*(x))   where   y*(x) minimises f(x, y) over y,

with F the upper and f the lower loss. Nothing here knows what x, y and the losses are: a strategy gets two optimisers
and, at every step, two functions that compute the losses anew. :class:`FusionDetection` makes such functions.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lexifuse.errors import UsageError

Loss = Callable[[], Tensor]
"""Computes a scalar from the present x and y."""

Targets = Sequence[tuple[Tensor, Tensor]]
"""Per picture boxes (N, 4) x0 y0 x1 y1 in pixels and labels (N,) int64."""


class DetectionLoss(Protocol):
    """All that bilevel training needs to know of a detector."""

    def loss(self, images: Tensor, targets: Targets) -> Tensor:
        """A scalar, differentiable in the images (B, 3, H, W), RGB in 0..1."""
        ...


class StepResult(NamedTuple):
    """What a step found before it moved x, for curves.

    Attributes:
        upper: F, a scalar.
        lower: f, a scalar.
        response: <F_y, f_y> / <f_y, f_y>, how much of df/dx the implicit gradient takes away; 0 for other strategies.
    """

    upper: Tensor
    lower: Tensor
    response: float = 0.0


class Strategy(ABC):
    """One way to train both levels. A step of it changes x and y in place.

    Args:
        upper: optimiser of x.
        lower: optimiser of y; its step size is that of the lower level.
        max_norm: the gradients of either level are shortened to this norm.
    """

    def __init__(self, upper: Optimizer, lower: Optimizer, *, max_norm: float = math.inf) -> None:
        self.upper, self.lower, self.max_norm = upper, lower, max_norm
        self.x, self.y = _variables(upper), _variables(lower)

    @abstractmethod
    def step(self, upper: Loss, lower: Loss) -> StepResult:
        """Move x and y once.

        Args:
            upper: F.
            lower: f; its batch should be another than that of F, or the implicit strategy has nothing to learn.
        """

    def state(self) -> dict[str, Tensor]:
        """What the strategy remembers beside its optimisers, for a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a :meth:`state`; most strategies remember nothing."""
        assert not state

    def _move(self, optimiser: Optimizer, variables: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = gradient
        nn.utils.clip_grad_norm_(variables, self.max_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def _descend(self, lower: Loss) -> Tensor:
        """One step of y down f with x held; f before it."""
        with _held(self.x):
            value = lower()
            self._move(self.lower, self.y, _gradients(value, self.y))
        return value.detach()


class Joint(Strategy):
    """One problem instead of two: x and y go down the weighted sum F + ``weight`` f.

    Args:
        upper: optimiser of x.
        lower: optimiser of y.
        weight: of f.
        max_norm: as in :class:`Strategy`.
    """

    def __init__(self, upper: Optimizer, lower: Optimizer, *, weight: float = 1.0, max_norm: float = math.inf) -> None:
        super().__init__(upper, lower, max_norm=max_norm)
        self.weight = weight

    def step(self, upper: Loss, lower: Loss) -> StepResult:
        """Move x and y at once, by the gradient of the sum."""
        above, below = upper(), lower()
        gradients = _gradients(above + self.weight * below, (*self.x, *self.y))
        self._move(self.upper, self.x, gradients[: len(self.x)])
        self._move(self.lower, self.y, gradients[len(self.x) :])
        return StepResult(above.detach(), below.detach())


class Alternating(Strategy):
    """First order: y makes several fast steps down f, then x one slow step along dF/dx as if y stood still.

    What y answers to is not the x of the moment but its moving average, which hardly changes while y follows.

    Args:
        upper: optimiser of x.
        lower: optimiser of y.
        lower_steps: of y for every one of x.
        decay: of the average of x.
        max_norm: as in :class:`Strategy`.
    """

    def __init__(
        self,
        upper: Optimizer,
        lower: Optimizer,
        *,
        lower_steps: int = 2,
        decay: float = 0.99,
        max_norm: float = math.inf,
    ) -> None:
        super().__init__(upper, lower, max_norm=max_norm)
        self.lower_steps, self.decay, self.steps = lower_steps, decay, 0
        self.average = [variable.detach().clone() for variable in self.x]

    def step(self, upper: Loss, lower: Loss) -> StepResult:
        """Move y some steps under the averaged x, then x once."""
        with self._averaged():
            below = [self._descend(lower) for _ in range(self.lower_steps)][-1]
        above = upper()
        self._move(self.upper, self.x, _gradients(above, self.x))
        self.steps += 1
        # A short memory at first, so that the start is soon forgotten.
        decay = min(self.decay, self.steps / (9 + self.steps))
        with torch.no_grad():
            for mean, variable in zip(self.average, self.x, strict=True):
                mean.lerp_(variable, 1 - decay)
        return StepResult(above.detach(), below)

    def state(self) -> dict[str, Tensor]:
        """The average of x and the number of steps."""
        averages = {f"average.{index}": mean for index, mean in enumerate(self.average)}
        return {"steps": torch.tensor(self.steps), **averages}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a :meth:`state`."""
        self.steps = int(state["steps"])
        for index, mean in enumerate(self.average):
            mean.copy_(state[f"average.{index}"])

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The average in the place of x."""
        present = [variable.detach().clone() for variable in self.x]
        _put(self.average, self.x)
        try:
            yield
        finally:
            _put(present, self.x)


class Implicit(Strategy):
    """One step of y down f, then x along the implicit gradient with a Gauss-Newton approximation of rank one.

    By the implicit function theorem dF/dx of the whole is F_x - F_y (f_yy)^-1 f_yx. With f_yy = f_y f_y' and
    f_yx = f_y f_x', both of rank one, that is

        g = dF/dx - (<F_y, f_y> / <f_y, f_y>) df/dx,

    which needs no second derivatives. It is exact where f is the square of one residual. Where F and f are the same
    detection loss of the same batch, the whole gradient of detection cancels: give them different batches.

    Args:
        upper: optimiser of x.
        lower: optimiser of y.
        response: factor of the second term: 1 as in the formula; the step size of y for the response of that one step.
        damping: added to <f_y, f_y>, which is zero at the minimum of f.
        max_norm: as in :class:`Strategy`.
    """

    def __init__(
        self,
        upper: Optimizer,
        lower: Optimizer,
        *,
        response: float = 1.0,
        damping: float = 1e-12,
        max_norm: float = math.inf,
    ) -> None:
        super().__init__(upper, lower, max_norm=max_norm)
        self.response, self.damping = response, damping

    def step(self, upper: Loss, lower: Loss) -> StepResult:
        """Move y once, then x once along :meth:`gradient`."""
        self._descend(lower)
        gradient, result = self.gradient(upper, lower)
        self._move(self.upper, self.x, gradient)
        return result

    def gradient(self, upper: Loss, lower: Loss) -> tuple[list[Tensor], StepResult]:
        """The implicit gradient of F with respect to every variable of x, at the present x and y."""
        # One after the other: a network that normalises by running means changes them when it is asked again.
        below = lower()
        lower_x, lower_y = _split(_gradients(below, (*self.x, *self.y)), len(self.x))
        above = upper()
        upper_x, upper_y = _split(_gradients(above, (*self.x, *self.y)), len(self.x))
        ratio = float(_inner(upper_y, lower_y) / (_inner(lower_y, lower_y) + self.damping))
        gradient = [first - self.response * ratio * second for first, second in zip(upper_x, lower_x, strict=True)]
        return gradient, StepResult(above.detach(), below.detach(), ratio)


STRATEGIES: Mapping[str, type[Strategy]] = {"joint": Joint, "alternating": Alternating, "implicit": Implicit}
"""The strategies by name."""


def strategy_of(name: str, upper: Optimizer, lower: Optimizer, **settings: Any) -> Strategy:
    """A strategy by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in STRATEGIES:
        raise UsageError(f"unknown bilevel strategy '{name}': choose from {', '.join(STRATEGIES)}")
    return STRATEGIES[name](upper, lower, **settings)


@dataclass(frozen=True)
class FusionDetection:
    """Fusion and detection as the two levels of the problem.

    Attributes:
        fuse: a batch to its fused pictures (B, 3, H, W) and the fusion loss, a scalar.
        detector: which judges these pictures.
        weight: of the detection loss beside the fusion loss.
    """

    fuse: Callable[[Any], tuple[Tensor, Tensor]]
    detector: DetectionLoss
    weight: float = 1.0

    def upper(self, batch: Any, targets: Targets) -> Loss:
        """F: the fusion loss of a batch and the weighted detection loss of its fused pictures."""

        def loss() -> Tensor:
            pictures, fusion = self.fuse(batch)
            return fusion + self.weight * self.detector.loss(pictures.clamp(0, 1), targets)

        return loss

    def lower(self, batch: Any, targets: Targets) -> Loss:
        """f: the detection loss of the fused pictures of a batch."""

        def loss() -> Tensor:
            return self.detector.loss(self.fuse(batch)[0].clamp(0, 1), targets)

        return loss


def _variables(optimiser: Optimizer) -> list[Tensor]:
    return [variable for group in optimiser.param_groups for variable in group["params"] if variable.requires_grad]


def _gradients(loss: Tensor, variables: Sequence[Tensor]) -> list[Tensor]:
    """The gradient with respect to every variable; zeros where the loss does not depend on it."""
    found = torch.autograd.grad(loss, list(variables), allow_unused=True)
    return [
        torch.zeros_like(variable) if gradient is None else gradient
        for variable, gradient in zip(variables, found, strict=True)
    ]


def _split(gradients: list[Tensor], count: int) -> tuple[list[Tensor], list[Tensor]]:
    return gradients[:count], gradients[count:]


def _inner(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(first, second, strict=True)]).sum()


@torch.no_grad()
def _put(values: Sequence[Tensor], variables: Sequence[Tensor]) -> None:
    for value, variable in zip(values, variables, strict=True):
        variable.copy_(value)


@contextmanager
def _held(variables: Sequence[Tensor]) -> Iterator[None]:
    """No gradients are taken with respect to these variables."""
    for variable in variables:
        variable.requires_grad_(False)
    try:
        yield
    finally:
        for variable in variables:
            variable.requires_grad_(True)
