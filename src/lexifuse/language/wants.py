"""Turns of phrase in which somebody wants a picture otherwise, and the plain words for them.

"The thermal should be less noisy", "a brighter picture", "keep the people visible": they meet the words behind
:mod:`lexifuse.language.whose`, before :mod:`lexifuse.language.idioms` and :mod:`lexifuse.language.turns`, and are
written like these.
"""

from __future__ import annotations

from lexifuse.language.word_groups import (
    CAMERA,
    IMAGE,
    INFRARED,
    NOUN,
    OBJECT_LIST,
    PART,
    PICTURE,
    STATE,
    STOP,
    VISIBLE,
)

_HOW = "(?:a bit |a little |a lot |much |far |slightly |way )?"
_WANTING = "(?<!don't )(?<!not )(?:want|need|like|get)"
_SHALL = "(?:should|must|has to|needs to|ought to|could) be"
_THE_IMAGE = "(?:it|this|the (?:image|picture|photo|result))"
_OTHERWISE = rf"(?= {_HOW}(?:less {STATE}|darker|dimmer|lighter|brighter|sharper)(?! than))"
_SHADOWS = "(?:the )?(?:shadows?|dark (?:areas|parts|regions|corners))"
_READABLE = "(?:visible|readable|legible|recogni[sz]able)"
_REPAIR = (
    "(?:denoising|dehazing|deraining|deblurring|destriping|sharpening|brightening|denoise|dehaze|derain|deblur|destripe"
    "|sharpen|brighten|noise removal|noise reduction|stripe removal|haze removal)"
)
_UNSEEN = "(?:can't|cannot|can not|can hardly|can barely) (?:see|make out)"

WANTS: tuple[tuple[str, str], ...] = (
    # Brighter, darker, less of something.
    (
        rf"without (?:any |the |all the )?({NOUN})(?: ,)? (?:the )?({CAMERA}){PICTURE} would be(?: (?!but |and "
        rf"|while )[a-z]+){{0,4}}",
        r"remove the \1 from the \2",
    ),
    (
        rf"without (?:any )?({NOUN})(?=(?: ,)? (?:it|this|that|(?:the )?(?:image|picture|photo|shot)) would be)"
        rf"|(?:it|this|that|(?:the )?(?:image|picture|photo|shot)) would be [a-z ]+? (?:without|but for) (?:the |any )?"
        rf"({NOUN})",
        r"remove the \1\2",
    ),
    (rf"(?:is )?free (?:of|from) ({NOUN}) but not (?:of|from) ({NOUN})", r"has \2 but no \1"),
    (rf"({STATE}) to the point of (?:being )?(?:unusable|useless|worthless|illegible)", r"extremely \1"),
    (
        rf"(?:the )?({CAMERA}){PART} {_SHALL} ({_HOW})less ({STATE})(?! than)",
        r"\1 is \2too \3",
    ),
    (
        rf"(?<!don't )(?<!not )(?:make|want|need|like|get) (?:the )?({CAMERA}){PART}(?: to be)? ({_HOW})less ({STATE})"
        r"(?! than)",
        r"\1 is \2too \3",
    ),
    (
        rf"(?:the )?({CAMERA}){PART} {_SHALL} ({_HOW})(?:brighter|lighter)(?! than)"
        rf"|{_WANTING} (?:the )?({CAMERA}){PART}(?: to be)? ({_HOW})(?:brighter|lighter)(?! than)",
        r"\1\3 is \2\4too dark",
    ),
    (
        r"(?<!don't )(?<!not )(?<!never )(?:want|need|would like|'d like|like|prefer|have|get) "
        rf"{_THE_IMAGE}(?: to be)?{_OTHERWISE}",
        "make it",
    ),
    (rf"{_THE_IMAGE} {_SHALL}{_OTHERWISE}", "make it"),
    (
        rf"^(?:please )?({_HOW})less (?:light|brightness|exposure){STOP}"
        rf"|(?:want|need|give it|give me|with|like) ({_HOW})less (?:light|brightness|exposure){STOP}",
        r"is \1\2too bright",
    ),
    (
        r"(?:make it )?(?:two times|three times|twice|thrice|many times|double) "
        r"(?:as bright|brighter|the brightness|the light)|double the (?:brightness|light)",
        "make it much brighter",
    ),
    (
        rf"make {IMAGE} (?:look )?(?:like |as )?(?:if |in )?(?:it's |it is |it was |it were )?"
        rf"(?:daytime|day time|day - time|daylight|day light|day){STOP}",
        "brighten the dark image",
    ),
    (
        r"(?:don't|do not|never) (?:change|alter|adjust|modify|touch|mess with) (?:the )?(?:brightness|exposure)"
        r"|(?:leave|keep) (?:the )?(?:brightness|exposure)(?: level)? "
        r"(?:alone|as is|as it is|unchanged|untouched|the same|constant)"
        r"|no (?:brightness|exposure) (?:changes?|adjustments?)",
        "do not brighten it , do not darken it",
    ),
    (rf"(?:skip|omit|leave out|forget) (?:the |any |all )?({_REPAIR})", r"no \1"),
    (rf"^to ({STATE})(?= please| and| but| [,.;!]|$)", r"too \1"),
    (
        r"(?:an? )?(?:much |far |bit |little |slightly )?(?:brighter|lighter) (?:photo|picture|image|shot"
        r"|version|result)"
        r"(?= please| and| but| would| [,.;!?]|$)",
        "brighten the dark image",
    ),
    (r"(?:an? )?(?:sharper|crisper) (?:photo|picture|image|shot|version|result)(?! than)", "sharpen the image"),
    (
        r"(?:is |it's |there is )?too much (?:of )?(?:the )?(?:light|brightness|exposure)(?! in the infrared)",
        "is overexposed",
    ),
    (
        rf"(?:the )?{INFRARED}{PART} (?:is|looks) (?:too |very |so )?bright(?: ,)?(?: and)?(?: please)? "
        r"(?:tone|turn|bring|dial) (?:it|this|that) down",
        "less infrared",
    ),
    (
        r"(bright|glare|overexposed|dazzling)((?: [^.;]*)?) (?:please )?(?:tone|turn|bring|dial) (?:it|this|that) down",
        r"\1\2",
    ),
    (r"(?:tone|turn|bring|dial) (?:it|this|that) down(?=[^.;]* (?:bright|glare|overexposed|dazzling))", ""),
    (
        rf"(?:brightness|exposure)((?: of (?:the )?{CAMERA})?) (?:should|must|has to|needs to) be (?:raised"
        rf"|increased|boosted) "
        r"(?:a lot|much|considerably|strongly)",
        r"brightness\1 is very dark",
    ),
    (
        r"(?:it|that|which) (?:could not|couldn't|did not|didn't|failed to) (?:properly |really )?"
        r"(remove|fix|reduce|repair)",
        r"\1",
    ),
    # Shadows, night and glare.
    (
        r"(?:lift|open(?: up)?|raise|recover|boost|bring up|bring out|pull up) (?:the |all )?shadows?",
        "brighten the shadows",
    ),
    (
        rf"(?:more|show|recover|bring out|see) (?:the |more |some )?(?:details?|information) (?:in|of|from) {_SHADOWS}"
        r"|(?:more|show|recover|bring out)(?: the)? shadow details?",
        "brighten the shadows",
    ),
    (
        rf"{_UNSEEN} (?:any |the |much |anything |a thing )?(?:details? )?in {_SHADOWS}"
        rf"|nothing (?:is )?(?:visible|to see|to be seen|can be seen) in {_SHADOWS}",
        "the shadows are very dark",
    ),
    (
        r"(?:at |around |it's |it is |about )*(?:(?:12|[1-4]) (?:: \d\d )?am|(?:9|10|11) (?:: \d\d )?pm)(?= |$)",
        "at night",
    ),
    (
        r"(?:a )?moonless(?: night)?|moonlit(?: night)?|(?:by |in )?moon ?light(?: only)?|(?:by |in )?star ?light"
        r"(?: only)?|(?:at |past |around )?midnight|(?:in the )?late evening",
        "at night",
    ),
    (
        rf"no (?:street ?)?(?:lights?|lamps?|lighting)(?: (?:anywhere|around|on|at all))?{STOP}"
        rf"|(?<!the )(?:lights|lamps) (?:are |were )?(?:off|out){STOP}",
        "in the dark",
    ),
    (
        r"night vision(?: (?:image|picture|view|feed|footage))?(?= (?:is|has|shows|looks|are|noisy|grainy|:|=))",
        "the infrared image",
    ),
    (
        r"back ?-? ?lit by (?:the |a )?(?:low |setting |rising )?(?:sun|sky|light|window|lamps?|headlights)",
        "dark",
    ),
    (
        r"(?:sunset|sunrise|sundown) glare(?: (?:on|in|through) (?:the )?(?:windshield|windscreen|window|lens|glass))?",
        "sun glare",
    ),
    (
        r"glare (?:from|of) (?:the )?(?:oncoming|approaching|passing|other)? ?(?:cars?|vehicles?|traffic|trucks?)"
        r"|(?:oncoming|approaching) (?:cars?|vehicles?|traffic) (?:dazzles?|blinds?|glares?)",
        "glare from headlights",
    ),
    (r"low sun(?! ?light)(?= in| ,| \.|$)", "the sun shines into the lens"),
    # What is wrong, in the terms of those who know cameras.
    (
        rf"({INFRARED}{PART}) (?:is|looks|seems) ((?:very |too |rather |quite |so |a bit )*)(?:faint|pale)"
        r"(?= [,.;!]|$| and| but)",
        r"\1 is \2low in contrast",
    ),
    (r"(?:un ?)?cooled (?:thermal |infrared )?(sensor|camera|detector|imager|core)", r"thermal \1"),
    (rf"({NOUN}) (?:max|maximum|maximal|to the max|high|hi)(?= [,.;!]|$)", r"severe \1"),
    (rf"({NOUN}) (?:min|minimum|minimal|low|lo)(?= [,.;!]|$)", r"slight \1"),
    (rf"v(?: \.)?(?= {STATE})", "very"),
    (rf"({STATE}) by far", r"very \1"),
    (rf"({NOUN}) (?:is |are )?(?:far |way |much )?too (?:strong|heavy|bad|intense)(?: to ignore)?", r"severe \1"),
    (
        rf"({NOUN}) makes it (?:very |really |so )?(?:hard|difficult|impossible) to (?:see|read|tell)(?:"
        rf" (?:anything|much))?",
        r"heavy \1",
    ),
    (
        rf"(?:the )?gain (?:of|on|in) the ({CAMERA})(?: (?:sensor|camera|image))? (?:is|was) (?:much |far"
        rf" )?(?:too |very )?high"
        rf"|gain (?:much |far )?too high (?:on|in) the ({CAMERA})(?: (?:sensor|camera|image))?",
        r"the \1\2 image is noisy",
    ),
    (
        r"(?:low|poor|bad|terrible|lousy|awful) (?:snr|signal - to - noise(?: ratio)?|signal to noise(?: ratio)?)",
        "heavy noise",
    ),
    (
        rf"(?:snr|signal - to - noise(?: ratio)?|signal to noise(?: ratio)?)((?: (?:of|in|on) (?:the"
        rf" )?{CAMERA})?) (?:is|was) "
        r"(?:very |really |quite )?(?:low|poor|bad|terrible|awful|lousy)",
        r"heavy noise\1",
    ),
    (
        r"no (?:temperature|thermal|heat) (?:differences?|gradients?|variations?)(?: (?:to be seen|visible|can"
        r" be seen|at all))?"
        r"|all (?:the )?temperatures (?:look|are|seem) (?:alike|the same|equal)",
        "low infrared contrast",
    ),
    (r"(?:has|makes?|gives?|shows?|have) no (?:good|great|real|much) contrast", "has low contrast"),
    # Colours and texture.
    (
        rf"({CAMERA}) (?:details?|information|data) (?:is|are|matters?) (?:far |much )?(?:more important|more) than "
        r"(?:the )?colou?rs?",
        r"more \1",
    ),
    (
        r"(?:details?|texture|structure) (?:is|are|matters?) (?:far |much )?(?:more important|more|more relevant) "
        r"than (?:the )?colou?rs?",
        "keep the fine texture",
    ),
    (
        r"(?:the )?colou?rs? (?:(?:do not|don't|doesn't|does not) matter|(?:are|is) (?:not important|unimportant"
        r"|irrelevant"
        r"|secondary|not)(?= [.,;!]|$))",
        "",
    ),
    (r"(?:the )?texture (?:does(?= [.,;!]|$)|is important|matters)", "keep the fine texture"),
    (
        r"(?:but )?(?:not|never) (?:at the (?:cost|expense) of|by losing|by sacrificing) (?:the |any )?colou?rs?"
        r"|(?:don't|do not|never|avoid|without|no|avoid any) desaturat(?:e|ing|ion)(?: it| anything)?"
        r"|true(?: -)? colou?rs?",
        "keep the colours",
    ),
    (
        r"fine(?: -)? grain(?:ed)? (?:details?|textures?|structures?)"
        r"|(?<=keep )fine grain|(?<=preserve )fine grain|(?<=retain )fine grain",
        "fine texture",
    ),
    (
        r"(?:more |a bit more |a little more |much more )?(?:vivid|saturated|vibrant|colou?rful|rich|richer|brighter"
        r"|stronger|deeper|intense|bold|bolder) colou?rs?(?= please| [,.;!]| and| but|$)|more colou?r saturation"
        r"|more saturation",
        "keep the colours",
    ),
    (
        r"(?:the )?colou?rs? (?:are|is|look|looks|seem|seems|come out) "
        r"(?:too |very |a bit |so |rather |really |all )*(?:dull|flat|pale|faded|washed out|weak|bland)"
        r"|(?:dull|pale|faded|washed out) colou?rs?",
        "keep the colours",
    ),
    (
        r"(?:don't|do not) (?:want|like) (?:any |the )?(?:fine )?details? (?:to be |to get )?lost"
        r"|(?:don't|do not|without) (?:lose|losing) (?:any )?(?:fine )?details?",
        "keep the fine texture",
    ),
    # Objects.
    (rf"make (them|him|her|{OBJECT_LIST}) as visible as possible", r"make \1 stand out"),
    (
        rf"make ({OBJECT_LIST}) (?:pop|stand out|visible|shine) (?:except(?: for)?|but not|without) ({OBJECT_LIST})",
        r"highlight \1 but not \2",
    ),
    (
        rf"(?:keep|leave) ({OBJECT_LIST}) (?:clearly |well |easily |still )*(?:{_READABLE}|in view)",
        r"highlight \1",
    ),
    (
        rf"({OBJECT_LIST}) (?:should|must|have to|has to|need to|needs to) (?:stay|remain|be kept|be) "
        rf"(?:clearly |well |easily )*{_READABLE}",
        r"highlight \1",
    ),
    (r"(?:thermal|hot|warm|heat) targets?", "hot spots"),
    (
        rf"(?:overlay|superimpose|blend in|put|paste) ({OBJECT_LIST}|(?:the )?hot (?:objects|things|spots)) "
        rf"(?:on|onto|over|on top of|into|in) (?:the )?{VISIBLE}(?: (?:image|picture|photo|one))?",
        r"highlight \1",
    ),
    (
        rf"(?:use )?(?:the )?{INFRARED}(?: (?:image|camera))? (?:only )?(?:for|on) ({OBJECT_LIST}) "
        r"(?:,|and|but|, and) "
        rf"(?:use )?(?:the )?{VISIBLE}(?: (?:image|camera))? (?:for|on) "
        r"(?:everything else|all else|the rest|the background|the scene)",
        r"highlight \1",
    ),
    (
        rf"(?:with |use |show )?(?:the )?{INFRARED}(?: (?:image|camera))? (?:only|just) (?:for|on|where there are) "
        rf"({OBJECT_LIST})",
        r"highlight \1",
    ),
    (
        rf"(?:a )?(?:darker|dimmer|dark|dim|subdued) background ,? ?(?:and |with |but )?(?:a )?bright(?:er)? "
        rf"({OBJECT_LIST})",
        r"highlight \1",
    ),
    (r"(?:dim|darken|subdue|tone down) (?:the |everything in the )background", "hide the background"),
    (
        rf"(?:i |we )?(?:want to |need to |have to |must |help me )?count (?:the |all )?({OBJECT_LIST})",
        r"highlight \1",
    ),
    (
        r"(?:keep|make|show|find|highlight|see) (?:the |all |their |people's )*faces?"
        r"(?: (?:readable|visible|recogni[sz]able|clear|clearly))?",
        "highlight people",
    ),
    (
        r"fox(?:es)?|rabbits?|hares?|badgers?|raccoons?|squirrels?|hedgehogs?|wol(?:f|ves)|boars?|moose|elks?|rhinos?"
        r"|elephants?|hyenas?|lions?|goats?|pigs?|birds?",
        "animals",
    ),
    (r"(?:by|at|near|behind|over|along|through|beside|next to) (?:the |a )?(?:border |garden )?fences?", "there"),
)
