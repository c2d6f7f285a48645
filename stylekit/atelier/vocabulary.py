"""The things that a scene can show: their names, the icon that draws each, and where they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

__all__ = ["VOCABULARY", "Place", "Thing", "index_of"]

Place = Literal["ground", "sky", "water", "table"]


@dataclass(frozen=True)
class Thing:
    """One entry of the vocabulary."""

    name: str
    plural: str
    icon: str  # Phosphor's name
    category: str
    places: tuple[Place, ...]
    is_container: bool  # other things can be shown inside it
    is_mirrored: bool  # its mirror image is as right as it is
    is_open: bool  # what its lines enclose without tone is a hole (handles, spokes)


# `category | places : entries`; an entry is `name`, `name=icon` where Phosphor calls it differently, or
# `name/plural=icon` where the plural is irregular. The order is that of the packed shapes.
_TABLE = """
animal | ground table : cat; dog; rabbit; beetle=bug-beetle; ladybird=bug; piggy bank
animal | ground : horse; cow
animal | sky : bird; butterfly
animal | water : fish/fish; shrimp
being | ground : robot; alien; baby; person/people; skull; hand=hand-palm
being | sky : ghost
plant | ground : tree; pine tree=tree-evergreen; palm tree=tree-palm; cactus/cacti; log; island
plant | ground table : potted plant; seedling=plant; tulip=flower-tulip; flower; clover; leaf/leaves
plant | water : lotus flower=flower-lotus
plant | table : ear of wheat/ears of wheat=grains; acorn; feather; bone; tooth/teeth; paw print
food | table : carrot; pair of cherries/pairs of cherries=cherries; citrus slice=orange-slice; avocado
food | table : chilli pepper=pepper; coffee bean; loaf of bread/loaves of bread=bread; cake; cookie; egg
food | table : wedge of cheese/wedges of cheese=cheese; hamburger; ice cream; rice ball=onigiri
food | table : slice of pizza/slices of pizza=pizza; box of popcorn/boxes of popcorn=popcorn
food | table : ice lolly=popsicle
food | table : bowl of soup/bowls of soup=bowl-steam; bowl of noodles/bowls of noodles=bowl-food
drink | table : cup of coffee/cups of coffee=coffee; beer mug=beer-stein
drink | table : bottle=beer-bottle; wine glass=wine
drink | table : cocktail glass=martini; champagne glass=champagne; tumbler=pint-glass; tea bag; jar
kitchen | table : cooking pot; knife/knives; chef hat; basket
kitchen | ground : oven
vehicle | ground : car=car-profile; bus; truck; lorry=truck-trailer; van; jeep; taxi; tractor; train; tram
vehicle | ground : ambulance; fire engine=fire-truck; police car; bicycle; motorcycle; moped; scooter
vehicle | ground : bulldozer; digger=crane; wheelchair; pram=baby-carriage; shopping cart
vehicle | water : boat; sailboat; lifebuoy; anchor
vehicle | sky : airplane; rocket=rocket-launch; flying saucer; drone
vehicle | sky : parachute; paper plane=paper-plane-tilt
vehicle | sky : cable car; spaceship=rocket
street | ground : traffic cone; traffic signal; barrier=barricade; petrol pump=gas-pump; mailbox; signpost
street | ground : fuel can=gas-can; tyre=tire; steering wheel; engine; traffic sign; fire extinguisher
street | ground : brick wall=wall; radio mast=cell-tower; tower crane=crane-tower
street | ground : ladder; shipping container
building | ground : house=house-line; barn; church; mosque; castle tower=castle-turret; factory; farm
building | ground : garage; hospital
building | ground : lighthouse; windmill; temple=bank; bridge; apartment block=building-apartment
building | ground : skyscraper=building; shop=storefront; tent; tipi; warehouse; power plant=nuclear-plant
building | ground : picnic table; campfire; mountain range=mountains; door
building | ground : solar panel; greenhouse=solar-roof
furniture | ground : armchair; bathtub; bed; chair; couch; desk; chest of drawers/chests of drawers=dresser
furniture | ground : office chair; rug; stool; toilet; locker=lockers; fan; washing machine
furniture | ground : safe=vault; broom
furniture | ground : dustbin=trash; lectern; display board=presentation; umbrella; suitcase=suitcase-rolling
home | table : lamp; alarm clock=alarm; clock; hourglass; globe=globe-stand; lightbulb
home | table : bell; toilet roll=toilet-paper
home | table : hair dryer; flashlight; thermometer; soap dispenser=hand-soap
home | table : telephone=phone; scale/scales=scales
home | table : magnet; coin; gift; crown; palette; television; stack of coins/stacks of coins=coins
home | ground table : treasure chest; box/boxes=package
home | sky : pendant lamp=lamp-pendant; flame=fire; balloon
device | table : camera; cassette tape; computer=desktop; disco ball; floppy disk
device | table : game controller; headphones/headphones
device | table : joystick; keyboard; laptop; microphone=microphone-stage; microscope
device | table : computer mouse=mouse; printer
device | table : radio; security camera; loudspeaker=speaker-hifi; video camera; record=vinyl-record
device | table : watch; webcam
device | table : calculator; cash register; metronome; battery=battery-full
device | table : megaphone; mobile phone=device-mobile
device | table : plug; binoculars/binoculars; film reel; clapperboard=film-slate; siren; car battery
tool | table : axe; compass; pair of compasses/pairs of compasses=compass-tool; eraser; eyedropper
tool | table : gear; gavel
tool | table : hammer; hard hat; key; padlock=lock; magic wand; magnifying glass; needle; paint brush
tool | table : paint bucket; paint roller; paperclip; fountain pen=pen-nib; pencil; pipe; pipe wrench
tool | table : push pin; ruler
tool | table : pair of scissors/pairs of scissors=scissors; screwdriver; shield; shovel; spray bottle; stamp
tool | table : stethoscope; sword; syringe; test tube; flask; toolbox; wrench
tool | table : ball of yarn/balls of yarn=yarn; bomb
tool | table : funnel; pill; bandage=bandaids; decorating brush=paint-brush-household
tool | table : first aid kit; microchip=cpu
tool | table : dart board=target; toy person/toy people=lego-smiley
clothes | table : backpack; baseball cap; beanie; belt; boot; coat hanger; cowboy hat; dress
clothes | table : pair of glasses/pairs of glasses=eyeglasses; handbag; high heel; hoodie; goggles/goggles
clothes | table : pair of trousers/pairs of trousers=pants; shirt=shirt-folded; sneaker; sock; t-shirt
clothes | table : pair of sunglasses/pairs of sunglasses=sunglasses; graduation cap
clothes | table : boxing glove; theatre mask=mask-happy
clothes | table : face mask; briefcase; wallet; shopping bag; medal; diamond=sketch-logo; heart
music | table : guitar; piano keyboard=piano-keys
music | sky : music note
sport | table ground : baseball; basketball; beach ball; bowling ball; rugby ball=football; football helmet
sport | table ground : golf ball=golf; table tennis bat=ping-pong
sport | table ground : tennis racket=racquet; football=soccer-ball
sport | table ground : tennis ball; volleyball; trophy; barbell; pinwheel; poker chip
sport | table : die/dice=dice-five; puzzle piece; toy brick=lego
sport | table : chequered board=checkerboard; party popper=confetti
sky | sky : cloud; rain cloud=cloud-rain; storm cloud=cloud-lightning; snow cloud=cloud-snow; moon
sky | sky : sun; star
sky | sky : shooting star; rainbow; planet; snowflake; lightning bolt=lightning
sky | sky : hurricane; drop of water/drops of water=drop
sky | sky : comet=meteor
paper | table : book; open book=book-open; pair of books/pairs of books=books; envelope; newspaper
paper | table : notebook; map=map-trifold
paper | table : ticket; calendar; clipboard; picture=image-square; scroll; banknote=money; price tag=tag
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split("; "))


_CONTAINERS = _names(
    "house; barn; garage; warehouse; tent; television; computer; jar; washing machine; treasure chest; "
    "backpack; shopping bag; box; suitcase; lightbulb; balloon; castle tower; basket; bathtub; shield; "
    "handbag"
)
_NOT_MIRRORED = _names(
    "calendar; clock; alarm clock; watch; music note; traffic sign; banknote; newspaper; cash register; "
    "calculator; metronome; piano keyboard; keyboard; petrol pump"
)
_OPEN = _names(
    "cup of coffee; beer mug; bicycle; motorcycle; moped; scooter; wheelchair; pair of scissors; "
    "padlock; suitcase; tower crane; picnic table; anchor; lifebuoy; ladder; steering wheel; bridge; "
    "desk; chair; radio mast; handbag; first aid kit; palm tree; headphones; stethoscope; pair of "
    "compasses; coat hanger; trophy; petrol pump"
)


def _plural_of(name: str) -> str:
    """Apply the regular rules of English; whatever is irregular says so in the table."""
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def _read_table() -> tuple[Thing, ...]:
    things = []
    for line in _TABLE.strip().splitlines():
        head, entries = line.split(" : ")
        category, places = head.split(" | ")
        for entry in entries.split("; "):
            words, _, icon = entry.partition("=")
            name, _, plural = words.partition("/")
            things.append(
                Thing(
                    name=name,
                    plural=plural or _plural_of(name),
                    icon=icon or name.replace(" ", "-"),
                    category=category,
                    places=cast(tuple[Place, ...], tuple(places.split())),
                    is_container=name in _CONTAINERS,
                    is_mirrored=name not in _NOT_MIRRORED,
                    is_open=name in _OPEN,
                )
            )
    return tuple(things)


VOCABULARY: tuple[Thing, ...] = _read_table()
_INDEX = {thing.name: index for index, thing in enumerate(VOCABULARY)}


def index_of(name: str) -> int:
    """Return the position of a thing in the vocabulary, which is also that of its shape."""
    return _INDEX[name]
