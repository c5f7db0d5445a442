"""What is asked of a fusion: nine severities, a balance, wishes and objects to bring out."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from lexifuse.errors import UsageError

ASKED_FOR = 0.2
"""A severity of at least this much counts as asked for."""

SLIGHT, PLAIN, SEVERE = 0.3, 0.6, 0.9
"""Severities of "slightly …", a plain mention and "severely …"."""

HIGHLIGHTS = (
    "person",
    "cyclist",
    "car",
    "truck",
    "bus",
    "motorcycle",
    "animal",
    "traffic sign",
    "traffic light",
    "building",
    "vegetation",
    "fire",
    "hot spot",
)
"""Objects that can be asked for by name."""

HIGHLIGHT_GROUPS: Mapping[str, frozenset[str]] = {
    "person": frozenset({"person", "cyclist"}),
    "vehicle": frozenset({"car", "truck", "bus", "motorcycle"}),
    "hot": frozenset({"animal", "fire", "hot spot"}),
    "scene": frozenset({"traffic sign", "traffic light", "building", "vegetation"}),
}
"""Objects grouped by what a model can tell apart; a conditioning field is named ``highlight.<group>``."""


@dataclass(frozen=True, slots=True)
class VisibleSeverities:
    """How much each visible-light degradation is asked to be repaired, each 0..1."""

    low_light: float = 0.0
    over_exposure: float = 0.0
    noise: float = 0.0
    haze: float = 0.0
    rain: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True, slots=True)
class InfraredSeverities:
    """How much each infrared degradation is asked to be repaired, each 0..1."""

    low_contrast: float = 0.0
    noise: float = 0.0
    stripes: float = 0.0


DEGRADATIONS: tuple[str, ...] = tuple(
    f"{source}.{item.name}"
    for source, group in (("visible", VisibleSeverities), ("infrared", InfraredSeverities))
    for item in fields(group)
)
"""The nine degradations as ``<source>.<name>``, in the order used everywhere."""

SETTABLE: tuple[str, ...] = (*DEGRADATIONS, "balance", "keep_colour", "keep_texture", "highlight")
"""Every field that ``--set KEY=VALUE`` takes."""

_SOURCES = ("visible", "infrared")
_LONGEST_SHOWN = 60  # characters of a value in a message
_DESCRIPTIONS = {
    "visible.low_light": "brighten the dark visible image",
    "visible.over_exposure": "recover the over-exposed visible image",
    "visible.noise": "remove noise from the visible image",
    "visible.haze": "remove haze from the visible image",
    "visible.rain": "remove rain from the visible image",
    "visible.blur": "sharpen the blurred visible image",
    "infrared.low_contrast": "raise the contrast of the flat infrared image",
    "infrared.noise": "remove noise from the infrared image",
    "infrared.stripes": "remove stripes from the infrared image",
}


@dataclass(frozen=True, slots=True)
class Instruction:
    """A validated request for one fusion. The default asks for a plain, faithful fusion.

    Attributes:
        visible: severities of the six visible-light degradations, each 0..1.
        infrared: severities of the three infrared degradations, each 0..1.
        balance: -1 (visible only) .. 0 (both) .. +1 (infrared only).
        keep_colour: keep the colours of the visible image exactly.
        keep_texture: keep fine texture even where smoothing would look cleaner.
        highlight: objects to bring out, from :data:`HIGHLIGHTS`.

    Raises:
        UsageError: a number is outside its range, or an object is unknown.

    >>> print(Instruction.from_dict({"visible": {"low_light": 0.8}}))
    brighten the dark visible image (strongly, 0.80)
    """

    visible: VisibleSeverities = field(default_factory=VisibleSeverities)
    infrared: InfraredSeverities = field(default_factory=InfraredSeverities)
    balance: float = 0.0
    keep_colour: bool = False
    keep_texture: bool = False
    highlight: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for source in _SOURCES:
            group = getattr(self, source)
            kind = VisibleSeverities if source == "visible" else InfraredSeverities
            if not isinstance(group, kind):
                raise UsageError(
                    f"{source} must be given as {kind.__name__}, not {_shown(group)}: for example "
                    f"{source}={kind.__name__}(noise=0.6), or Instruction.from_dict for plain dicts"
                )
            checked = {
                item.name: _number(f"{source}.{item.name}", getattr(group, item.name), 0.0, 1.0)
                for item in fields(group)
            }
            object.__setattr__(self, source, kind(**checked))
        object.__setattr__(self, "balance", _number("balance", self.balance, -1.0, 1.0))
        for name in ("keep_colour", "keep_texture"):
            object.__setattr__(self, name, _flag(name, getattr(self, name)))
        object.__setattr__(self, "highlight", _objects(self.highlight))

    @property
    def is_plain(self) -> bool:
        """True when nothing is asked for: a plain, faithful fusion."""
        return self == Instruction()

    def severity(self, degradation: str) -> float:
        """Severity 0..1 of one of :data:`DEGRADATIONS` (``"visible.haze"``)."""
        if degradation not in DEGRADATIONS:
            raise UsageError(_unknown("degradation", degradation, DEGRADATIONS))
        source, _, name = degradation.partition(".")
        return getattr(getattr(self, source), name)

    def value(self, conditioning_field: str) -> float:
        """One number of the conditioning vector.

        Args:
            conditioning_field: a degradation, ``balance``, ``keep_colour``, ``keep_texture`` or ``highlight.<group>``.

        Returns:
            The severity 0..1, the balance -1..1, or 0.0/1.0 for a wish.
        """
        if conditioning_field in DEGRADATIONS:
            return self.severity(conditioning_field)
        prefix, _, group = conditioning_field.partition(".")
        if prefix == "highlight" and group in HIGHLIGHT_GROUPS:
            return float(any(name in HIGHLIGHT_GROUPS[group] for name in self.highlight))
        if conditioning_field in ("balance", "keep_colour", "keep_texture"):
            return float(getattr(self, conditioning_field))
        raise UsageError(f"unknown conditioning field '{conditioning_field}': this model needs a newer lexifuse")

    def with_values(self, values: Mapping[str, Any]) -> Instruction:
        """A copy with some fields replaced, as ``--set KEY=VALUE`` does.

        Args:
            values: names from :data:`SETTABLE` (or a bare degradation name such as ``haze`` where it is not
                ambiguous) to numbers, booleans, or their spelling as text; ``highlight`` takes names or a comma list.
        """
        result = self
        for key, value in values.items():
            name = settable(key)
            source, _, item = name.partition(".")
            if item:
                group = replace(getattr(result, source), **{item: value})
                result = replace(result, **{source: group})
            else:
                result = replace(result, **{name: value})
        return result

    def asked_for(self) -> tuple[str, ...]:
        """The degradations whose severity is at least :data:`ASKED_FOR`."""
        return tuple(name for name in DEGRADATIONS if self.severity(name) >= ASKED_FOR)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form (see "Names that stay" in the documentation): plain dicts, lists, numbers and booleans."""
        return {
            "visible": {item.name: getattr(self.visible, item.name) for item in fields(self.visible)},
            "infrared": {item.name: getattr(self.infrared, item.name) for item in fields(self.infrared)},
            "balance": self.balance,
            "keep_colour": self.keep_colour,
            "keep_texture": self.keep_texture,
            "highlight": list(self.highlight),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Instruction:
        """Read the JSON form. Missing fields keep their defaults.

        Raises:
            UsageError: ``data`` is not a mapping, has a field that does not exist, or a value out of range.
        """
        flat: dict[str, Any] = {}
        for key, value in _mapping("an instruction", data).items():
            if key in _SOURCES:
                flat.update({f"{key}.{name}": item for name, item in _mapping(key, value).items()})
            elif isinstance(value, Mapping) and key not in SETTABLE and difflib.get_close_matches(str(key), _SOURCES):
                raise UsageError(_unknown("field", key, _SOURCES))
            else:
                flat[key] = value
        return cls().with_values(flat)

    def to_json(self) -> str:
        """The JSON form as one line of text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Instruction:
        """Read :meth:`to_json` back. Raises :class:`UsageError` where the text is not such JSON."""
        try:
            data = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(
                f"the instruction is not JSON ({error}): expected what `lexifuse explain --json` prints"
            ) from None
        return cls.from_dict(data)

    def __str__(self) -> str:
        parts = [
            f"{_DESCRIPTIONS[name]} ({_strength(severity)}, {severity:.2f})"
            for name in DEGRADATIONS
            if (severity := self.severity(name)) > 0
        ]
        if self.balance:
            parts.append(
                f"lean towards the {'infrared' if self.balance > 0 else 'visible'} image ({self.balance:+.2f})"
            )
        if self.keep_colour:
            parts.append("keep the colours")
        if self.keep_texture:
            parts.append("keep fine texture")
        if self.highlight:
            parts.append("bring out: " + ", ".join(self.highlight))
        return "; ".join(parts) or "a plain, faithful fusion"


def _strength(severity: float) -> str:
    if severity < ASKED_FOR:
        return "barely"
    return "slightly" if severity < 0.45 else "moderately" if severity < 0.75 else "strongly"


def _unknown(kind: str, name: object, known: Iterable[str]) -> str:
    known = tuple(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"unknown {kind} '{' '.join(str(name).split())}'" + (
        f": did you mean '{close[0]}'?" if close else f": choose from {', '.join(known)}"
    )


def settable(key: str) -> str:
    """The name of :data:`SETTABLE` that a key means, which may be bare where that is not ambiguous; else UsageError."""
    if not isinstance(key, str):
        raise UsageError(_unknown("field", _shown(key), SETTABLE))
    if key in SETTABLE:
        return key
    american = key.replace("color", "colour")
    endings = [name for name in SETTABLE if name.endswith(f".{key}")]
    if american in SETTABLE or len(endings) == 1:
        return american if american in SETTABLE else endings[0]
    if endings:
        raise UsageError(f"'{key}' could be {' or '.join(endings)}: write the one you mean")
    raise UsageError(_unknown("field", key, SETTABLE))


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{name} must be a JSON object, not {type(value).__name__}")
    return value


def _number(name: str, value: object, low: float, high: float) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a number from {low:g} to {high:g}, not {_shown(value)}") from None
    if not (math.isfinite(number) and low <= number <= high):
        told = _shown(value) if not isinstance(value, str) else " ".join(value.split())
        raise UsageError(f"{name} must be from {low:g} to {high:g}, not {told}")
    return number + 0.0


def _shown(value: object) -> str:
    """A value in a message: on one line, and not without end."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python does not write out a whole number of thousands of digits.
        return "a number of too many digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _flag(name: str, value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    flag = words.get((value if isinstance(value, str) else _shown(value)).strip().lower())
    if flag is None:
        raise UsageError(f"{name} must be true or false, not {_shown(value)}")
    return flag


def _objects(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise UsageError(f"highlight must be a list of object names, not {_shown(value)}")
    for name in value:
        if name not in HIGHLIGHTS:
            raise UsageError(_unknown("object", name, HIGHLIGHTS))
    return tuple(name for name in HIGHLIGHTS if name in value)


def parse_settings(settings: Iterable[str], option: str = "set") -> dict[str, str]:
    """``KEY=VALUE`` texts as a dict that :meth:`Instruction.with_values` takes; the last of a key counts.

    Args:
        settings: the texts.
        option: what they were given by, for the message.

    Raises:
        UsageError: one of them has no ``=``.
    """
    values = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"{option} takes KEY=VALUE, not '{setting[:100]}': for example visible.haze=0.8")
        values[key.strip()] = value.strip()
    return values
