"""Groups of words that turns of phrase are made of, as parts of regular expressions."""

from __future__ import annotations

import re

from lexifuse.language.clauses import CAMERAS, SOURCES
from lexifuse.language.idioms import OBJECTS


def any_of(words: str) -> str:
    """A group of words that are parted by bars, the longest first."""
    return "(?:" + "|".join(re.escape(word) for word in sorted(words.split("|"), key=len, reverse=True)) + ")"


NOUN = any_of(
    "noise|grain|graininess|speckle|speckles|snow|static|haze|fog|mist|smoke|smog|rain|drizzle|raindrops"
    "|blur|blurring"
    "|blurriness|stripes|striping|banding|lines|streaks|glare|overexposure|underexposure|darkness|gloom|murk"
)
STATE = any_of(
    "noisy|grainy|speckled|hazy|foggy|misty|smoky|rainy|wet|blurred|blurry|fuzzy|unsharp|striped|stripy"
    "|streaky|banded"
    "|dark|dim|gloomy|underexposed|overexposed|bright|flat|dull"
)
CAMERA = "(?:" + "|".join(CAMERAS) + ")"
# A "thermal photo" is none.
VISIBLE = "(?:" + "|".join(name for name in SOURCES["visible"] if not name.startswith("photo")) + ")"
INFRARED = "(?:infrared|ir|thermal|heat|lwir|mwir)"
PICTURE = "(?: (?:image|picture|camera|one|frame|photo))?"
PART = "(?: (?:image|picture|camera|one|part|signal|channel|data|content))?"
# Where something is asked for and nothing is said to be: not "the thermal has less noise".
WANTED = (
    "(^(?:please )?|(?:want|need|prefer|like|get|give me|make it|with|please|for|,|and|but|;) "
    "|(?:could|can) (?:i|we|you) (?:get|have|make it) )"
)
THE = "(?:(?:the|this|that|all|any|so|much|its|your) )*"
NOT = (
    "(?:(?:(?:is|are|was|were|looks|look|seems|'s) )?not|isn't|aren't|wasn't|weren't|doesn't look|don't look"
    "|doesn't seem|(?:is |are )?(?:hardly|far from|anything but|nowhere near))"
)
VERY = "(?:(?:very|that|so|quite|really|exactly|particularly|all that|especially|overly|terribly) )?"
CANNOT = "(?:can't|cannot|can not|couldn't|could not|can hardly|can barely|can scarcely|could hardly|could barely)"
SEE = "(?:even )?(?:see|make out|read|tell|recognise|recognize|distinguish|find|spot|identify|drive)"
ENOUGH = "(?:good|great|ideal|brilliant|high|strong|sufficient|enough|impressive|perfect|amazing|fantastic|there)"
HANDLED = "(?! (?:removal|reduction|removed|reduced|gone|touched|cleaned|to be|being|alone|as|untouched))"
OBJECT = f"(?:(?:the|any|all|every|some|other) ){{0,3}}{OBJECTS}"
OBJECT_LIST = f"{OBJECT}(?: (?:,|and|&|or|, and) {OBJECT})*"

ADVERB = "(?:(?:a )?(?:bit|little|lot|much|slightly|far|way|tad) )?"
IMAGE = "(?:it|this|that|everything|(?:the |this |my )?(?:whole )?(?:image|picture|photo|pic|result|output|scene))"
ONE = rf"(?:the )?({CAMERA})(?: (?:image|picture|one|camera))?"
STOP = "(?= please| and| but| [,.;!]|$)"
