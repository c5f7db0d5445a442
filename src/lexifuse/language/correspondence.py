"""The greeting and the signature of a letter, which ask for nothing: "Dear Mr Gray," and "Warm regards, Ines"."""

from __future__ import annotations

from collections.abc import Sequence

from lexifuse.language.clauses import CAMERAS
from lexifuse.language.denials import DAMAGE_WORDS
from lexifuse.language.words import FUNCTION_WORDS, Word

_OPENINGS = {"hi", "hello", "hey", "dear", "hiya"}
_TITLES = {"mr", "mrs", "ms", "dr", "prof", "sir", "madam", "all", "team", "colleagues", "everyone", "support", "there"}
_SHORT_TITLES = {"mr", "mrs", "ms", "dr", "prof"}
_NO_NAMES = DAMAGE_WORDS.keys() | CAMERAS | (FUNCTION_WORDS - _TITLES) | {"please", "remove", "removal", "highlight"}
_KIND = {"best", "kind", "warm", "warmest", "kindest", "many", "with", "very", "yours", "hot"}
_CLOSINGS = {
    "regards",
    "wishes",
    "greetings",
    "sincerely",
    "faithfully",
    "truly",
    "cheers",
    "thanks",
    "best",
    "yours",
    "br",
}
_LONGEST_NAME = 4
_SENTENCE_ENDS = set(".!?")
_SIGNS = set(",.!-:;")


def body(words: Sequence[Word]) -> list[Word]:
    """The words of a prompt between its greeting and its signature; all of them where it is no letter.

    Args:
        words: and signs of a prompt, in order, as they were typed.

    >>> from lexifuse.language.words import split_words
    >>> [word.text for word in body(split_words("Hi Rainer, it is dark. Best regards, Mr Gray"))]
    ['it', 'is', 'dark', '.']
    """
    if all(word.text.isupper() for word in words if word.is_word):  # Capitals tell no names here.
        return list(words)
    return list(words[_greeting(words) : _signature(words)])


def _greeting(words: Sequence[Word]) -> int:
    """Where the letter itself begins."""
    if not words or words[0].text.lower() not in _OPENINGS:
        return 0
    stop = 1
    while stop < len(words) and stop <= _LONGEST_NAME and (_is_name(words[stop]) or _follows_title(words, stop)):
        stop += 1
    # "Hi Rainer it is dark" may go on without a sign; a name alone in front of it is left to the reader.
    named = 1 < stop < len(words) and words[stop].text in _SIGNS and _are_names(words[1:stop])
    return stop + 1 if named else 0


def _signature(words: Sequence[Word]) -> int:
    """Where the letter itself ends: at the last closing, if names alone follow it."""
    end = len(words)
    while end and (words[end - 1].text in _SIGNS):
        end -= 1
    first = end
    while first and end - first < _LONGEST_NAME and (_is_name(words[first - 1]) or words[first - 1].text == "."):
        first -= 1
    for start in range(first, end + 1):
        closing = start
        while closing and words[closing - 1].text in _SIGNS:
            closing -= 1
        if not closing or words[closing - 1].text.lower() not in _CLOSINGS or not _are_names(words[start:end]):
            continue
        opening = closing - 1
        while opening and words[opening - 1].text.lower() in _KIND | _CLOSINGS:
            opening -= 1
        if opening == 0 or words[opening - 1].text in _SENTENCE_ENDS | {",", ";", "-"}:
            return opening
    return len(words)


def _follows_title(words: Sequence[Word], at: int) -> bool:
    return words[at].text == "." and words[at - 1].text.lower() in _SHORT_TITLES


def _is_name(word: Word) -> bool:
    return word.is_word and (word.text[0].isupper() or word.text.lower() in _TITLES)


def _are_names(words: Sequence[Word]) -> bool:
    """Whether words that may be names are: "Tim Dark" is one, "Haze Removal" asks for something."""
    spoken = [word.text.lower() for word in words if word.is_word]
    return not spoken or not _NO_NAMES.issuperset(spoken)
