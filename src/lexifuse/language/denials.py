"""Damage that words speak of without asking for its repair: "no haze", "the infrared is fine", "do not brighten it".

To an instruction such words are the same as silence. They are not where the pixels are asked too: what was denied is
left alone, whatever the picture looks like.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lexifuse.instruction import DEGRADATIONS, Instruction
from lexifuse.language.clauses import SOURCES, cameras_of

_DAMAGE = {
    "low_light": "dark darkness dim low-light underexposed underexposure brighten brightening lighten relight gloomy",
    "over_exposure": "overexposed over-exposed overexposure glare glaring dazzle dazzling blown clipped darken bright"
    " saturated",
    "noise": "noise noisy grain grainy graininess speckle speckled snow denoise denoising",
    "haze": "haze hazy fog foggy mist misty smoke smoky smog dehaze dehazing",
    "rain": "rain rainy raining wet drizzle raindrops derain deraining",
    "blur": "blur blurred blurry sharpen sharpening defocus unsharp shaky deblur deblurring",
    "low_contrast": "contrast flat dull",
    "stripes": "stripe stripes striped stripy streaks banding bands lines destripe destriping",
}
DAMAGE_WORDS: dict[str, tuple[str, ...]] = {
    word: tuple(name for name in DEGRADATIONS if name.endswith(f".{damage}"))
    for damage, words in _DAMAGE.items()
    for word in words.split()
}
"""Words for damage to the degradations that they can mean."""

_PRAISE = frozenset(
    {"fine", "perfect", "clean", "good", "okay", "ok", "great", "excellent", "alright", "spotless", "flawless"}
    | {"intact", "undamaged", "clear", "impeccable"}
)
_CLAUSE_ENDS = frozenset(",.;:!?") | {"but", "while", "whereas", "and", "though", "although"}
_VERB_ENDS = frozenset({"up", "away", "off", "it", "the", "that", "this", "out"})
_LEFT_ALONE = frozenset({"untouched", "alone", "unchanged", "unaltered"})
_HANDS_OFF = re.compile(
    r"\b(?:don't|do not|no need to|never|without) touch(?:ing)?\b|\bleave\b.*\bas (?:it|they) (?:is|are)\b"
)
_BOTH = {"both", "everything"}
_DENIALS = _PRAISE | {
    *("no", "not", "non", "none", "nothing", "never", "nor", "neither", "without", "free", "zero", "cannot", "can't"),
    *("isn't", "aren't", "wasn't", "weren't", "don't", "doesn't", "didn't", "hasn't", "haven't", "won't", "shouldn't"),
    *("hardly", "barely", "scarcely", "leave", "keep", "ignore", "stop", "avoid", "alone", "untouched", "enough"),
}
_HYPHEN = re.compile(r"(\w+) - (\w+)")


@dataclass(frozen=True, slots=True)
class Unasked:
    """What words speak of without asking for its repair.

    Attributes:
        denied: degradations, in the usual order.
        impossible: words for damage that is not known of the source they name, such as a blurred infrared picture.
    """

    denied: tuple[str, ...]
    impossible: tuple[str, ...]


def unasked(words: Sequence[str], asked: Instruction, ruled_out: Collection[str] = ()) -> Unasked:
    """Find what a prompt speaks of besides what it asks for.

    Args:
        words: of the prompt, repaired, signs among them.
        asked: what the prompt asks for.
        ruled_out: degradations that a number says are not there ("haze 0 %").
    """
    found: set[str] = set(ruled_out)
    impossible: list[str] = []
    spoken = _clauses([word.lower() for word in words])
    good = {word for clause in spoken if _PRAISE & _adjectives(clause) for word in clause}
    for clause in spoken:
        sources = cameras_of(clause)
        named = [word for word in clause if word in DAMAGE_WORDS]
        for word in named:
            fields = DAMAGE_WORDS[word]
            of_source = [name for name in fields if not sources or name.split(".")[0] in sources]
            # "noisy" speaks of one camera's noise or the other's: asked of one, it denies nothing of the other.
            if any(asked.severity(name) or name in ruled_out for name in fields):
                continue
            # What nobody denies was not understood, and what the pixels say of it stands.
            denied = of_source and (word in good or not _DENIALS.isdisjoint(clause))
            found.update(of_source if denied else ())
            impossible += [] if denied or word in good else [word]
        whole = set(SOURCES) if "everything" in clause else sources
        praised = _PRAISE & _adjectives(clause) and (len(sources) == 1 or _BOTH & set(clause))
        left_alone = _LEFT_ALONE & set(clause) or _HANDS_OFF.search(" ".join(clause))
        if not named and (praised or left_alone):
            found.update(name for name in DEGRADATIONS if name.split(".")[0] in whole)
    denied = tuple(name for name in DEGRADATIONS if name in found and not asked.severity(name))
    return Unasked(denied, tuple(dict.fromkeys(impossible)))


def _adjectives(clause: Sequence[str]) -> set[str]:
    """The words of a clause without those that an adverb makes a verb of, as in "clean up" and "clear away"."""
    return {word for word, after in zip(clause, (*clause[1:], ""), strict=False) if after not in _VERB_ENDS}


def _clauses(words: Sequence[str]) -> list[list[str]]:
    clauses: list[list[str]] = [[]]
    for word in _HYPHEN.sub(_joined, " ".join(words)).split():
        if word in _CLAUSE_ENDS:
            clauses.append([])
        else:
            clauses[-1].append(word)
    return clauses


def _joined(found: re.Match[str]) -> str:
    """One word where it is one, as in "low - light", else the two that they are, as in "dark - just"."""
    word = f"{found[1]}-{found[2]}"
    return word if word in DAMAGE_WORDS else found[0]
