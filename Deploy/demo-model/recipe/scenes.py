"""What a picture of the domain shows, and what one may say about it.

A `Scene` holds the attributes that captions name and evaluation checks. Everything else about a picture (where each hill
lies, how large the house is) is drawn at random by `drawing.draw` and never named.
"""
import dataclasses
import random

TIMES = ("dawn", "noon", "sunset", "night")
GROUNDS = ("sea", "lake", "desert", "meadow", "snow")
BACKDROPS = ("peaks", "hills", "rocks", "none")
TREES = ("pine", "palm", "cherry", "autumn", "none")
THINGS = ("house", "boat", "balloon", "none")
COLOURS = ("red", "blue", "yellow", "green", "white", "purple", "orange", "pink")
WEATHERS = ("clear", "clouds", "fog")
ORBS = ("full", "crescent", "none")
SIDES = ("left", "right")
PLACES = ("left", "centre", "right")

# What occurs together: no palms in the snow, no boats on dry land. A value listed twice is twice as likely.
BACKDROPS_OF = {
    "sea": ("peaks", "hills", "none", "none"), "lake": ("peaks", "hills", "rocks", "none"),
    "desert": ("rocks", "rocks", "none"), "meadow": ("peaks", "hills", "none"), "snow": ("peaks", "peaks", "none")}
TREES_OF = {
    "sea": ("palm", "none"), "lake": ("pine", "cherry", "autumn", "none"), "desert": ("palm", "none"),
    "meadow": ("pine", "cherry", "autumn", "none"), "snow": ("pine", "pine", "none")}
THINGS_OF = {
    "sea": ("boat", "boat", "balloon", "none"), "lake": ("boat", "house", "balloon", "none"),
    "desert": ("house", "house", "balloon", "none"), "meadow": ("house", "house", "balloon", "none"),
    "snow": ("house", "house", "balloon", "none")}


@dataclasses.dataclass(frozen=True)
class Scene:
    time: str
    ground: str
    backdrop: str
    trees: str
    thing: str
    colour: str  # of the thing
    side: str  # of the thing; trees stand on the other
    weather: str
    orb: str  # the sun or, at night, the moon; only the moon is ever a crescent
    place: str  # of the orb


def sample(random_: random.Random) -> Scene:
    """A scene drawn from the domain."""
    choose = random_.choice
    time, ground = choose(TIMES), choose(GROUNDS)
    weather = random_.choices(WEATHERS, (5, 4, 2))[0]
    crescent = random_.random() < 0.4
    orb = "none" if weather == "fog" or random_.random() < 0.35 else "crescent" if time == "night" and crescent else "full"
    thing, side = choose(THINGS_OF[ground]), choose(SIDES)
    # A balloon does not hide the sun.
    place = choose([place for place in PLACES if thing != "balloon" or place != side])
    return Scene(
        time=time, ground=ground, backdrop=choose(BACKDROPS_OF[ground]), trees=choose(TREES_OF[ground]),
        thing=thing, colour=choose(COLOURS), side=side, weather=weather, orb=orb, place=place)


WORDS = {
    "dawn": ("at dawn", "at sunrise", "in the early morning"),
    "noon": ("at noon", "at midday", "in daylight"),
    "sunny noon": ("at noon", "at midday", "on a sunny day", "in daylight"),
    "sunset": ("at sunset", "in the evening", "at dusk"),
    "night": ("at night", "by night", "under the night sky"),
    "sea": ("the sea", "the ocean"),
    "lake": ("a lake", "a calm lake"),
    "desert": ("a desert", "the desert", "sand dunes"),
    "meadow": ("a meadow", "a flower meadow", "a green field"),
    "snow": ("a snowy field", "the snow", "a winter landscape"),
    "peaks": ("snowy mountains", "snow-capped mountains", "snowy peaks"),
    "hills": ("green hills", "rolling hills"),
    "rocks": ("red rocks", "red rock mountains", "red canyons"),
    "pine": ("pine trees", "pines", "fir trees"),
    "palm": ("palm trees", "palms"),
    "cherry": ("a cherry tree", "a pink cherry blossom tree", "a blossoming tree"),
    "autumn": ("autumn trees", "orange trees"),
    "house": ("house", "cottage", "small house"),
    "boat": ("boat", "sailboat", "sailing boat"),
    "balloon": ("balloon", "hot-air balloon", "hot air balloon"),
    "clear": ("a clear sky", "a cloudless sky"),
    "clouds": ("clouds", "a cloudy sky"),
    "fog": ("fog", "mist"),
    "left": ("on the left", "on the left side"),
    "centre": ("in the centre", "in the middle", "in the center"),
    "right": ("on the right", "on the right side"),
}
OPENINGS = ("a painting of ", "a picture of ", "a view of ", "an illustration of ")


def caption(scene: Scene, random_: random.Random, complete: bool = False) -> str:
    """One way to describe `scene`: a sentence or a list, with words chosen and attributes left out at random.

    With `complete`, every attribute is named, for evaluation.
    """
    choose = random_.choice

    def said(probability: float) -> bool:
        return random_.random() < probability or complete

    def words(value: str) -> str:
        return choose(WORDS[value])

    thing = time = ground = None
    if scene.thing != "none" and said(0.9):
        name = (scene.colour + " " if said(0.9) else "") + words(scene.thing)
        thing = ("an " if name[0] in "aeiou" else "a ") + name
        if said(0.5):
            thing += " " + words(scene.side)
    if said(0.88):
        ground = words(scene.ground)
    if said(0.9):
        time = words("sunny noon" if scene.time == "noon" and scene.weather != "fog" else scene.time)

    details = [words(value) for value in (scene.backdrop, scene.trees) if value != "none" and said(0.75)]
    if said(0.9 if scene.weather == "fog" else 0.5):
        details.append(words(scene.weather))
    if scene.orb != "none" and said(0.65):
        shape = f"{scene.orb} " if scene.time == "night" and said(0.6) else ""
        orb = f"a {shape}moon" if scene.time == "night" else "the sun"
        details.append(orb + (" " + words(scene.place) if said(0.75) else ""))
    elif scene.time == "night" and scene.weather == "clear" and said(0.5):
        details.append(choose(("stars", "a starry sky")))
    random_.shuffle(details)

    if random_.random() < 0.4:
        parts = [part for part in (thing, ground, *details, time) if part]
        if random_.random() < 0.5:
            random_.shuffle(parts)
        return ", ".join(parts) or "a landscape"
    return sentence(scene, random_, thing, ground, details, time)


def sentence(scene, random_, thing, ground, details, time) -> str:
    if thing and ground:
        over = "over" if scene.thing == "balloon" else {"sea": "on", "lake": "by" if scene.thing == "house" else "on"}.get(
            scene.ground, "among" if ground == "sand dunes" else "in")
        text = f"{thing} {over} {ground}"
    else:
        text = thing or ground or (details.pop() if details else "a landscape")
    if random_.random() < 0.25:
        text = random_.choice(OPENINGS) + text
    tail = ""
    if details:
        tail = " with " + (", ".join(details[:-1]) + " and " if len(details) > 1 else "") + details[-1]
    if not time:
        return text + tail
    if random_.random() < 0.5:
        return f"{text} {time}{tail}"
    return f"{text}{tail}{',' if tail and random_.random() < 0.5 else ''} {time}"
