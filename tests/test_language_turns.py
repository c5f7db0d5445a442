"""Prompts in which words of damage are taken back, said of another time, or of something else than the pictures."""

from __future__ import annotations

import pytest

from lexifuse.language import read_prompt
from lexifuse.language.correspondence import body
from lexifuse.language.words import split_words

DAMAGE = {
    "dark": "visible.low_light",
    "bright": "visible.over_exposure",
    "noise": "visible.noise",
    "haze": "visible.haze",
    "rain": "visible.rain",
    "blur": "visible.blur",
    "flat": "infrared.low_contrast",
    "grain": "infrared.noise",
    "stripes": "infrared.stripes",
}


def damage(prompt: str) -> set[str]:
    return set(read_prompt(prompt).instruction.asked_for())


def named(*names: str) -> set[str]:
    return {DAMAGE[name] for name in names}


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("The RGB is hazy. Actually no, it's just dark.", "dark"),
        ("I thought it was noise but it is rain", "rain"),
        ("it looks like haze but actually the lens is out of focus", "blur"),
        ("hazy - sorry, I mean blurry", "blur"),
        ("noise, or rather rain", "rain"),
        ("what looks like noise is actually rain", "rain"),
        ("at first I took it for fog, but it's motion blur", "blur"),
        ("dehaze, wait no, denoise", "noise"),
        ("dehaze it. Scratch that, derain it.", "rain"),
        ("visible dark. correction: visible overexposed", "bright"),
        ("it's dark. No, it isn't. It's hazy.", "haze"),
        ("denoise the visible... scratch that, denoise the thermal", "grain"),
        ("the thermal has stripes, I mean the thermal has noise", "grain"),
        ("brighten it. Or no, leave it as is.", ""),
    ],
)
def test_what_is_taken_back_is_not_asked_for(prompt: str, meant: str) -> None:
    assert damage(prompt) == named(*meant.split())


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("it used to be noisy, now it is fine", ""),
        ("once blurred, now sharp", ""),
        ("it was noisy, it isn't any more", ""),
        ("there was fog this morning but it has cleared, the image is just a bit blurry", "blur"),
        ("after the rain stopped we took the picture, it is overexposed", "bright"),
        ("yesterday it rained but today the photo is just dark", "dark"),
        ("last time it was rain, this time it's fog", "haze"),
        ("our old camera was noisy, the new one is only a bit blurry", "blur"),
        ("I've already denoised the visible; only the blur remains", "blur"),
    ],
)
def test_what_was_at_another_time_is_not_asked_for(prompt: str, meant: str) -> None:
    assert damage(prompt) == named(*meant.split())


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("Sorry for being late, the train was delayed because of heavy rain. The RGB frame is out of focus.", "blur"),
        ("The flight was cancelled because of storms. The visible picture is dark.", "dark"),
        ("the meeting was about noise. the picture is hazy.", "haze"),
        ("I am calling about the rain gear order; the visible picture is noisy", "noise"),
        ("the noise I mentioned was in another file. This visible image is too dark.", "dark"),
        ("what is haze removal?", ""),
    ],
)
def test_what_is_said_of_something_else_is_not_asked_for(prompt: str, meant: str) -> None:
    assert damage(prompt) == named(*meant.split())


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("look at the thermal image: it is noisy", "grain"),
        ("please look at the dark image", "dark"),
        ("dark, actually hazy too", "dark haze"),
        ("the visible is hazy; actually dark as well", "haze dark"),
        ("noise. sorry, the haze too", "noise haze"),
        ("denoise and dehaze. wait, derain too", "noise haze rain"),
        ("it is dark, and noisy. Oh no, also hazy", "dark noise haze"),
        ("thermal is striped, sorry. visible is dark", "stripes dark"),
        ("hazy, sorry for the quality", "haze"),
        ("wait, is it noisy? yes", "noise"),
        ("thanks, looks better now, but the visible part is still a bit noisy", "noise"),
        ("rgb too dark n thermal too noisy", "dark grain"),
        ("dark image, no, thanks", "dark"),
        ("it's noisy, no, seriously", "noise"),
        ("remove the noise. No, the haze is fine", "noise"),
        ("very dark visible image, heavy noise, no, nothing else", "dark noise"),
        ("the old images are dark", "dark"),
        ("our old camera is noisy, fix it", "noise"),
        ("my earlier photo was noisy, and so is this one", "noise"),
        ("yesterday's images were noisy and today's too", "noise"),
        ("used to be noisy and still is", "noise"),
        ("last week it was foggy and it is still foggy now", "haze"),
        ("this morning we drove around in heavy fog here", "haze"),
        ("complaint about the noise in the thermal image", "grain"),
        ("the noise is too heavy to ignore", "noise"),
        ("reduce haze and raise the contrast of the thermal", "haze flat"),
        ("the thermal has excessive noise and low contrast", "grain flat"),
        ("the thermal has less contrast", "flat"),
        ("HI PLEASE DENOISE. IT IS ALSO DARK", "noise dark"),
        ("THE IMAGE IS DARK. THANKS, PLEASE DENOISE", "dark noise"),
        ("Hi Team. Noise.", "noise"),
        ("Hi Thermal Noisy. Visible Dark.", "grain dark"),
    ],
)
def test_what_only_sounds_like_that_is_still_asked_for(prompt: str, meant: str) -> None:
    assert damage(prompt) == named(*meant.split())


def test_what_only_sounds_like_a_wish_is_none() -> None:
    assert not read_prompt("texture does not matter").instruction.keep_texture
    assert read_prompt("the thermal is bright, turn it down").instruction.balance < 0
    assert read_prompt("highlight the people and my car").instruction.highlight == ("person", "car")
    assert read_prompt("frame 3/10 dark").instruction.visible.low_light == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("the visible is dark and the thermal is noisy; the latter is also striped", "dark grain stripes"),
        ("visible and thermal: former noisy, latter striped", "noise stripes"),
        ("we have an infrared and a visible image. The first is noisy, the second is dark.", "grain dark"),
        ("the infrared has less noise than the visible, which is very grainy", "noise"),
        ("the visible is better than the thermal, which is noisy", "grain"),
        ("the thermal is noisy. So is the RGB.", "grain noise"),
        ("infrared noisy, visible ditto", "grain noise"),
        ("noise: heavy in thermal, slight in visible", "grain noise"),
        ("the IR is free of stripes but not of noise", "grain"),
        ("everything but the thermal is good, it's noisy", "grain"),
        ("therm img grainy; vis img sharp", "grain"),
        ("TIC image noisy, RGB ok", "grain"),
        ("haze over the visible image", "haze"),
        ("stripes over the thermal image", "stripes"),
        ("without any rain it would be a perfect picture", "rain"),
        ("without noise the thermal would be fine", "grain"),
        ("the lens was fogged", "haze"),
        ("water droplets on the lens", "rain"),
        ("the lens was dirty", ""),
        ("the shutter was too slow", "blur"),
        ("signal-to-noise ratio of the infrared is low", "grain"),
        ("no temperature differences to be seen in the infrared", "flat"),
        ("the infrared has lower contrast than usual", "flat"),
        ("reduce the thermal contrast", ""),
        ("the thermal has too much contrast", ""),
        ("the IR contrast could not be better", ""),
        ("white hot", ""),
        ("I'd like a brighter picture", "dark"),
        ("the photo is too bright, please tone it down", "bright"),
    ],
)
def test_whose_damage_it_is(prompt: str, meant: str) -> None:
    reading = read_prompt(prompt)
    assert set(reading.instruction.asked_for()) == named(*meant.split())
    assert reading.instruction.balance == 0.0


@pytest.mark.parametrize(
    ("prompt", "least", "most"),
    [
        ("extremely faint stripes in the infrared", 0.2, 0.45),
        ("almost invisible stripes on the IR", 0.2, 0.45),
        ("nearly imperceptible haze", 0.2, 0.45),
        ("more than a little noisy", 0.5, 0.8),
        ("v dark", 0.75, 1.0),
        ("the visible image couldn't be darker", 0.75, 1.0),
        ("noisy to the point of being useless, the thermal", 0.75, 1.0),
        ("8/10 haze", 0.8, 0.8),
        ("noise 7/10 in IR", 0.7, 0.7),
    ],
)
def test_how_bad_it_is(prompt: str, least: float, most: float) -> None:
    instruction = read_prompt(prompt).instruction
    (name,) = instruction.asked_for()
    assert least <= instruction.severity(name) <= most


@pytest.mark.parametrize(
    ("prompt", "objects"),
    [
        ("people except cyclists", "person"),
        ("vehicles except trucks", "car bus motorcycle"),
        ("all vehicles but cars", "truck bus motorcycle"),
        ("highlight all vehicles except cars and buses", "truck motorcycle"),
        ("vehicles without motorcycles", "car truck bus"),
        ("highlight buses but not cars", "bus"),
        ("all objects except buildings", ""),
        ("highlight cars but not trucks, and make people stand out", "car person"),
        ("highlight people but not cyclists, and show the cars", "person car"),
        ("bring out vehicles but not cars, trucks or buses", "motorcycle"),
        ("highlight people, no, animals", "animal"),
        ("highlight cars. Sorry, I meant trucks.", "truck"),
        ("peds and cars pls", "person car"),
        ("4 pax in raft, EO dark, highlight pax", "person"),
        ("spot the kayakers", "person"),
        ("make boats visible", ""),
        ("my car broke down so I am late. The RGB is noisy.", ""),
        ("Hey Jo, hope the kids are well. The thermal is grainy.", ""),
    ],
)
def test_which_objects_stand_out(prompt: str, objects: str) -> None:
    assert set(read_prompt(prompt).instruction.highlight) == set(objects.split())


def test_objects_that_are_left_out_are_no_damage() -> None:
    assert not damage("bring out vehicles but not cars, trucks or buses")
    assert damage("vehicles but not cars, the visible is dark, people should stand out") == named("dark")


def test_objects_that_nothing_here_knows_are_reported() -> None:
    assert read_prompt("make ships stand out").not_understood == ("ships",)
    assert "drone" in read_prompt("highlight the drone and the people").not_understood


@pytest.mark.parametrize(
    ("prompt", "balance"),
    [
        ("fuse 30/70 in favour of thermal", 0.4),
        ("20/80 towards infrared", 0.6),
        ("thermal 70, visible 30", 0.4),
        ("80/20 thermal to visible", 0.6),
        ("just use the infrared", 1.0),
    ],
)
def test_shares_of_the_two_pictures(prompt: str, balance: float) -> None:
    assert read_prompt(prompt).instruction.balance == pytest.approx(balance)


@pytest.mark.parametrize("prompt", ["infrared should be subtle", "just a pinch of infrared", "make infrared subtle"])
def test_little_of_the_infrared_is_towards_the_visible(prompt: str) -> None:
    assert read_prompt(prompt).instruction.balance < 0


@pytest.mark.parametrize(
    ("letter", "kept"),
    [
        ("Best regards, Black", ""),
        ("it is dark. Warm regards, Ines", "it is dark ."),
        ("Hi Rainer, it is dark. Cheers", "it is dark ."),
        ("Dear Mr Gray, it is dark", "it is dark"),
        ("Hello it is dark", "Hello it is dark"),
        ("thanks, the RGB is Dark", "thanks , the RGB is Dark"),
        ("it is dark", "it is dark"),
        ("", ""),
    ],
)
def test_greetings_and_signatures_are_not_read(letter: str, kept: str) -> None:
    assert " ".join(word.text for word in body(split_words(letter))) == kept


def test_a_name_is_no_damage() -> None:
    for name in ("Ines", "Mr Gray", "Black", "Rainer", "Foggo", "Mrs White"):
        reading = read_prompt(f"the infrared image is noisy. Best regards, {name}")
        assert reading.instruction.asked_for() == ("infrared.noise",), name
        assert reading.not_understood == (), name
