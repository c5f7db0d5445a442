"""What is said and taken back, or is said of another time or of something else than the pictures.

"It is hazy. Actually no, just dark", "it used to be noisy", "the train was late because of heavy rain": the network
hears the words of damage in all of these. The rules meet the words before all others, and are written like those of
:mod:`lexifuse.language.turns`.
"""

from __future__ import annotations

from lexifuse.language.word_groups import CAMERA, NOUN, OBJECT_LIST, STATE

_DAMAGE = f"(?:{NOUN}|{STATE})"
_REPAIR = "(?:denoise|dehaze|derain|deblur|destripe|sharpen|brighten|darken)"
_TOO = r"(?:too(?= [,.;!?]|$)|also|as well)"
_ALSO = rf"(?!(?: [^ .;!?]+)*? {_TOO}(?!\S))"
_STILL = rf"(?!(?: [^ .;!?]+)*? (?:{_TOO}|still|even|again|so (?:is|are))(?!\S))"
_BREAK = "(?: [-,.;:!]+)*"
# Words that take back whatever stands before them, and words that do so only where the damage follows at once.
_STRONG = (
    rf"{_BREAK} (?:(?:oh|oops|ah|hmm|well|or|erm) (?:, )?)?"
    r"(?:(?:actually|wait|sorry)(?: ,)? no|no(?: ,)? (?:wait|sorry|actually)|(?:sorry|oops)(?: ,)? i (?:mean|meant)"
    r"|i (?:mean|meant)|or rather|correction|(?:(?:no|sorry|wait)(?: ,)? )?(?:scratch|strike) that|my mistake)"
    rf"{_BREAK}"
)
_WEAK = r" [,-] (?:(?:actually|wait|sorry|rather)(?: ,)?|no ,)"
_FILLER = (
    r" (?:(?:it's|it is|that is|that's|there's|there is|just|only|quite|very|a bit|slightly|more|like|the|is|of"
    rf"|from|in|a|an|{CAMERA}|image|picture|photo|has) )*"
)
_NO_MATTER = rf"(?!{_FILLER}(?:{NOUN}|{STATE}) (?:is|are) (?:fine|ok|okay|good|no problem|not))"
_NOW = "(?:now|today|this time)"
_BEFORE = (
    "(?:yesterday|last (?:night|week|month|time|year)|this morning|earlier(?: today)?|previously|before that|back then"
    "|in the (?:morning|afternoon|evening))"
)
_DRY = "(?:clear|dry|fine|good|sunny|perfect|warm|lovely)"
_GONE = (
    "(?:cleared(?: up| away| off)?|lifted|stopped|ceased|passed|vanished|disappeared|dissipated|faded away|died down)"
)
_OLDER = (
    "(?:(?:yesterday's|last (?:night|week|month|year|time)'s)"
    "|(?:(?:my|our|the) )?(?:earlier|previous|prior|old|older)) "
    "(?:frames?|images?|pictures?|photos?|shots?|ones?|cameras?|recordings?|footage|files?|series|flights?)"
)
_NEWER = r"(?=[^.;!?]* (?:but|now|new|this one|these|today|today's)(?!\S))"
_LATE = "(?:delayed|cancelled|canceled|postponed|late|called off|stuck|grounded)"
_TALK = "(?:meeting|talk|paper|article|conference|lecture|seminar|workshop|book|thesis|course)"
_PLACE = "(?:tower|mast|pole|roof|building|house|bridge|car|truck|van|bus|vehicle|lorry|tree)"

RETRACTIONS: tuple[tuple[str, str], ...] = (
    # Said, and corrected in the same breath.
    (rf"{_DAMAGE}(?:{_STRONG}|{_WEAK}){_ALSO}{_NO_MATTER}(?={_FILLER}{_DAMAGE})", ","),
    (
        rf"({_REPAIR})((?: it| this| (?:the )?{CAMERA}| (?:the )?image)?)(?:{_STRONG}|{_WEAK}){_ALSO}"
        rf"(?= (?:please )?{_REPAIR})",
        r"no \1 ,",
    ),
    (
        rf"(?:i|we) (?:first |initially |at first )?(?:thought|assumed|believed|guessed|said|wrote|took it for"
        rf"|mistook it for|figured)(?: that| it was| it's| it is| there was| this was| of| the| a)*"
        rf" ({_DAMAGE})(?: before| earlier| first)?"
        rf"(?: [,;.])? (?:but|yet|actually|though|however)",
        r"not \1 ,",
    ),
    (
        rf"(?:looks?|looked|seems?|seemed|appears?|appeared)(?: like| to be| as)? ({_DAMAGE})(?: ,)? but "
        r"(?:(?:it's|it is|is|that's) )?(?:actually|really|in fact|in reality)",
        r"is not \1 ,",
    ),
    (
        rf"what (?:looks|looked|appears|seems)(?: like| to be)? ({_DAMAGE}) (?:is|was) (?:actually|really|just"
        r"|in fact)",
        r"not \1 , it is",
    ),
    (rf"({STATE}) \. no ,? ?(?:it )?(?:isn't|is not|it's not)(?= [.,;!])", r"not \1"),
    (
        rf"({OBJECT_LIST})(?: [.,;-]+)* (?:(?:oops|no|sorry|wait|actually)(?: ,)? )*(?:i meant?|make that"
        rf"|no(?= ,)|or rather)(?: ,)? (?:the )?({OBJECT_LIST})",
        r"\2",
    ),
    (
        r"(?:^|(?<=[,.;!?] ))[^,.;!?]+(?: [,.;!-]+)+ (?:(?:oh|well|hmm) )?(?:(?:or|actually|wait|sorry)(?: ,)?"
        r" no(?= [,:-])"
        r"|scratch that|strike that|forget (?:that|what i said)|on second thoughts?)(?: [,:.;!-]+)*"
        rf"{_ALSO}(?=[^.;!?]* (?:{_DAMAGE}|{_REPAIR}|{OBJECT_LIST}|{CAMERA}|leave|fine)(?!\S))",
        "",
    ),
    (r"(?:^|(?<=[,.;!?] ))[^,.;!?]+ \? no :", ""),
    (r"keep (?:the )?colou?rs?(?: [.,;]+)*(?: actually| no| wait)*(?: ,)? forget (?:about )?(?:the )?colou?rs?", ""),
    # Of another time.
    (
        rf"used to (?:be|have|show)(?: very| so| a lot of)? ({_DAMAGE})(?: ,? ?(?:but )?not (?:now|any"
        rf" ?more))?{_STILL}",
        r"is not \1",
    ),
    (rf"once (?:so )?{STATE} (?:, |and |but )+{_NOW} (?:sharp|clear|clean|fine|ok|okay|good|bright)", "is fine"),
    (
        rf"it (?:was|had been|has been) (?:very |so )?({STATE})(?: [,;.])? (?:but )?(?:it )?(?:isn't|is not|not)"
        r"(?: so| that)? (?:any ?more|any longer|now)",
        r"it is not \1",
    ),
    (
        rf"(?:there was|it was|it had been|there had been) (?:some |a lot of |heavy |very |so )?{_DAMAGE}"
        rf"(?: (?!but|and)[a-z]+){{0,3}}(?: ,)? (?:but|and) (?:it |that |this )?(?:has |is |'s |had )?(?:now |since )?"
        rf"(?:{_GONE}|gone|over|(?:by|since|then|after|at|later)(?: [a-z]+){{0,4}} (?:clear|fine|gone|dry|sunny"
        rf"|ok|good))",
        "",
    ),
    (
        rf"(?:after |when |once |since )?(?:the |all the )?({NOUN}|storm) (?:has |had |have )?(?:just |now |already "
        rf"|finally )?{_GONE}(?! (?:us|me|the|my|our|in|from|on))",
        r"no \1 ,",
    ),
    (
        rf"{_BEFORE}{_STILL}(?: (?!but |{_NOW})[a-z']+){{1,8}}(?: [,;.])?(?: but| and| while)?(?= {_NOW})",
        "",
    ),
    (
        rf"(?:it (?:rained|snowed|poured)|it was (?:raining|snowing|{STATE})) {_BEFORE}(?: [,;.])? (?:but |and )?"
        rf"(?:today|now)(?: it)? (?:is|'s) (?:all )?{_DRY}",
        "",
    ),
    (rf"{_BEFORE} it was (?:very |so )?{_DAMAGE}(?: ,)?(?: but| and| ;)?(?= (?:at|by|later|then|towards) )", ""),
    (rf"(?:the )?weather (?:was|is|had been|stayed) {_DRY}(?: (?:and|,) {_DRY})*", ""),
    (
        rf"(?:[a-z]+ )?{NOUN} (?:was|had been) (?:forecast|predicted|expected|announced)(?: ,)? but "
        rf"(?:it |the weather )?(?:stayed|was|remained) {_DRY}",
        "",
    ),
    (
        rf"it (?:was|had been) (?:{STATE}|raining|snowing|pouring) (?:when|while|before|until|as) (?:we|i)"
        r"(?: (?!but |so )[a-z]+){1,6}(?: ,)? but",
        "",
    ),
    (rf"{_OLDER} (?:was|were|had|had been) (?:[a-z]+ )?{_DAMAGE}{_STILL}{_NEWER}(?: [,;.]| but| and)?", ""),
    (
        r"(?:i |we |i've |we've |i have |we have |it is |it has been |it was )?already "
        rf"(?:denoised|dehazed|derained|deblurred|destriped|sharpened|brightened|removed the {NOUN}(?: (?:of"
        rf"|from|in))?)"
        rf"(?: (?:the )?{CAMERA}(?: image| picture| one)?| it)?",
        "",
    ),
    # Of something else than the pictures.
    (
        rf"(?:the )?{NOUN} (?:that )?(?:i|we|you) (?:mentioned|described|reported|wrote about|complained about|spoke of"
        r"|meant)(?: [a-z]+){0,3} (?:was|were|is) (?:in|on|from|about|of) (?:another|a different|the other|the previous"
        r"|the wrong|a wrong|an old|an other)(?: [a-z]+)?",
        "",
    ),
    (
        rf"{_LATE}(?: [a-z]+){{0,3}} (?:because of|due to|by|owing to) (?:the |a )?(?:[a-z]+ )?(?:{NOUN}|storms?"
        rf"|weather)",
        "",
    ),
    (
        rf"{_TALK}s? (?:was |is |were )?(?:about|on|regarding|concerning) (?:the |a )?(?:[a-z]+ )?{NOUN}(?: in"
        rf" [a-z]+ [a-z]+)?",
        "",
    ),
    (
        r"rain (?:gear|coat|jacket|forest|boots|barrel)|fog (?:lights?|lamps?|horn)|snow (?:boots|shoes|plough|plow)"
        r"|smoke (?:alarm|detector|break)|noise (?:barrier|complaint|abatement|protection)",
        "gear",
    ),
    (
        rf"(?:what is|what's|what does|how does|explain|define) (?:an? |the )?(?:{NOUN} (?:removal|reduction)|denoising"
        rf"|dehazing|deraining|deblurring|destriping|{NOUN})(?: mean| do| work)?(?= \?|$)",
        "",
    ),
    (
        r"hope (?:the |your |you and the )?[a-z]+(?: and the [a-z]+)? (?:is|are) (?:well|fine|good|ok|okay|doing well)",
        "",
    ),
    (r"the kids (?:took|shot|made|sent)", "somebody took"),
    (rf"(?:my|our) (?:{OBJECT_LIST}) (?:broke(?: down)?|ate|died|was stolen|ran away|is parked|needed)", "something"),
    (
        r"(?:i|we)(?: was| were|'m|'re| am| are)? (?:driving|drove|riding|rode|sitting in|sat in) "
        r"(?:a |my |our |the )?(?:car|truck|van|bus|motorcycle|motorbike|bike|bicycle|lorry)",
        "",
    ),
    (
        r"(?:i |we )?(?:run|own|work (?:on|at)|live (?:on|at)) (?:a|the) (?:[a-z]+ )?(?:farm|ranch|house"
        r"|building|shop)",
        "",
    ),
    (
        rf"((?:camera|cameras|it|them|sensor|mounted|installed|fixed|sits|placed)(?: is| are)?) (?:mounted |fixed "
        rf"|installed )?(?:on|onto|to|from) (?:top of )?(?:a|an|our|my) (?:[a-z]+ )?{_PLACE}",
        r"\1 there",
    ),
    (rf"headlights (?:of|from) (?:the |an? )?(?:oncoming |passing |approaching )?(?:{OBJECT_LIST})", "headlights"),
    (
        r"(?:i|we) (?:work|am|are|'m|'re) (?:for|with|in|at|from) (?:a |an |the |our )?(?:[a-z]+ )?"
        r"(?:brigade|department|service|police|company|team|university)",
        "",
    ),
    (
        r"(?:wild ?fire|forest fire|bush ?fire|fire) smoke|smoke (?:from|of) (?:the |a )?(?:wild|forest |bush)?"
        r" ?fires?",
        "smoke",
    ),
    (r"i like it (?:that|this) way", ""),
    (r"(?:it |that |this )?(?:already )?looks (?:much |a lot |way |a bit )?better (?:now|already)", ""),
    (rf"(?:please )?(?:look|have a look) at the (?!(?:{CAMERA}|{STATE}) )[a-z]+ (?:picture|image|photo)", ""),
    (
        r"(?:the |my |our )?(?:client|customer|boss|manager|supervisor)s?(?= (?:called|calls|says?|said|wrote|asked"
        r"|complained))",
        "they",
    ),
    (r"(?:warm|warmest|kind|kindest|best|sunny) (?:wishes|regards|greetings)", ""),
)
