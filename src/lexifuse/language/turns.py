"""Turns of phrase and the plain words for them: each rule is one turn, a pattern of lower-case words and signs.

Patterns meet words between single spaces, signs among them, in this order, each on what those before it left.
"""

from __future__ import annotations

from lexifuse.language.idioms import OBJECTS
from lexifuse.language.word_groups import (
    ADVERB,
    CAMERA,
    CANNOT,
    ENOUGH,
    HANDLED,
    IMAGE,
    NOT,
    NOUN,
    OBJECT,
    OBJECT_LIST,
    ONE,
    SEE,
    STATE,
    STOP,
    THE,
    VERY,
    VISIBLE,
    WANTED,
)

_OTHER = " ?(?:and |but |while )?the other(?: (?:one|camera|image|picture|sensor))?(?= (?:is|looks|has|shows|suffers))"

_PRAISE = (
    "(?:perfect|fine|great|good|ok|okay|ideal|brilliant|lovely|usable|spot on"
    "|a (?:great|good|perfect|lovely|nice) [a-z]+)"
)

TURNS: tuple[tuple[str, str], ...] = (
    # Made otherwise.
    (rf"make {ONE}(?: look)? ({ADVERB})(?:brighter|lighter)", r"\1 is \2too dark"),
    (rf"make {ONE}(?: look)? ({ADVERB})(?:darker|dimmer)", r"\1 is \2too bright"),
    (
        rf"make {IMAGE}(?: look)? ({ADVERB})(?:brighter|lighter)|^({ADVERB})(?:brighter|lighter){STOP}",
        r"is \1\2too dark",
    ),
    (
        rf"make {IMAGE}(?: look)? ({ADVERB})(?:darker|dimmer)|^({ADVERB})(?:darker|dimmer){STOP}",
        r"is \1\2too bright",
    ),
    (
        rf"((?:sharper|smoother|less noisy|less foggy|less hazy|cleaner) (?:,|and) )(?:brighter|lighter){STOP}",
        r"\1brighten the image",
    ),
    (rf"make {IMAGE}(?: look)? (?:sharp|crisp|crisper)", "sharpen the image"),
    (rf"make {ONE} (?:pop|stand out|shine)", r"more \1"),
    # Whose it is.
    (r"(?:stripe|striped|striping|banding|column|row) (?:pattern )?noise", "stripes"),
    (r"night (?:vision )?(camera|cam|sensor|channel)(?= )", r"infrared \1"),
    (r"(?:day|daytime|daylight) (camera|cam|sensor|channel)(?= )", r"visible \1"),
    (
        rf"(?:trust|use|weigh|weight|favour|favor) (?:the )?({CAMERA})(?: (?:image|camera|picture|channel|one))? less",
        r"less \1",
    ),
    (
        rf"(?:don't|do not|never) (?:rely|lean|depend|focus) (?:so |too )?(?:much |heavily |strongly )?(?:on|upon) "
        rf"(?:the )?({CAMERA})(?: (?:image|camera|picture|channel|one|so much|too much|so heavily|too heavily))*"
        rf"(?= [,.;!]|$)",
        r"less \1",
    ),
    (
        rf"(?:the )?({CAMERA})(?: (?:image|camera|picture|channel|one))? (?:is|gets) (?:too |far too |rather |a bit )*"
        r"(?:overpowering|overbearing|overwhelming|dominant|dominating|intrusive)",
        r"less \1",
    ),
    (rf"({NOUN}) of (?:high|great|extreme|strong) (?:severity|intensity|strength|degree)", r"severe \1"),
    (rf"({NOUN}) of (?:low|slight|small|minor) (?:severity|intensity|strength|degree)", r"slight \1"),
    (rf"({NOUN}) of (?:moderate|medium|average) (?:severity|intensity|strength|degree)", r"\1"),
    (r"(?:do not|don't|never|no need to) (?:preserve|retain|maintain) (?:the )?colou?rs?", "don't keep the colours"),
    (r"(?:do not|don't|never|no need to) (?:preserve|retain|maintain) (?:the )?textures?", "don't keep the texture"),
    (r"(snow|static|grain|fuzz) ?/ ?(snow|static|grain|fuzz|noise)", r"noise"),
    (rf"({CAMERA}|cam|camera|image|picture|photo|pic|sensor)'s", r"\1 's"),
    (
        rf"(?:, )?(?:unlike|as opposed to|in contrast (?:to|with)|compared (?:to|with)"
        rf"|contrary to) (?:in |on )?"
        rf"(?:the )?(?:[a-z]+ ){{0,2}}?{CAMERA}(?: (?:light|camera|image|one|picture|photo|sensor"
        rf"|channel|frame))*(?: ,)?",
        "",
    ),
    (
        rf"(({NOUN}|{STATE})(?: (?:is|in|on|of|the|a|problem|issue|only|{CAMERA}|image"
        rf"|camera))*) (?:rather than|instead of) "
        rf"(?:in |on )?(?:the )?{CAMERA}(?: (?:camera|image|one|picture|channel))?",
        r"\1",
    ),
    (
        rf"({CAMERA})((?: [a-z]+){{0,3}} [,;](?: [a-z]+){{0,2}}) (give|favour|favor|prefer|trust"
        rf"|use) (?:it|that one|this one|that)(?= more|$| [.,])",
        r"\1\2 \3 the \1",
    ),
    (rf"use (?:the )?({CAMERA})(?: (?:image|camera|picture|channel|one))? (?:sparingly|lightly)", r"less \1"),
    (rf"({CAMERA}) ?- ?(?:heavy|dominant|leaning|centric)", r"more \1"),
    (rf"({CAMERA}) (?:only |just )?as an? (?:accent|hint|garnish|overlay|extra)(?: only)?", r"less \1"),
    (rf"({CAMERA}) [,(] ?(?:but )?not (?:in |on )?(?:the )?{CAMERA} [,)](?= (?:is|has|looks|shows|suffers))", r"\1"),
    (rf"({CAMERA}) > ({CAMERA})", r"more \1 than \2"),
    (rf"(?:washed out|faded)(?= (?:in|on) (?:the )?{VISIBLE})", "overexposed"),
    (rf"({VISIBLE}(?: [a-z']+){{0,3}}) washed out", r"\1 overexposed"),
    (
        rf"(?:don't|do not|never|can't|cannot) (?:trust|rely on|believe|bother with) (?:the )?({CAMERA})"
        rf"(?: (?:image|camera|picture|channel|sensor|data|one|too much))*(?= [,.;!]|$)",
        r"less \1",
    ),
    (
        rf"(?:ignore|disregard|discard|forget about|forget) (?:the )?({CAMERA})"
        rf"(?: (?:image|camera|picture|channel|sensor|data|one))?(?= [,.;!]|$)",
        r"less \1",
    ),
    (rf"less ({CAMERA}) , (?:because |since |as )?(?:it is|it's)", r"less \1 , the \1 is"),
    (rf"with (?:(?:a|some) )?(?:hints?|touch|touches|accents?|bits?|traces?) of (?:the )?({CAMERA})", r", less \1"),
    (rf"({VISIBLE}(?: [a-z']+){{1,5}}) ,?{_OTHER}", r"\1 , the infrared"),
    (rf"((?:infrared|ir|thermal)(?: [a-z']+){{1,5}}) ,?{_OTHER}", r"\1 , the visible"),
    # What is wished away.
    (
        rf"if (?:only )?(?:it|there) (?:weren't|wasn't|were not|was not|were no"
        rf"|was no)(?: for)? {THE}({NOUN})",
        r"remove the \1",
    ),
    (
        rf"if only ([^.;!?]{{0,80}}?) (?:weren't|wasn't|aren't|isn't|were not|was not) (?:so |that |as )*({STATE})",
        r"\1 is \2",
    ),
    (rf"without (?:the|all the|this|that|all this|all that) ({NOUN}){HANDLED}", r"remove the \1"),
    (
        rf"((?:would|could|might|[a-z]+'d) [^.;!?]{{0,80}}?)without ({NOUN}){HANDLED}(?! (?:,|or"
        rf"|and))",
        r"\1 , remove the \2",
    ),
    (
        rf"(?:i |we )?(?:don't|do not|never|didn't) want (?:to (?:see|have) "
        rf"|there to be )?{THE}({NOUN}){HANDLED}",
        r"remove the \1",
    ),
    (
        rf"(?:could|can) do without {THE}({NOUN})|(?:can't stand|sick of|fed up with"
        rf"|tired of) {THE}({NOUN})",
        r"remove the \1\2",
    ),
    (
        rf"(?:, )?(?:(?:it|this|that|they|(?:the )?(?:[a-z]+ )?(?:{CAMERA}|image|picture|photo|shot"
        rf"|scene|result|rest)) would|[a-z]+'d) (?:all |then |otherwise )*be "
        rf"(?:just |absolutely |quite |really |pretty )?{_PRAISE}(?= [,.;!]|$)",
        "",
    ),
    (rf"(?:tone|turn|dial|bring|take|knock) down {THE}({NOUN})", r"remove the \1"),
    (
        rf"(?:is|are|has|have|looks|shows) (?:much |far |a lot |slightly |somewhat )?less (?:{STATE}|{NOUN})"
        rf"(?: than (?:in |on )?(?:the )?{CAMERA}(?: (?:image|camera|picture|channel|one))?)?",
        "is fine",
    ),
    (
        rf"(rain|drizzle|haze|fog|mist|smoke|blur) and (?:the )?({NOUN})(?= in (?:the )?(?:infrared|ir|thermal))",
        r"\1 , \2",
    ),
    (r"no low light", "no darkness"),
    (rf"{WANTED}(?:a bit |a little |a lot |much |far )?(?:less|fewer) (?:of )?{THE}({NOUN})", r"\1remove the \2"),
    (rf"{WANTED}(?:an? )?(?:much |far |bit |little )?less ({STATE})(?! than)", r"\1fix the too \2"),
    (rf"^(?:please )?not (?:so|as|that|quite so) ({STATE})(?= please|,|\.|!|$)", r"is too \1"),
    (
        r"^(brighten|lighten|relight|sharpen|deblur|dehaze|derain|denoise|destripe)(?= please| [,.;!]|$)",
        r"\1 the image",
    ),
    (
        rf"(?:other than|with the exception of|barring|bar|save for|but for|aside from|apart from"
        rf"|except for|besides) {THE}({NOUN})"
        rf"(?= (?:in|on|from|of|,|or|and)|$)",
        r", there is \1",
    ),
    (
        rf"(?:other than|with the exception of|barring|save for|but for|aside from|apart from|except for"
        rf"|besides) {THE}({NOUN})",
        r", there is \1 ,",
    ),
    # What is left as it is.
    (r"(?:i|we)(?: would|'d) (?:rather|prefer)(?: it if| that| if)? you (?:did not|didn't|do not|don't)", "do not"),
    (
        rf"(?:it's |it is |it was )?({STATE}) ,? ?but (?:please )?(?:don't|do not) "
        rf"(?:remove|fix|touch|correct|repair|clean|change) (?:it|that|this|{THE}{NOUN})",
        r"not \1",
    ),
    (
        rf"(?:the |that )?({NOUN})(?: (?:in|of|on)(?: [a-z]+){{1,3}}?)? (?:is|are|'s|was) (?:(?:meant"
        rf"|supposed|intended) to be "
        r"(?:there|like that)|intentional|deliberate|on purpose|wanted|intended|part of the (?:scene"
        r"|look|mood))",
        r"leave the \1 alone",
    ),
    (rf"(?:it's|it is|they're|that's|is|are|was) (?:meant|supposed|intended) to be ({STATE})", r"not \1"),
    (
        rf"(?:leave|keep|preserve|i like|i love|we like) (?:the|that|all the) ({NOUN})"
        rf"(?: (?:as it is|as is|in|there))?(?![^.,;!?]* alone)"
        r"(?! (?:drops|droplets|low|down|away|out|under|from|as|untouched|of))",
        r"leave the \1 alone",
    ),
    (rf"(?:i|we) (?:like|want|prefer|love|need) it ({STATE})|keep it ({STATE})", r"not \1\2"),
    (
        rf"(?:can't say|couldn't say|wouldn't say|don't think|do not think|doubt|wouldn't call"
        rf"|don't find)(?: that)? "
        rf"(?:(?:it|they|there|the [a-z]+|this|that)(?: is| are|'s)?|it's|there's|they're) (?:any |too "
        rf"|that |very )?({STATE}|{NOUN})",
        r"not \1",
    ),
    (
        rf"(?:(?:it |i |we )?doesn't matter|(?:i |we )?don't mind|do not mind|don't care|no matter"
        rf"|never mind)(?: that| if| how)* "
        rf"(?:it's|it is|they're|they are|the [a-z]+ is|it)? ?(?:a bit |too |so |very )?({STATE})",
        r"not \1",
    ),
    (
        rf"(?:anything but|far from|nowhere near|by no means|in no way|not in the least"
        rf"|not at all) ({STATE})",
        r"not \1",
    ),
    (
        r"(is|are|was|were|looks|look|both) (?:both |nice and |all )?(?:sharp|bright|clear|clean|crisp)"
        r"(?: , (?:sharp|bright|clear|clean|crisp))*(?: ,)? and (?:sharp|bright|clear|clean|crisp)",
        r"\1 fine",
    ),
    # Several things denied at once.
    (
        rf"(not|isn't|aren't|wasn't|weren't) ({STATE}(?: , {STATE})*) (?:, )?(?:or"
        rf"|nor) ({STATE})",
        r"\1 \2 , not \3",
    ),
    (
        rf"(?:the )?({NOUN}) (?:isn't|is not) (?:the|an|a) (?:issue|problem"
        rf"|trouble) ,? ?(?:but )?(?:the )?({NOUN}) is",
        r"no \1 , \2",
    ),
    (
        rf"(?:no|without|free (?:of|from)|(?:isn't|aren't) any|(?:doesn't|don't|does not"
        rf"|do not) (?:have any|suffer from|show any)) "
        rf"(?:any )?({NOUN}(?: , {NOUN})*) (?:, )?(?:or|nor) (?:any )?({NOUN})",
        r"no \1 , no \2",
    ),
    (rf"no ({NOUN}) , ({NOUN})(?= , )", r"no \1 , no \2"),
    (rf"free (?:of|from) (?:any )?({NOUN}(?: , {NOUN})*) (?:, )?and ({NOUN})", r"no \1 , no \2"),
    (rf"(?:hardly|barely|scarcely) any ({NOUN})|(?:almost|next to|virtually) no ({NOUN})", r"no \1\2"),
    (rf"({NOUN}|{STATE}) yes , ({NOUN}|{STATE}) no(?= [,.;!]|$)", r"\1 , not \2"),
    (rf"({NOUN}|{STATE}) no , ({NOUN}|{STATE}) yes(?= [,.;!]|$)", r"not \1 , \2"),
    (rf"({NOUN}|{STATE}) \? (?:no|nope|none|not at all)", r"not \1"),
    (r"((?:de[a-z]+|sharpen|brighten)) \? (?:no|nope)(?: thanks| thank you)?", r"do not \1"),
    (rf"({NOUN}|{STATE}) \? (?:yes|yep|yeah)", r"\1"),
    (
        rf"(not|isn't|aren't|wasn't|weren't|nor|never) (?!too bright|overly bright)"
        rf"(?:that|so|very|too|all that|particularly|really"
        rf"|overly) ({STATE})",
        r"\1 \2",
    ),
    (r"(not|isn't|aren't|wasn't|nor) out of focus", r"\1 blurred"),
    # Praise that is denied.
    (rf"({NOT}|not) (?:quite |really )?100 (?:%|percent)", r"\1"),
    (r"not quite (?:sharp|crisp|in focus)(?: enough)?", "slightly blurred"),
    (rf"{NOT} {VERY}(?:sharp|crisp|in focus|focused|focussed)(?: enough)?", "is blurred"),
    (rf"{NOT} {VERY}(?:bright|well lit|light)(?: enough)?", "is dark"),
    (
        r"(?:already |plenty |more than )*(?:bright|light) enough|(?:already|plenty) (?:bright|well lit"
        r"|light)",
        "not dark",
    ),
    (rf"contrast {NOT} {VERY}(?:{ENOUGH}|the best|up to much|up to scratch)(?: enough)?", "contrast is poor"),
    (
        r"(?:(?:is )?not|isn't|doesn't have|does not have|hasn't got|without|don't have) (?:much|enough"
        r"|a lot of) contrast",
        "has low contrast",
    ),
    (
        rf"({STATE}|{NOUN}) (?:, )?and so (?:is|are|does|has) (?:the )?({CAMERA})(?: (?:one|image"
        rf"|camera|picture))?",
        r"\1 ; the \2 image is \1",
    ),
    # How bad it is.
    (r"contrast (is|are|looks|seems) ((?:[a-z]+ )?)low", r"contrast \1 \2poor"),
    (
        rf"({STATE}) (?:beyond (?:belief|recognition|repair|measure)|like (?:mad|crazy)|to (?:hell|bits"
        rf"|death|the max)|no end|big time"
        r"|through the roof|in the extreme|off the scale)",
        r"extremely \1",
    ),
    (rf"({STATE}) ,? ?but (?:only|just|only just) (?:just|slightly|a bit|a little)?", r"slightly \1"),
    (rf"({STATE})(?: , \1)+", r"extremely \1"),
    (rf"({STATE}) as an? [a-z]+", r"extremely \1"),
    (rf"low ({CAMERA}) contrast", r"\1 lacks contrast"),
    (r"(?:zero|absolutely no|no) contrast(?: (?:at all|whatsoever))", "extremely low contrast"),
    (
        rf"so ([a-z]+)(?: that)? (?:you|i|we|one|they|it) {CANNOT} {SEE}(?: (?!and |but |so )[a-z]+){{0,4}}",
        r"extremely \1",
    ),
    (r"so ([a-z]+)(?: that)? nothing can be (?:made out|seen|recognised|recognized|read)", r"extremely \1"),
    (rf"so much(?= {NOUN})", "a lot of"),
    (rf"so ({STATE})(?! that)", r"very \1"),
    (
        rf"(?:i |we |you )?{CANNOT} (?:see|make out)(?: (?!and |but |because )[a-z]+){{0,4}} (?:because "
        rf"of|due to|for|through) "
        rf"{THE}({NOUN})",
        r"extremely heavy \1",
    ),
    (
        r"can (?:hardly|barely|scarcely) (?:see|make out) (?:anything|a thing)|(?:can't|cannot) (?:see"
        r"|make out) anything"
        r"|can see (?:next to )?nothing",
        "can't see a thing",
    ),
    (rf"({CAMERA} {NOUN}) (heavy|light|slight|strong|severe|bad|mild)(?= [,;.]|$)", r"\1 is \2"),
    (rf"({NOUN}|low contrast) , (heavy|light|slight|strong|severe|bad|mild|extreme)(?= [,.;!]|$)", r"\2 \1"),
    (rf"(?:hardly|barely|scarcely|only just) (?:visible|noticeable|perceptible) ({NOUN})", r"faint \1"),
    (rf"({NOUN}) (?:is not|isn't|are not|aren't) (?:that|too|so|all that) bad", r"slight \1"),
    (
        rf"(?:the )?({NOUN}) (?:is|are) ([a-z]+) in (?:the )?({CAMERA}) (?:and|but|,) "
        rf"([a-z]+) in (?:the )?({CAMERA})",
        r"\2 \1 in the \3 and \4 \1 in the \5",
    ),
    (
        r"(?:could be|should be|needs to be|has to be|i'd like it|i would like it|i want it|make it) "
        r"(?:a )?(much|lot|far|way|slightly|bit|little|touch) (?:brighter|lighter)",
        r"is \1 too dark",
    ),
    (
        rf"({CAMERA})((?: (?:image|camera|picture|channel|one|frame))?) (?:has|shows|offers|got) "
        r"(?:a )?(?:very |really |pretty )?"
        r"(?:good|great|fine|decent|excellent|nice|plenty of|enough|strong|high) contrast",
        r"\1\2 contrast is fine ,",
    ),
    # Objects without a verb.
    (
        rf"^((?:a |the |that )?(?:white|black|red|blue|green|yellow|silver|grey|gray) {OBJECTS})(?= [.!]|$)",
        r"highlight \1",
    ),
    (
        rf"(?:(?:highlight|emphasi[sz]e|show|bring out) )?(?:everything|anything|all objects|all things|all)(?: else)?"
        rf"(?: hot| warm)? (?:except|except for|but|apart from|besides|other than) ({OBJECT_LIST})",
        r"don't highlight \1",
    ),
    (
        rf"(?:(?:highlight|emphasi[sz]e|show|find|spot|bring out) (?:me )?)?"
        rf"({OBJECT_LIST}|everyone|everybody|anyone)(?: ,)? (?:except(?: for)?|excluding|without|other than|apart from"
        rf"|besides|minus|just not|but not|but no|not|but) ({OBJECT_LIST})",
        r"show \1 but not \2",
    ),
    (rf"({OBJECT}) [+/&] ({OBJECT})", r"\1 and \2"),
    (
        rf"bright(?:er)? ({OBJECT_LIST}) ,? ?(?:and |on |against )?(?:a )?(?:dim|dark|subdued)(?:mer|er)? background",
        r"highlight \1",
    ),
    (rf"(?:can|could) you (?:see|find|spot|detect|make out) ((?:the |any |some |a |an )*{OBJECT_LIST})", r"find \1"),
    (
        rf"^not {THE}({OBJECTS}) , (?:but |only |just )*({OBJECT_LIST})(?= [.!]"
        rf"|$)",
        r"don't highlight \1 , highlight \2",
    ),
    (
        rf"^(?:only |just )?({OBJECT_LIST}) (?:, but not|, not|but not|not|but no|, no"
        rf"|yes ,) (?:the )?({OBJECT_LIST})(?: no)?(?= [.!]|$)",
        r"highlight \1 but not \2",
    ),
    (r"^(anyone|anybody|someone|somebody)(?= .*\?$)", r"is there \1"),
    (rf"^({OBJECT_LIST})(?= please|(?: please)? [.!?]|$)", r"highlight \1"),
    (r"wasn't|weren't", "isn't"),
)
