"""Text to words: cleaned of what nobody reads, split, and judged for being English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "."})
# A sign belongs to a number where it stands at its beginning: "-0.4", but not in "3-5" or "haze-5".
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|(?<![\w.,)%])[-+]?(?:\d+(?:[.,]\d+)?|\.\d+)|\d+(?:[.,]\d+)?|[^\w\s]|_")

_FUNCTION_WORDS = """
a about all also am an and any are as at be been but by can could did do does else for from get got had has have he her
here him his how i if in into is it its just let like made make me my no not of off ok on one only or our out over own
please she should so some such than that the their them then there these they this those to too under until up us very
was we were what when where which while who why will with would yes yet you your don't doesn't isn't aren't it's that's
there's i'm i'd i've can't won't t s
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that carry no meaning of their own."""

_SMALL_TALK = """
hello hi hey greetings good morning afternoon evening night today tonight tomorrow yesterday thanks thank cheers bye
goodbye nice meet going doing life day week weekend lol haha wow
"""
SMALL_TALK = frozenset(_SMALL_TALK.split())
"""English words that alone ask for nothing."""

_GERMAN = """
und ist das der den dem des ein eine einen einer nicht bitte mit von zu zur zum im auf aus bei sind wo mehr sehr kein
keine keinen nur aber auch bild bilder ich wir sie hebe mach mache zeige entferne dunkel hell kontrast kamera infrarot
nebel regen rauschen beide
"""
_FRENCH = """
le la les un une du et est pas trop avec sur dans ces cette où il elle je nous vous qui que très bruit flou floue sombre
thermique infrarouge contraste
"""
_SPANISH_PORTUGUESE_ITALIAN = """
el los las una unos es muy con por para hay en sin pero esta este imagen imagem immagine lo gli che di della nella più
molto troppo contrasto não nao uma com são muito mais os niebla ruido quita quiero
"""
_DUTCH_AND_OTHERS = """
het een de niet wazig donker met van voor zijn beeld graag naar ook er maak jest nie och inte bilden kuva är
"""
_FOREIGN = frozenset((_GERMAN + _FRENCH + _SPANISH_PORTUGUESE_ITALIAN + _DUTCH_AND_OTHERS).split())
"""Words that give another language away; some are English too, and are only taken for foreign in foreign company."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a sign of the cleaned text.

    Attributes:
        text: as it was typed.
        start: where it starts in the cleaned text, characters.
        end: where it ends.
    """

    text: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        """True for letters, False for numbers and signs."""
        return self.text[0].isalpha()


def clean(text: str) -> str:
    """Text in one form of Unicode, with straight quotes, and without control characters."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)


def split_words(text: str) -> list[Word]:
    """The words and signs of a cleaned text, in order.

    >>> [word.text for word in split_words("It isn't dark, no.")]
    ['It', "isn't", 'dark', ',', 'no', '.']
    """
    return [Word(found.group(), found.start(), found.end()) for found in _WORD.finditer(text)]


def is_foreign(words: Sequence[Word], known: Callable[[str], bool]) -> bool:
    """Whether a prompt is in another language than English.

    Args:
        words: of the prompt.
        known: tells whether a lower-case word is English.

    Returns:
        True where words of other languages or scripts, and the unknown words beside them, outweigh the English ones.
    """
    foreign = unknown = english = either = 0
    for word in words:
        text = word.text.lower()
        if not word.is_word:
            continue
        if text in _FOREIGN and known(text):
            either += 1
        elif text in _FOREIGN or not text.isascii():
            foreign += 1
        elif known(text):
            english += 1
        else:
            unknown += 1
    # "van" and "hell" are English among English words.
    foreign, english = (foreign + either, english) if foreign or either > english else (0, english + either)
    return foreign > 0 and 2 * foreign + unknown >= english
