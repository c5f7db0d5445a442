"""Words and figures of speech for damage and objects that the network was not taught, and the plain words for them."""

from __future__ import annotations

IDIOMS: tuple[tuple[str, str], ...] = (
    (r"nois[ey] ?- ?(?:ridden|riddled|laden|filled|infested)", "noisy"),
    # Damage. Each pattern is of lower-case words between single spaces, signs among them.
    (
        r"(?:looks|look|is|are|'s)? ?(?:as if|as though|like) (?:someone|somebody|something)(?: has"
        r"| had)? (?:dragged|ran|pulled) a (?:comb|rake|fork) (?:over|through|across) (?:it|them)",
        "has stripes",
    ),
    (
        r"(?:an? )?(?:venetian|window) blinds?(?: effect| pattern| look)?|(?:a )?bar ?codes?|corduroy"
        r"|combing|pinstripes?|(?:a )?ladder pattern",
        "stripes",
    ),
    (
        r"(?:looks|look|is|are|feels) like (?:sand ?paper|gravel|an ants' nest|an old telly"
        r"|an old tv)",
        "is noisy",
    ),
    (r"(?:looking |peering |seen )?through (?:milk|cotton wool|a veil|soup)", "thick fog"),
    (r"(?:a )?(?:real |proper )?pea ?-? ?soup(?:er)?", "extremely thick fog"),
    (r"(haze|fog|noise|rain|blur|glare|stripe|mist|smoke) ?- ?free", r"no \1"),
    (
        r"(?:hardly|barely|scarcely|little|no) (?:any )?difference between (?:the )?(?:hot|warm)(?: things| parts)?"
        r" and (?:the )?(?:cold|cool)",
        "low contrast",
    ),
    (r"(?:chromatic|chroma|colou?r) (?:noise|speckles?)", "visible noise"),
    (r"low ?-? ?res(?:olution)?", "resolution"),
    (r"(?:is|'s) meh", "is poor"),
    (r"over ?-? ?exposured", "overexposed"),
    (r"over - exposure", "overexposure"),
    (r"back ?-? ?lit|backlight(?:ing)?|against the (?:light|sun)", "dark"),
    (r"black and white|gr[ae]y ?scale|monochrome", "monochrome"),
    (r"(?:keep|preserve|retain) (?:the |all |all the )?(?:fine |small )?details?", "keep the fine texture"),
    (r"more (?:fine )?details?(?= please| [,.;!]|$)", "keep the fine texture"),
    (r"natural colou?rs", "keep the colours"),
    (r"(?:bring out|show|highlight) (?:the )?(?:heat|warmth)", "highlight hot spots"),
    (r"under ?-? ?exposured", "underexposed"),
    (r"white ?- ?out|whiteout", "extremely thick fog"),
    (r"smoke ?screen", "smoke"),
    (
        r"(?:it's|it is|it was|was|is)? ?(?:chucking|tipping|pissing|bucketing|hammering|lashing|pelting|hosing"
        r"|sheeting)(?: it)? (?:it )?down|(?:it's|it is|it was)? ?(?:lashing"
        r"|raining cats and dogs)",
        "very heavy rain",
    ),
    (r"torrential rain(?:fall)?|torrents of rain|cloud ?burst", "very heavy rain"),
    (
        r"(?:staring|looking) (?:straight |right |directly )?(?:into|at) (?:a|the) (?:torch|sun|flashlight"
        r"|lamp|light bulb|floodlight|headlights?)",
        "overexposed",
    ),
    (
        r"(?:no one|nobody|someone|somebody) (?:forgot to )?(?:turned|switched|put|turn"
        r"|switch) (?:on the lights?|the lights? on)",
        "the image is dark",
    ),
    (r"(?:turn|switch|put) (?:on the lights?|the lights? on)", "brighten the dark image"),
    (
        r"like (?:the inside of )?a coal (?:cellar|mine|hole)|black as (?:coal|night|ink|tar|pitch"
        r"|the inside of a [a-z]+)",
        "pitch black",
    ),
    (
        r"(?:gimme|give me|give us|give it|i need|we need|need|add|i want) (?:(?:a bit|a little|a touch"
        r"|a tad) (?:more|of)) light",
        "brighten it slightly",
    ),
    (
        r"(?:gimme|give me|give us|give it|i need|we need|need|add|i want) (?:some more|some"
        r"|more) light",
        "brighten it",
    ),
    (
        r"(?:crank|cranked|cranking|turn|turned|push|pushed|bump|bumped)(?: up)? the (?:gain"
        r"|iso)(?: up)?",
        "use high iso",
    ),
    (r"(?:cut|punch|slice) (?:right |straight )?through (?:it|that|this)", "remove it"),
    (
        r"(?:practically|almost|virtually|basically) no light|(?:hardly|barely|scarcely) any light|no light at all",
        "extreme darkness",
    ),
    (
        r"(?:crushed|clogged|blocked - up|blocked up|inky) (?:shadows?|blacks?)"
        r"|(?:the )?(?:shadows?|shadow areas|darkness|blackness) (?:swallows?|eats?|devours?|hides?|engulfs?) "
        r"(?:everything|it all|all of it|(?:most of |all |half )?the (?:scene|detail|details|picture|street|road))",
        "very dark",
    ),
    (r"exposure (?:is |was |looks |seems )?(?:much |far |way )?too (?:low|short)", "underexposed"),
    (
        r"(?:is|are|was|were) the only (?:light|light source|source of light|lighting)",
        "in the dark",
    ),
    (r"(?:barely|scarcely|hardly|very poorly|very badly) lit|(?<!not )unlit", "very dark"),
    (
        r"(?:it is|it's|it was)? ?snowing|snow ?fall|(?:the )?snow is falling|falling snow|sleet(?:ing)?|hail(?:ing)?",
        "rain",
    ),
    (r"(?:sand|dust) ?storms?", "extremely thick haze"),
    (r"(?:motion|movement) smear(?:ing|s)?", "motion blur"),
    (
        r"(?:wide|narrow|long|telephoto|zoom|macro|prime)(?: -)?(?: angle)? lens(?: used)?|(?:the |my |our |a"
        r" )?lens (?:is|was) "
        r"(?:scratched|new|broken|dirty|dusty)|(?:i|we) (?:changed|swapped|cleaned|replaced|bought) (?:the |a "
        r"|my |our )?(?:new )?lens"
        r"|lens cap|(?:dirty|dusty) lens",
        "",
    ),
    (r"condensation(?: on (?:the |its )?(?:lens|glass|window))?", "haze"),
    (
        r"(?:the |my |our )?lens (?:was |is |had |has |got |looks )?(?:been )?(?:all )?(?:fogged|steamed)(?: up|"
        r" over)?",
        "haze",
    ),
    (
        r"(?:an? few |some )?(?:rain ?drops|water ?drops|drops|droplets|water droplets|drops of water)"
        r" (?:on|across|over|all over) (?:the |my |our )?(?:lens|glass|optics)",
        "raindrops",
    ),
    (
        r"(?:the )?shutter(?: speed)? (?:was |is )?(?:much |far |way )?too (?:slow|long)|slow shutter(?: speed)?"
        r"|long exposure (?:without|no) (?:a )?tripod",
        "motion blur",
    ),
    (
        r"iso (?:was |is |has been |had been )?(?:cranked|turned|pushed|bumped|set)(?: (?:way|far|all the way"
        r"|very|too|much))* "
        r"(?:up|high)",
        "high iso noise",
    ),
    (
        r"never seen such (?:a |an )?(?:[a-z]+ )?(noise|haze|fog|mist|smoke|rain|glare|blur|stripes)",
        r"extremely heavy \1",
    ),
    (
        r"(?:unusable|useless|worthless|illegible|unreadable) (?:because of|due to|owing to|from|with) (?:the "
        r"|all the )?"
        r"(noise|grain|haze|fog|mist|smoke|rain|glare|blur|stripes)",
        r"extremely heavy \1",
    ),
    (r"(?:dead|hot|stuck) pixels?", "noise"),
    (r"(?:white|black) ?-? ?hot(?: (?:mode|palette|polarity|image|view))?", "palette"),
    (
        r"(infrared|ir|thermal|lwir|mwir)((?: (?:image|camera|picture|one))?) (is|looks|was) ((?:a bit |slightly"
        r" |very )?)"
        r"out of focus",
        r"\1\2 \3 \4blurred",
    ),
    (r"thermal crossover", "low infrared contrast"),
    (r"milky", "hazy"),
    (r"^brighter(?= please|(?: please)? [.!]|$)", "brighten it"),
    (r"tir|twir", "thermal"),
    (r"(?:at )?iso (?:of )?(?:[3-9]\d{3}|\d{5,6})", "visible noise"),
    (r"(?:barely|hardly|scarcely) (?:shows?|has|have|contains?) any (?:difference|contrast)", "has very low contrast"),
    (r"power ?lines?", "cables"),
    (r"bushings?", "part"),
    (r"(?:leaking )?steam (?:pipes?|lines?|valves?)", "pipe"),
    (r"traffic (cam|camera)", r"\1"),
    (r"(?:windows?|house|walls?|car|office) (?:was |were )?(?:cleaned|painted|washed)", ""),
    (r"(?:road|lane|white|yellow) (?:lines?|stripes?) on the road|(?:road|lane) (?:lines?|stripes?)", "road markings"),
    (r"nitty - gritty", "fine"),
    (r"punchier", "higher in contrast"),
    (
        r"(?:can't|cannot|couldn't|won't|doesn't|didn't|failed to|did not|does not) (?:seem to |come into "
        r"|get in |get into )?focus(?: properly| right)?",
        "is out of focus",
    ),
    (r"hard to tell (?:things|objects|anything) apart", "low in contrast"),
    (r"(?:monsoon|biblical|tropical) rain(?:fall)?", "very heavy rain"),
    (r"(?:those |these |some |annoying |the |vertical |horizontal )*bars", "stripes"),
    (
        r"(?:someone|somebody|something|i|we) (?:has |have |had )?(?:nudged|knocked|bumped|moved|kicked"
        r"|jogged|shook|shaken) (?:the |my |our )?(?:[a-z]+ )?(?:camera|cam|tripod|lens)",
        "shaky camera",
    ),
    (r"without (?:any )?(?:lighting|lights?|illumination)", "in the dark"),
    (
        r"(?:lacks?|lacking|needs?|no|without) (?:some |any |more |a bit more )?(?:oomph|punch|bite"
        r"|definition|zing)",
        "lacks contrast",
    ),
    (r"hold off on|hold off with|go easy with the", "avoid"),
    (
        r"(?:turn|turning) (?:it|everything|this|that) (?:in ?)?to (?:mush|plastic|wax|porridge|soup"
        r"|paint)",
        "smooth away the texture",
    ),
    (r"is (?:king|boss|the boss|the star)", "should dominate"),
    (r"spitting(?: with rain)?", "light rain"),
    # How bad it is.
    (
        r"an? (?:fraction|hair|whisker|smidgen|sliver|tinge|notch)(?: too)?(?! of)"
        r"|fractionally|subtly|vaguely|partly|only just",
        "slightly",
    ),
    (
        r"traces of|an? (?:dash|whiff|sprinkling|smattering|spot|suspicion) of|very little|modest"
        r"|low - level|residual",
        "a bit of",
    ),
    (
        r"(?:very|extremely|super|ultra|really|incredibly|exceedingly) (light|slight|faint|weak|mild|minor"
        r"|subtle|small)"
        r"(?! (?:image|picture|photo))",
        r"\1",
    ),
    (
        r"(?:extremely|super|ultra|very) low (noise|grain|haze|fog|mist|rain|blur|stripes|banding)",
        r"slight \1",
    ),
    (
        r"(?:almost|nearly|practically|virtually) (?:invisible|imperceptible|unnoticeable|undetectable)"
        r" (noise|grain|haze|fog|mist|rain|blur|stripes|banding|lines)",
        r"faint \1",
    ),
    (
        r"(noise|grain|haze|fog|mist|rain|blur|banding) is (?:almost|nearly|practically|virtually|hardly|barely) "
        r"(?:invisible|imperceptible|unnoticeable|undetectable|noticeable|perceptible|visible)",
        r"faint \1",
    ),
    (
        r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?(?:better|finer|sharper|clearer|cleaner)",
        "is perfect",
    ),
    (r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?worse", "is terrible"),
    (r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?(?:darker|dimmer)", "is extremely dark"),
    (
        r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?(?:blurrier|blurry|blurred|fuzzier)",
        "is extremely blurred",
    ),
    (r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?(?:noisier|grainier)", "is extremely noisy"),
    (r"(?:couldn't|could not|can't|cannot) (?:possibly )?be (?:any )?(?:hazier|foggier|mistier)", "is extremely hazy"),
    (r"(?:more than|not just|not only|not merely) (?:just )?(?:a little|a bit|slightly|somewhat)(?= )", ""),
    (r"a fair bit of", "a fair amount of"),
    (
        r"an? (?:ton|tonne|mass|heap|mountain|pile|bucket|shedload|boatload|sea|mess|whole lot) of"
        r"|(?:masses|heaps|oodles|buckets|bags|piles|tonnes|mountains) of|copious(?: amounts of)?"
        r"|(?:ungodly|insane|crazy|ridiculous|huge|vast) amounts of|endless",
        "a lot of",
    ),
    (
        r"immense|tremendous|rampant|significant|ferocious|vicious|gross|abysmal|atrocious|appalling"
        r"|shocking|hideous|ghastly|horrendous|dire",
        "terrible",
    ),
    (
        r"super|mega|exceptionally|intolerably|acutely|freaking|frigging|effing|abysmally|atrociously|appallingly"
        r"|shockingly|hideously|horrendously|stupidly|wildly",
        "terribly",
    ),
    (r"off the (?:charts?|scale)", "extreme"),
    # Cameras.
    (r"infra (?:- )?red", "infrared"),
    *(
        (rf"(?:normal|regular|ordinary|conventional|day|daytime|everyday) {view}", f"visible {view}")
        for view in ("camera", "cam", "image", "sensor", "channel")
    ),
    (r"(?:micro ?)?bolometers?", "thermal sensor"),
    (r"thermals", "thermal images"),
    # Objects.
    (r"two ?- ?wheelers?|two wheeled vehicles|two - wheeled vehicles", "cyclists and motorcycles"),
    (r"(?<!mountain )bikers", "motorcyclists"),
    (
        r"(highlight|find|spot|show|see|emphasi[sz]e|bring out)((?: the| all the| any)?) (?:fire ?fighters?|fire ?men)",
        r"\1\2 people",
    ),
    (r"lens (?:is|was) wet(?: and raindrops)?", "raindrops"),
    (
        r"kayakers?|canoeists?|paddlers?|rowers?|divers?|surfers?|workers?|dog handlers?|handlers?",
        "people",
    ),
    (
        r"blokes?|chaps?|lads?|fell(?:a|as|ow|ows)|folk|squaddies|squaddie|infantry|trespassers?"
        r"|ramblers?",
        "people",
    ),
    (r"(?:a |the )?casualty", "the survivor"),
    (
        r"who's (?:out there|there|around|hiding|in there)|who is (?:out there|there|around|hiding"
        r"|in there)",
        "where are the people",
    ),
    (r"who's|who is", "people who are"),
    (r"shrubbery|thickets?|canopy|treetops|treeline|saplings?", "bushes"),
    (r"(?:hot|warm) (?:bits?|stuff|patch|patches|zones?|sections?|joints?|connections?)", "hot parts"),
    (r"where (?:the|all the) heat is", "the hot spots"),
    (r"(?:reveal|uncover|unveil|unmask)(?: (?:camouflaged|concealed|hidden))?", "highlight the"),
    # Balance and wishes.
    (r"equal(?:ly)? weight(?:s|ed|ing)?", "half and half"),
    (r"swamp|overpower|drown out|smother|steamroller", "dominate"),
    (r"colou?rs? (?:may|must|should|can|shall) not(?= [,.;!]|$)", "keep the colours"),
    (r"hands off the colou?rs?|(?:colou?rs?) (?:as is|as they are)", "keep the colours"),
    # Slips that happen to be words.
    (r"nosy", "noisy"),
)
"""Patterns of lower-case words and the plain words that stand for them, in the order in which they are looked for."""

OBJECTS = (
    r"(?:people|persons?|pedestrians?|humans?|survivors?|hikers?|victims?|soldiers?|firefighters?|kids"
    r"|children|men|women"
    r"|cyclists?|bicycles?|bikes?|cars?|vehicles?|traffic|taxis?|vans?|trucks?|lorries|lorry|bus(?:es)?|coaches"
    r"|motorcycles?|motorbikes?|motorcyclists?|mopeds?|animals?|dogs?|deer|wildlife|sheep|cows?|cattle|horses?"
    r"|(?:traffic |road |street |stop )signs?|traffic lights?|traffic signals?|buildings?|houses?"
    r"|vegetation|trees?|bushes"
    r"|plants?|fires?|flames?|hot ?spots?|heat sources?)"
)
"""Words for objects that can stand alone as a wish: "cyclists!", "animals, not people"."""

UNUSUAL = frozenset(
    {"whiteout", "microbolometer", "bolometer", "smokescreen", "desaturation", "desaturate", "unnoticeable", "ditto"}
)
"""Words of idioms that a list of English words may lack; they are no misspellings."""
