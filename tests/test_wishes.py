"""Wishes are measured as promised: a fuser that grants them all, a deaf one, and the masks they are learned from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lexifuse import ImagePair, Instruction
from lexifuse.datasets.synthetic import Scene, SceneObject, render_scene
from lexifuse.errors import InputError
from lexifuse.evaluation.wishes import BALANCES, measure_wishes
from lexifuse.fuser import FusionResult
from lexifuse.instruction import HIGHLIGHT_GROUPS
from lexifuse.metrics import luma

torch = pytest.importorskip("torch")

from lexifuse.training.object_masks import boxed_objects, read_boxes
from lexifuse.training.objective import brought_out


class Granting:
    """A fuser that mixes the sources as the balance says and paints what is to be brought out white."""

    def __init__(self, objects: tuple[SceneObject, ...] = ()) -> None:
        self.objects = objects

    def fuse_pair(self, pair: ImagePair, instruction: Instruction | None = None) -> FusionResult:
        asked = instruction or Instruction()
        share = (asked.balance + 1) / 2
        mixed = (1 - share) * pair.visible.astype(np.float32) + share * pair.infrared[..., None]
        if asked.keep_colour:
            mixed = pair.visible
        image = np.asarray(np.clip(mixed, 0, 255), np.uint8)
        groups = [names for names in HIGHLIGHT_GROUPS.values() if names & set(asked.highlight)]
        for x0, y0, x1, y1 in (item.box for item in self.objects if any(item.name in names for names in groups)):
            image[y0:y1, x0:x1] = 255
        return FusionResult(image, asked, 0.0)


class Deaf(Granting):
    """A fuser that ignores all wishes."""

    def fuse_pair(self, pair: ImagePair, instruction: Instruction | None = None) -> FusionResult:
        del instruction
        return super().fuse_pair(pair, None)


def test_granted_wishes_are_seen_and_ignored_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = render_scene(0, height=120, width=160, time="night")
    monkeypatch.setattr("lexifuse.evaluation.wishes.render_scene", lambda _seed: scene)
    people = [item.box for item in scene.objects if item.name in ("person", "cyclist")]
    assert people, "the scene must hold people"
    granted = measure_wishes(Granting(scene.objects), 1)
    assert granted.monotonic == 1.0
    assert granted.contrast["person"] > 1.25
    assert granted.rest["person"] < 0.02
    assert granted.chroma == 0.0 < granted.chroma_plain
    ignored = measure_wishes(Deaf(), 1)
    assert ignored.monotonic == 0.0
    assert ignored.contrast["person"] == 1.0
    assert ignored.rest["person"] == 0.0
    assert json.loads(json.dumps(ignored.to_dict()))["contrast"]["person"] == 1.0


class Painted:
    """A fuser that answers as a table of the asked balance and highlight says."""

    def __init__(self, balances: dict[float, np.ndarray], highlighted: np.ndarray) -> None:
        self.balances, self.highlighted = balances, highlighted

    def fuse_pair(self, pair: ImagePair, instruction: Instruction | None = None) -> FusionResult:
        del pair
        asked = instruction or Instruction()
        grey = self.highlighted if asked.highlight else self.balances[asked.balance]
        return FusionResult(np.dstack([grey] * 3), asked, 0.0)


def scene_of(visible: np.ndarray, infrared: np.ndarray, *objects: SceneObject) -> Scene:
    return Scene(np.dstack([visible] * 3), infrared, np.ones(visible.shape, np.float32), objects, visible * 0, "day", 0)


@pytest.mark.parametrize(("share", "monotonic"), [(0.0, True), (0.25, True), (0.75, False)])
def test_a_step_of_the_balance_may_go_back_by_less_than_a_grey_level(
    monkeypatch: pytest.MonkeyPatch, share: float, monotonic: bool
) -> None:
    """Every pixel that falls back by one comes two closer to the visible picture, relative to the infrared one."""
    visible, infrared = np.full((40, 40), 50, np.uint8), np.full((40, 40), 200, np.uint8)
    balances = {balance: np.full((40, 40), round(100 + 40 * balance), np.uint8) for balance in BALANCES}
    balances[0.5] = balances[0.0].copy()
    balances[0.5][: round(40 * share)] -= 1
    monkeypatch.setattr("lexifuse.evaluation.wishes.render_scene", lambda _seed: scene_of(visible, infrared))
    assert measure_wishes(Painted(balances, visible), 1).monotonic == monotonic


def test_an_object_is_seen_against_what_surrounds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = np.full((120, 120), 30, np.uint8)
    plain[40:80, 40:80] = 100  # the surroundings: half the size of the object on every side
    plain[50:70, 50:70] = 120
    wished = plain.copy()
    wished[50:70, 50:70] = 140
    wished[:12] += 51  # a tenth of the picture, by a fifth of the range
    person = SceneObject("person", (50, 50, 70, 70), 10.0)
    monkeypatch.setattr("lexifuse.evaluation.wishes.render_scene", lambda _seed: scene_of(plain, plain, person))
    result = measure_wishes(Painted(dict.fromkeys(BALANCES, plain), wished), 1)
    assert result.contrast == {"person": pytest.approx(2.0)}
    assert result.rest == {"person": pytest.approx(0.02 * 120**2 / (120**2 - 28**2))}


def test_a_mask_follows_a_warm_person_and_rounds_a_vehicle_off() -> None:
    infrared = np.full((60, 80), 40, np.uint8)
    infrared[10:50, 24:36] = 200
    mask = boxed_objects(infrared, [("person", 18, 8, 42, 52), ("vehicle", 50, 20, 78, 40)])
    person, vehicle = (mask & 1) > 0, (mask & 2) > 0
    assert person[30, 30]
    assert not person[30, 20], "beside the warm body"
    assert vehicle[30, 64]
    assert not vehicle[20, 50], "the corner of a box is not the vehicle"
    outside = boxed_objects(infrared, [("person", -50, -50, -10, -10), ("vehicle", 70, 50, 120, 90)])
    assert outside.shape == infrared.shape
    assert not (outside & 1).any()


def test_files_of_boxes_are_checked(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"msrs": {"00001N": [["person", 1, 2, 3, 4]]}}))
    assert read_boxes(good)["msrs"]["00001N"]
    bad.write_text(json.dumps({"msrs": {"00001N": [["teapot", 1, 2, 3, 4]]}}))
    for path in (bad, tmp_path / "missing.json"):
        with pytest.raises(InputError, match="cannot read boxes"):
            read_boxes(path)


def test_what_is_brought_out_is_pulled_away_from_its_surroundings() -> None:
    picture, mask = torch.full((2, 3, 64, 64), 0.4), torch.zeros(2, 1, 64, 64)
    picture[:, :, 24:40, 24:40] = 0.5
    mask[0, :, 24:40, 24:40] = 1.0
    lifted = brought_out(picture, mask)
    first = luma(np.asarray((255 * lifted[0]).permute(1, 2, 0), np.uint8))
    assert first[32, 32] > 127 + 25
    assert torch.allclose(lifted[1], picture[1], atol=2e-3)
    assert torch.allclose(lifted[0, :, :16], picture[0, :, :16], atol=2e-3)
