"""Checkpoints as safetensors: network, averaged network, optimiser state and step, written atomically, no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lexifuse.errors import InputError, ModelError
from lexifuse.files import atomic_path
from lexifuse.training.recipe import Recipe


class InTraining(NamedTuple):
    """A network, its averaged copy and its optimiser."""

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer


class Stored(NamedTuple):
    """What a checkpoint says of itself.

    Attributes:
        recipe: which made it.
        steps: made by that recipe.
        together: recipe and steps of the bilevel training that followed, where one did.
    """

    recipe: dict[str, Any]
    steps: int
    together: dict[str, Any] | None = None


def save_checkpoint(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    step: int,
    recipe: BaseModel,
    *,
    together: Mapping[str, Any] | None = None,
) -> None:
    """Write everything that :func:`load_checkpoint` needs to go on exactly, to a temporary name first."""
    facts = {"together": json.dumps(together)} if together else {}
    _write(path, _tensors(InTraining(network, average, optimiser)), step, recipe, facts)


def load_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, recipe: BaseModel
) -> int:
    """Restore a training run in place.

    Returns:
        The number of steps already made.

    Raises:
        ModelError: the checkpoint was made by another recipe (its number of steps may differ), or is damaged.
    """
    tensors, step = _read(path, recipe)
    _restore(InTraining(network, average, optimiser), tensors)
    return step


def save_together(
    path: Path, parts: Mapping[str, InTraining], memory: Mapping[str, Tensor], step: int, recipe: BaseModel
) -> None:
    """Write everything that :func:`load_together` needs to go on exactly.

    Args:
        path: of the checkpoint.
        parts: the networks that are trained together, by name.
        memory: what the training remembers beside them.
        step: steps made.
        recipe: of the training.
    """
    tensors = {f"memory.{name}": value for name, value in memory.items()}
    for part, trained in parts.items():
        tensors.update({f"{part}.{name}": value for name, value in _tensors(trained).items()})
    _write(path, tensors, step, recipe, {})


def load_together(path: Path, parts: Mapping[str, InTraining], recipe: BaseModel) -> tuple[int, dict[str, Tensor]]:
    """Restore networks that are trained together in place.

    Returns:
        The number of steps already made, and what the training remembers.

    Raises:
        ModelError: the checkpoint was made by another recipe or with other networks, or is damaged.
    """
    tensors, step = _read(path, recipe)
    for name, trained in parts.items():
        try:
            _restore(trained, _under(tensors, f"{name}."))
        except RuntimeError as error:
            raise ModelError(f"{path} was made with another {name} network: start in another --out folder") from error
    return step, _under(tensors, "memory.")


def stored(path: Path) -> Stored:
    """What a checkpoint of any kind says of itself.

    Raises:
        InputError: there is no such file.
        ModelError: it is no checkpoint.
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}: `lexifuse train` writes one")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        together = metadata.get("together")
        return Stored(json.loads(metadata["recipe"]), int(metadata["step"]), json.loads(together) if together else None)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is not a checkpoint: give one that `lexifuse train` wrote") from error


def load_average(path: Path, network: nn.Module) -> Recipe:
    """Load only the averaged weights of a fusion network's checkpoint into ``network``; its recipe."""
    load_weights(path, network)
    with safe_open(path, framework="pt") as file:
        return Recipe.model_validate_json(file.metadata()["recipe"])


def load_weights(path: Path, network: nn.Module) -> None:
    """Load only the averaged weights of a checkpoint of any kind into ``network``.

    Raises:
        InputError: there is no such file.
        ModelError: it is no checkpoint, or the network has other sizes.
    """
    stored(path)
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


def _tensors(trained: InTraining) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("network", trained.network), ("average", trained.average)):
        tensors.update({f"{prefix}.{name}": value for name, value in module.state_dict().items()})
    for index, state in trained.optimiser.state_dict()["state"].items():
        tensors.update({f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in state.items()})
    return tensors


def _restore(trained: InTraining, tensors: dict[str, Tensor]) -> None:
    trained.network.load_state_dict(_under(tensors, "network."))
    trained.average.load_state_dict(_under(tensors, "average."))
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in _under(tensors, "optimiser.").items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    groups = trained.optimiser.state_dict()["param_groups"]
    trained.optimiser.load_state_dict({"state": state, "param_groups": groups})


def _write(path: Path, tensors: Mapping[str, Tensor], step: int, recipe: BaseModel, facts: Mapping[str, str]) -> None:
    contiguous = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with atomic_path(path) as part:
        save_file(contiguous, part, metadata={"step": str(step), "recipe": recipe.model_dump_json(), **facts})


def _read(path: Path, recipe: BaseModel) -> tuple[dict[str, Tensor], int]:
    """The tensors of a checkpoint that this recipe made, and the steps made."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} is not a readable checkpoint ({error}): start afresh in another folder") from error
    if not metadata.keys() >= {"recipe", "step"}:
        raise ModelError(f"{path} is not a checkpoint: start afresh in another folder")
    if not _same_choices(metadata["recipe"], recipe):
        raise ModelError(f"{path} was made by another recipe: use that recipe, or start in another --out folder")
    return tensors, int(metadata["step"])


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
