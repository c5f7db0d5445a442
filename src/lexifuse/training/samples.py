"""Training samples: what the network sees, what it is told, and the pair whose plain fusion it should then give.

One rule covers every kind of sample. The input is the clean pair with *all* the damage of the sample; the target pair
carries only the damage that the instruction does *not* ask to repair. So damage with the right words is repaired,
damage without words is fused faithfully, and words about damage that is not there change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lexifuse.automatic import read_pixels
from lexifuse.degradations import FAR_DEPTH
from lexifuse.evidence import weigh, within
from lexifuse.instruction import ASKED_FOR, DEGRADATIONS, PLAIN, Instruction
from lexifuse.pair import ImagePair
from lexifuse.pixels import change_depth
from lexifuse.statistics import picture_statistics
from lexifuse.training import night
from lexifuse.training.crops import CropStore
from lexifuse.training.damage_variants import degrade_pair_variously
from lexifuse.training.networks.instructed import INSTRUCTION_FIELDS
from lexifuse.training.object_masks import MASK_GROUPS
from lexifuse.training.recipe import Recipe, SampleMix

_VISIBLE = [name for name in DEGRADATIONS if name.startswith("visible.")]
_DARK, _DARK_ALARM = "visible.low_light", 4.0
_HAZE = "visible.haze"
_EXCLUSIVE = ({"visible.low_light", "visible.over_exposure"},)


class Samples(Dataset[dict[str, torch.Tensor]]):
    """Samples by number; number n is always the same sample, so training can stop and go on exactly.

    Each sample is a dict of float32 tensors: ``infrared`` (1, S, S) and ``visible`` (3, S, S) as the network sees them,
    ``infrared_target`` and ``visible_target``, ``highlight`` (1, S, S) soft mask of what to bring out,
    ``conditioning`` (C,), the instruction and the statistics of what the network sees, ``statistics_target`` those of
    the target pair, ``plain`` (): 1 where nothing is asked, ``undamaged`` (): 1 where the target pair has no damage
    left, and ``brightened`` (): 1 where a natural night is to be made brighter.
    """

    def __init__(self, store: CropStore, recipe: Recipe) -> None:
        self.store = store
        self.recipe = recipe

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        index = int(rng.integers(self.recipe.validation, len(self.store)))
        crop = random_view(self.store, index, self.recipe.crop, rng)
        mix = self.recipe.mix
        fields: dict[str, float] = dict.fromkeys(INSTRUCTION_FIELDS, 0.0)
        damage = _draw_damage(mix, crop["night"], rng)
        asked = _draw_words(damage, crop["night"], self.recipe, fields, rng)
        visible_target = crop["visible"]
        brightened = crop["night"] and not any(name in damage for name in _VISIBLE) and rng.random() < mix.night
        if brightened:
            severity = rng.uniform(*mix.severity)
            fields[_DARK] = severity
            visible_target = night.at_severity(crop["enhanced"], crop["illumination"], severity)
        if rng.random() < mix.wish:
            _draw_wish(fields, mix.wishes, _known_groups(crop), rng)
        seed = int(rng.integers(2**31))
        kept = {name: severity for name, severity in damage.items() if name not in asked}
        how: Any = {"seed": seed, "depth": crop["depth"], "share": mix.variants}
        seen = degrade_pair_variously(crop["infrared"], crop["visible"], damage, **how)
        target = degrade_pair_variously(crop["infrared"], visible_target, kept, **how)
        if mix.seen and rng.random() < mix.seen:
            mentioned = [name for name in DEGRADATIONS if fields[name] and not (brightened and name == _DARK)]
            fields |= _amounts_seen(seen, mentioned, asked)
        plain = not any(fields.values())
        return {
            "infrared": _plane(seen[0]),
            "visible": _planes(seen[1]),
            "infrared_target": _plane(target[0]),
            "visible_target": _planes(target[1]),
            "highlight": _plane(_highlight_mask(crop["mask"], fields)),
            "conditioning": torch.tensor([*fields.values(), *picture_statistics(*seen)], dtype=torch.float32),
            "statistics_target": torch.from_numpy(picture_statistics(*target)),
            "plain": torch.tensor(float(plain)),
            "undamaged": torch.tensor(float(not kept)),
            "brightened": torch.tensor(float(brightened)),
        }


def random_view(store: CropStore, index: int, side: int, rng: np.random.Generator) -> dict[str, Any]:
    """A random window of a stored crop, perhaps mirrored: pictures as float32 0..1, masks and maps as stored."""
    span = store.infrared.shape[1] - side
    top, left = (int(rng.integers(span + 1)) for _ in range(2))
    step = -1 if rng.random() < 0.5 else 1

    def cut(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(array[index, top : top + side, left : left + side][:, ::step])

    depth = cut(store.depth)
    return {
        "infrared": cut(store.infrared).astype(np.float32) / 255.0,
        "visible": cut(store.visible).astype(np.float32) / 255.0,
        "enhanced": cut(store.enhanced),
        "illumination": cut(store.illumination),
        "mask": cut(store.mask),
        "depth": (depth.astype(np.float32) - 1) / 254 * FAR_DEPTH if depth.all() else None,
        "night": bool(store.night[index]),
    }


def _draw_damage(mix: SampleMix, is_night: bool, rng: np.random.Generator) -> dict[str, float]:
    if rng.random() >= mix.damaged:
        return {}
    count = 1 + int(rng.choice(len(mix.counts), p=np.array(mix.counts) / sum(mix.counts)))
    weights = np.array([mix.emphasis.get(name, 1.0) for name in DEGRADATIONS])
    names = list(rng.choice(DEGRADATIONS, size=count, replace=False, p=weights / weights.sum()))
    for pair in _EXCLUSIVE:
        if pair <= set(names):
            names.remove(max(pair))
    # A night under a bright veil is grey like an overcast day: whoever learns to make it black blackens that sky.
    if is_night and _HAZE in names and mix.night_haze < 1.0 and rng.random() >= mix.night_haze:
        names.remove(_HAZE)
    return {str(name): float(rng.uniform(*mix.severity)) for name in names}


def _draw_words(
    damage: dict[str, float], is_night: bool, recipe: Recipe, fields: dict[str, float], rng: np.random.Generator
) -> set[str]:
    """Fill in the severities the instruction asks for; the names of the damage that it asks to repair."""
    mix = recipe.mix
    asked = set(damage) if rng.random() >= mix.unasked else set()
    if len(damage) > 1 and rng.random() < 0.2:
        asked.discard(next(iter(damage)))
    # In the order of the damage: that of a set differs from one process to the next.
    for name in (name for name in damage if name in asked):
        fields[name] = float(np.clip(damage[name] + rng.normal(0.0, mix.jitter), ASKED_FOR, 1.0))
    if rng.random() < mix.false_alarm:
        # "It is dark" is never a false alarm at night.
        possible = [name for name in DEGRADATIONS if not (is_night and name == "visible.low_light")]
        # A word that is trained alone must hear itself said wrongly, or it forgets when to keep still.
        absent = [name for name in possible if name not in damage and (name in recipe.only or not recipe.only)]
        # Brightening a picture that is not dark is the costliest mistake, so it is drawn most.
        weights = np.array([_DARK_ALARM if name == "visible.low_light" else 1.0 for name in absent])
        if absent:
            fields[str(rng.choice(absent, p=weights / weights.sum()))] = float(rng.uniform(ASKED_FOR, 1.0))
    return asked


def _amounts_seen(
    pictures: Sequence[NDArray[np.float32]], mentioned: Sequence[str], asked: set[str]
) -> dict[str, float]:
    """What the network is told where words say nothing of how much: as when it is used, the pixels say.

    Damage that is there is told in full even where the pixels doubt it, or a whisper would come to mean all.
    """
    if not mentioned:
        return {}
    infrared, visible = (change_depth(picture, np.uint8) for picture in pictures)
    reading = read_pixels(ImagePair(infrared, visible))
    plainly = Instruction().with_values(dict.fromkeys(mentioned, PLAIN))
    told = weigh(plainly, (), reading, visible).instruction
    return {name: within(PLAIN, reading.severity[name]) if name in asked else told.severity(name) for name in mentioned}


def _known_groups(crop: dict[str, Any]) -> list[str]:
    """The groups that can be asked for: in a rendered scene all of them, there or not.

    A detector misses people in real pictures: what its boxes do not hold is not known to be absent.
    """
    if crop["depth"] is not None:
        return list(MASK_GROUPS)
    there = np.bitwise_or.reduce(crop["mask"], axis=None)
    return [group for bit, group in enumerate(MASK_GROUPS) if there >> bit & 1 or group == "hot"]


def _draw_wish(fields: dict[str, float], shares: Sequence[float], groups: list[str], rng: np.random.Generator) -> None:
    kind = rng.choice(4, p=np.array(shares) / sum(shares))
    if kind == 0:
        fields["balance"] = float(rng.choice([-1.0, 1.0]) if rng.random() < 0.2 else rng.uniform(-1.0, 1.0))
    elif kind == 1:
        fields["keep_colour"] = 1.0
    elif kind == 2:
        fields["keep_texture"] = 1.0
    else:
        for group in rng.choice(groups, size=min(rng.integers(1, 3), len(groups)), replace=False):
            fields[f"highlight.{group}"] = 1.0


def _highlight_mask(mask: NDArray[np.uint8], fields: dict[str, float]) -> NDArray[np.float32]:
    wanted = sum(1 << bit for bit, group in enumerate(MASK_GROUPS) if fields[f"highlight.{group}"])
    return ((mask & wanted) > 0).astype(np.float32)


def _plane(image: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))[None]


def _planes(image: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
