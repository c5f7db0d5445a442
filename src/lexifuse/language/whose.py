"""Turns of phrase that say which camera is meant, and how much of each there shall be, and the plain words for them.

"The latter is striped", "noise: heavy in thermal, slight in visible", "too much thermal": they meet the words behind
:mod:`lexifuse.language.retractions` and are written like the rules of :mod:`lexifuse.language.turns`.
"""

from __future__ import annotations

from lexifuse.language.word_groups import CAMERA, INFRARED, NOT, NOUN, OBJECT_LIST, PART, PICTURE, STATE

_END = r"(?= (?:in|on|here|now|please|and|but|for|,|\.|;|!|\?)|$)"
_FUSED = (
    "(?:result|output|fusion|fused (?:image|picture|one|result)|mix|blend|final (?:image|picture|result)|image|picture)"
)
_TOO = "(?:far |much |way |a bit |a little )?too"
_NOT_ASKED = (
    "(?<!not )(?<!use )(?<!using )(?<!want )(?<!add )(?<!show )(?<!give )(?<!never )(?<!without )(?<!have )(?<!let )"
)
_LARGE = "(?:three quarters|two thirds|four fifths)"
_SMALL = "(?:a|one) (?:quarter|third|fifth)"
_DAMAGED_VISIBLE = (
    "(?:dark|dim|underexposed|overexposed|hazy|foggy|misty|rainy|blurry|blurred"
    "|(?:has |with )?(?:haze|fog|rain|blur|glare))"
)
_DAMAGED_INFRARED = (
    "(?:(?:very )?(?:striped|stripy|banded|flat|low contrast)|(?:has |shows )?(?:stripes|lines|banding))"
)
_FIRST = "(?:the )?(?:(?:first|1 st)(?: (?:image|picture|one|photo))?|(?:image|picture) 1)"
_SECOND = "(?:the )?(?:(?:second|2 nd)(?: (?:image|picture|one|photo))?|(?:image|picture) 2)(?= is| has| looks| shows)"
_AND = r"(,|;|\.|and|but|, and|, but|while)"
_SAID = "(?:is |has |looks )?(?:very |too |a bit |slightly )?"
_IS = "(?:is|has|looks|shows|are)"
_HEAVY = "(?:heavy|high|hi|strong|severe|bad|a lot)"
_LIGHT = "(?:light|low|lo|weak|slight|little|a bit)"
_DISCREET = "(?:subtle|discreet|discrete|understated|restrained|low - key|in the background|unobtrusive)"
_VERY = "(?:(?:too|very|quite|rather|so|really|slightly|a bit) )*"

WHOSE: tuple[tuple[str, str], ...] = (
    # Whose it is, where two cameras are spoken of.
    (
        rf"(?:the )?({CAMERA}){PICTURE} (?:and|,|&) (?:the )?({CAMERA}){PICTURE} : (?:the )?former(?: one)?"
        rf"((?: {_IS})?(?: [a-z]+){{1,4}}?) (,|;|and|, and) (?:the )?latter(?: one)?",
        r"the \1 image\3 \4 the \2 image",
    ),
    (
        rf"({CAMERA})((?: (?!{CAMERA} )[a-z',;]+){{1,8}}?) (?:the )?({CAMERA})((?: [a-z',]+){{0,8}}?) ([;.,:]) "
        rf"(?:the )?former(?: one)?((?: {_IS})?(?: [a-z]+){{1,4}}?) (,|;|and|, and) (?:the )?latter(?: one)?",
        r"\1\2 \3\4 \5 the \1\6 \7 the \3",
    ),
    (
        rf"({CAMERA})((?: (?!{CAMERA} )[a-z',;]+){{1,8}}?) (?:the )?({CAMERA})((?: [a-z',]+){{0,8}}?) ([;.,:]) "
        rf"(?:the )?latter(?: one)?((?: {_IS})?)(?: also)?",
        r"\1\2 \3\4 \5 the \3\6",
    ),
    (
        rf"(?:an? |the )?({CAMERA}){PICTURE} (?:and|,|&|then) (?:an? |the )?({CAMERA}){PICTURE} [.:;,] "
        rf"(?:the )?(?:first|1 st)(?: one)? ({_IS}(?: [a-z]+){{1,4}}?) {_AND} (?:the )?(?:second|2 nd)(?: one)?",
        r"the \1 image \3 \4 the \2 image",
    ),
    (
        rf"(?:first|1 st)(?: one| image)?(?: is| =| :)?(?: the)? ({CAMERA}) [,;] (?:second|2 nd)(?: one| image)?"
        rf"(?: is| =| :)?(?: the)? ({CAMERA}) [.;,)] (?:the )?(?:second|2 nd)(?: one| image)?",
        r"the \2 image",
    ),
    (
        rf"(?:the )?{CAMERA}{PICTURE} (?:is|has|looks)(?: [a-z]+){{1,3}} than (?:the )?({CAMERA}){PICTURE}(?:"
        rf" ,)? which "
        r"(?:is|looks)",
        r"the \1 image is",
    ),
    (
        rf"everything (?:but|except) (?:the )?({CAMERA}){PICTURE} is (?:good|fine|ok|okay|perfect)(?: ,)? "
        r"(?:it's|it is|which is|that is)",
        r"the \1 image is",
    ),
    (
        rf"({NOUN}) : (?:the )?({CAMERA}) {_HEAVY} , (?:the )?({CAMERA}) {_LIGHT}",
        r"heavy \1 in the \2 , slight \1 in the \3",
    ),
    (
        rf"({NOUN}) : (?:the )?({CAMERA}) {_LIGHT} , (?:the )?({CAMERA}) {_HEAVY}",
        r"slight \1 in the \2 , heavy \1 in the \3",
    ),
    (
        rf"({NOUN}) : ([a-z]+) (?:in|on) (?:the )?({CAMERA}) (?:,|and) ([a-z]+) (?:in|on) (?:the )?({CAMERA})",
        r"\2 \1 in the \3 , \4 \1 in the \5",
    ),
    (
        rf"({STATE}|{NOUN}) [,;.] (?:the )?({CAMERA}){PICTURE} (?:is )?(?:ditto|same|likewise|the same)(?= [.,;!]|$)"
        rf"|({STATE}|{NOUN}) [,;.] (?:same|ditto|likewise|the same) (?:goes )?(?:for|with|in|on) (?:the"
        rf" )?({CAMERA}){PICTURE}",
        r"\1\3 ; the \2\4 image is \1\3",
    ),
    (
        rf"({STATE}|{NOUN}) [.;] so (?:is|are|does|has) (?:the )?({CAMERA}){PICTURE}",
        r"\1 ; the \2 image is \1",
    ),
    (
        rf"({NOUN}|{STATE}|veil|film|layer|lies|blanket|curtain) (?:over|across) (?:the )?(?:whole |entire"
        rf" )?({CAMERA})",
        r"\1 in the \2",
    ),
    (
        rf"({NOUN}) (?:is|are) not (?:in|on) (?:the )?{CAMERA}{PICTURE} ,? ?but (?:in|on) (?:the )?({CAMERA})",
        r"\1 in the \2",
    ),
    (
        rf"({CAMERA}{PICTURE} (?:{_IS} )?{_VERY}{STATE}) and"
        rf"(?= (?:the )?{CAMERA}{PICTURE} (?:{_IS} )?{_VERY}{STATE}(?!\S))",
        r"\1 ,",
    ),
    # More and less of a camera.
    (
        rf"(?:the )?({CAMERA}){PART} (?:should|must|could|shall|can|to) (?:only |just )?(?:be|stay|remain) (?:kept )?"
        rf"(?:only |just |very |more |rather )*{_DISCREET}"
        rf"|(?:make|keep) (?:the )?({CAMERA}){PART} (?:very |more |rather |quite )?{_DISCREET}"
        rf"|(?:only|just) an? (?:hint|touch|pinch|dash|trace|suggestion|bit) of (?:the )?({CAMERA})",
        r"less \1\2\3",
    ),
    (
        rf"({CAMERA}) (?:only |just )?as an? (?:accent|hint|garnish|overlay|extra) (?:only )?for ({OBJECT_LIST})",
        r"less \1 , highlight \2",
    ),
    (rf"{_NOT_ASKED}(?:way|far|a lot|very much) too much (?:of )?(?:the )?({CAMERA}){PART}{_END}", r"a lot less \1"),
    (
        rf"{_NOT_ASKED}(?:a bit|a little|slightly) too much (?:of )?(?:the )?({CAMERA}){PART}{_END}",
        r"slightly less \1",
    ),
    (rf"{_NOT_ASKED}too much (?:of )?(?:the )?({CAMERA}){PART}{_END}", r"less \1"),
    (
        rf"(?:is |are |there's |there is )?(?:not|isn't|isn't there) enough (?:of )?(?:the )?({CAMERA}){PART}{_END}"
        rf"|(?:far |way |much )?too little (?:of )?(?:the )?({CAMERA}){PART}{_END}",
        r"more \1\2",
    ),
    (
        rf"(?:the )?({CAMERA}){PART} (?:is |looks |seems )?{_TOO} (?:weak|subtle)(?: in (?:the |this |my )?{_FUSED})?",
        r"more \1",
    ),
    (
        rf"(?:the )?({CAMERA}){PART} (?:is )?(?:barely|hardly|scarcely|not|almost not) "
        rf"(?:visible|noticeable|there|present) in (?:the |this |my )?{_FUSED}",
        r"more \1",
    ),
    (
        rf"(?<!not )(?:is |looks |look |seems )?{_TOO} (?:much like |much like a |much like the )?({INFRARED}){PART}"
        r"(?: looking| - looking| - like)?(?= [,.;!]| and| but|$)",
        r", use less \1",
    ),
    (rf"{_LARGE} (?:of )?(?:the )?({CAMERA})(?= (?:and |, )?(?:{_LARGE}|{_SMALL})| [,.;!]| please|$)", r"more \1"),
    (
        rf"{_SMALL} (?:of )?(?:the )?({CAMERA})(?= (?:and |, )?(?:{_LARGE}|{_SMALL}|more)| [,.;!]| please|$)",
        r"less \1",
    ),
    (
        r"(?:looks? |make it |make it look )(?:more )?like (?:a |the )?(?:photo|photograph|daylight photo|rgb|rgb image"
        r"|visible image|daylight image)(?= please| [,.;!]|$)",
        "more visible",
    ),
    # Which camera it is said of, without a verb or by order.
    (rf"({CAMERA}) : ({STATE}|{NOUN}) , ({STATE}|{NOUN})(?= [.;])", r"\1 : \2 , \1 : \3"),
    (rf"({CAMERA}) = ([a-z]+)(?= {CAMERA} =)", r"\1 is \2 ,"),
    (
        rf"(?:the )?({CAMERA}){PART} {NOT} ({STATE}) (?:,|;|but|, but) (?:only|just) (?:the )?({CAMERA}){PART}"
        r"(?: is)?(?= [.!;]|$)",
        r"\1 is not \2 , the \3 is \2",
    ),
    # The damage gives away which of two pictures is which, whatever their order.
    (rf"{_FIRST} ({_SAID}{_DAMAGED_VISIBLE}) {_AND} {_SECOND}", r"the visible image \1 \2 the infrared image"),
    (rf"{_FIRST} ({_SAID}{_DAMAGED_INFRARED}) {_AND} {_SECOND}", r"the infrared image \1 \2 the visible image"),
)
