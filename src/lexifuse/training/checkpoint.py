"""Checkpoints as safetensors: network, averaged network, optimiser state and step, written atomically, no pickle."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import BaseModel, ValidationError
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lexifuse.errors import ModelError
from lexifuse.training.recipe import Recipe


def save_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, step: int, recipe: BaseModel
) -> None:
    """Write everything that :func:`load_checkpoint` needs to go on exactly, to a temporary name first."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", network), ("average", average)):
        tensors.update({f"{prefix}.{name}": value for name, value in module.state_dict().items()})
    for index, state in optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in state.items()})
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    part = path.with_suffix(".part")
    save_file(contiguous, part, metadata={"step": str(step), "recipe": recipe.model_dump_json()})
    part.replace(path)


def load_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, recipe: BaseModel
) -> int:
    """Restore a training run in place.

    Returns:
        The number of steps already made.

    Raises:
        ModelError: the checkpoint was made by another recipe (its number of steps may differ), or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        raise ModelError(f"{path} is not a readable checkpoint ({error}): start afresh in another folder") from error
    if not _same_choices(metadata["recipe"], recipe):
        raise ModelError(f"{path} was made by another recipe: use that recipe, or start in another --out folder")
    network.load_state_dict(_under(tensors, "network."))
    average.load_state_dict(_under(tensors, "average."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(tensors, "optimiser.").items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(metadata["step"])


def load_average(path: Path, network: nn.Module) -> Recipe:
    """Load only the averaged weights of a fusion network's checkpoint into ``network``; its recipe."""
    load_weights(path, network)
    with safe_open(path, framework="pt") as file:
        return Recipe.model_validate_json(file.metadata()["recipe"])


def load_weights(path: Path, network: nn.Module) -> None:
    """Load only the averaged weights of a checkpoint of any kind into ``network``.

    Raises:
        ModelError: the network has other sizes.
    """
    with safe_open(path, framework="pt") as file:
        weights = {name[8:]: file.get_tensor(name) for name in file.keys() if name.startswith("average.")}  # noqa: SIM118
    weights = {name.removeprefix("module."): value for name, value in weights.items() if name != "n_averaged"}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[2] or str(error)
        raise ModelError(
            f"{path} does not fit the network of the recipe ({' '.join(reason.split())[:120]}): give the recipe that "
            "it was trained with, or start without it"
        ) from error


def _same_choices(stored: str, recipe: BaseModel) -> bool:
    """Whether a stored recipe chooses the same: all but its length, which may be extended or cut short.

    They are compared as recipes, not as JSON: a field that is newer than the checkpoint takes its default there.
    """
    try:
        made_by = type(recipe).model_validate_json(stored)
    except ValidationError:
        return False
    return made_by.model_dump(exclude={"steps"}) == recipe.model_dump(exclude={"steps"})


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
