"""The words of the corpus: tables, and the rules that inflect them.

Tables contain what cannot be derived (gender, irregular forms, which nouns go with a verb).
Plurals, feminines and regular conjugations are computed.

How to read the tables:

- a noun is `english french gender`, with `singular/plural` where the plural is irregular;
- an adjective is `english/comparative | french [feminine [masculine plural]] | place | nouns`;
- a verb is `base[/past] [particles] | infinitive [particles] | subjects | objects | remarks`;
- nouns are named by their class (`person`, `food`, …) or one by one (`door`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

# --------------------------------------------------------------------------------------------------
# Nouns: {classes: words}. A noun belongs to every class in its key and to itself.
# --------------------------------------------------------------------------------------------------

NOUN_TABLE = {
    "person kid": "boy garçon m, girl fille f, child/children enfant m",
    "person adult": """man/men homme m, woman/women femme f, neighbor voisin m, student étudiant m,
        teacher professeur m, doctor médecin m, nurse infirmière f, baker boulanger m,
        farmer fermier m, actress actrice f, tourist touriste m, waitress serveuse f,
        artist artiste m, lawyer avocat m, engineer ingénieur m, journalist journaliste m,
        lady dame f, dancer danseuse f, singer chanteuse f""",
    "person kin parent": """mother mère f, father père m, grandmother grand-mère/grands-mères f""",
    "person kin": """sister sœur f, brother frère m, uncle oncle m,
        aunt tante f, cousin cousin m, friend ami m""",
    "person crown": "queen reine f, king roi m",
    "animal": """cat chat m, dog chien m, horse cheval/chevaux m, cow vache f, bird oiseau m,
        mouse/mice souris f, rabbit lapin m, owl hibou/hiboux m, goat chèvre f, hen poule f,
        donkey âne m, wolf/wolves loup m, fox renard m, turtle tortue f, spider araignée f""",
    "food fruit": """apple pomme f, pear poire f, banana banane f, tomato/tomatoes tomate f,
        carrot carotte f, cherry cerise f, strawberry fraise f, peach pêche f""",
    "food snack": "cake gâteau m, egg œuf m, pie tarte f, sandwich sandwich m, cookie biscuit m",
    "food mass": """bread pain m, cheese fromage m, meat viande f, soup soupe f, rice riz m,
        jam confiture f, honey miel m, salad salade f, chocolate chocolat m, ham jambon m""",
    "drink mass": """water eau f, milk lait m, coffee café m, tea thé m, wine vin m, beer bière f,
        juice jus m, lemonade limonade f""",
    "text": """book livre m, letter lettre f, newspaper journal/journaux m, story histoire f,
        poem poème m, message message m, novel roman m, recipe recette f""",
    "thing small": """key clé f, umbrella parapluie m, pencil crayon m, ticket billet m,
        ring bague f, gift cadeau m, ball ballon m, toy jouet m, map carte f,
        picture image f, basket panier m""",
    "thing flower": "flower fleur f, rose rose f",
    "plant": "tree arbre m",
    "thing dishes": "glass verre m, plate assiette f, cup tasse f, bottle bouteille f",
    "thing container": "bag sac m, box boîte f, suitcase valise f",
    "thing furniture": """chair chaise f, table table f, lamp lampe f, clock horloge f, bed lit m,
        mirror miroir m, armchair fauteuil m""",
    "thing machine": "phone téléphone m, computer ordinateur m",
    "clothes": """dress robe f, shirt chemise f, hat chapeau m, coat manteau m, skirt jupe f,
        scarf/scarves écharpe f, jacket veste f, shoe chaussure f, glove gant m""",
    "vehicle": """car voiture f, bicycle vélo m, train train m, bus bus m, boat bateau m,
        plane avion m, truck camion m""",
    "place home": "house maison f, farm ferme f, castle château m",
    "place nature": """garden jardin m, park parc m, forest forêt f, beach plage f, river rivière f,
        island île f, mountain montagne f""",
    "place indoors": "kitchen cuisine f, room chambre f, office bureau m",
    "place town": """school école f, hospital hôpital/hôpitaux m, hotel hôtel m, market marché m,
        station gare f, church église f, shop magasin m, library bibliothèque f, museum musée m,
        restaurant restaurant m, bakery boulangerie f, theater théâtre m, bank banque f,
        airport aéroport m, factory usine f, cinema cinéma m, pool piscine f""",
    "place outside": "village village m, city ville f, street rue f, bridge pont m, square place f",
    "part": "door porte f, window fenêtre f, roof toit m, wall mur m",
    "instrument": "piano piano m, violin violon m, guitar guitare f, flute flûte f",
    "show": "film film m, performance spectacle m",
    "sound": "song chanson f, noise bruit m, radio radio f",
    "sound mass": "music musique f",
}

# Names need no determiner; the gender still decides "il" or "elle".
NAME_TABLE = "marie f, sophie f, anna f, emma f, paul m, luc m, thomas m, omar m"

# The part and the wholes that have one: "the door of the house".
WHOLES = {
    "door": "house room church castle car hotel",
    "window": "house room kitchen school train castle",
    "roof": "house church school farm castle station",
    "wall": "house garden room church castle",
}

# --------------------------------------------------------------------------------------------------
# Adjectives
# --------------------------------------------------------------------------------------------------

ADJECTIVE_TABLE = """
big/bigger       | grand               | before | animal place vehicle furniture container table
small/smaller    | petit               | before | animal place thing clothes book kid
beautiful/more   | beau belle beaux    | before | woman lady queen place clothes flower song animal
old/older        | vieux vieille vieux | before | adult animal place furniture clothes vehicle book
new/newer        | nouveau nouvelle    | before | clothes vehicle text machine furniture film town
good             | bon bonne           | before | food drink book novel film song doctor
bad              | mauvais             | before | food drink text film song
young/younger    | jeune               | before | adult animal kin
pretty/prettier  | joli                | before | clothes flower place song dishes ring
long/longer      | long longue         | before | text dress scarf street bridge film song
red              | rouge               | after | clothes vehicle flower part apple dishes ball
green            | vert                | after | clothes vehicle part apple dishes bird turtle
blue             | bleu                | after | clothes vehicle part flower dishes bird ball
white            | blanc blanche       | after | clothes vehicle animal part flower house
black            | noir                | after | clothes vehicle animal container umbrella
yellow           | jaune               | after | clothes flower vehicle bird apple
brown            | brun                | after | horse cow rabbit hen dog shoe jacket owl
gray             | gris                | after | clothes cat mouse donkey wolf wall horse
happy/happier    | heureux             | after | person
sad/sadder       | triste              | after | person film song
tired            | fatigué             | after | person
intelligent/more | intelligent         | after | person dog horse fox
famous/more      | célèbre             | after | adult song text film museum castle
rich/richer      | riche               | after | adult kin
strong/stronger  | fort                | after | man farmer horse brother father
polite/more      | poli                | after | person
funny/funnier    | drôle               | after | person film story book novel
curious/more     | curieux             | after | person cat goat fox
patient/more     | patient             | after | adult kin donkey
lazy/lazier      | paresseux           | after | student boy brother cat donkey cousin
brave/braver     | courageux           | after | person dog
kind/kinder      | gentil gentille     | after | person
shy/shyer        | timide              | after | person
sick             | malade              | after | person animal
generous/more    | généreux            | after | adult kin
serious/more     | sérieux             | after | adult kin
french           | français            | after | adult wine cheese text film song
english          | anglais             | after | adult text film song
italian          | italien             | after | adult ham film song restaurant
american         | américain           | after | adult film text vehicle
hot              | chaud               | after | soup coffee tea milk bread pie
cold             | froid               | after | drink soup meat rice
delicious        | délicieux           | after | food
sweet            | sucré               | after | fruit tea coffee juice pie
expensive/more   | cher                | after | clothes vehicle machine ring hotel restaurant
heavy/heavier    | lourd               | after | container furniture basket coat computer
light/lighter    | léger               | after | container chair basket umbrella bicycle
clean            | propre              | after | clothes dishes indoors vehicle beach street
dirty/dirtier    | sale                | after | clothes dishes indoors vehicle street window
broken           | cassé               | after | dishes lamp clock chair window toy umbrella phone
empty            | vide                | after | container dishes indoors basket theater station
modern/more      | moderne             | after | place vehicle machine lamp
quiet/quieter    | calme               | after | nature outside room library kid
interesting/more | intéressant         | after | text film museum city
boring           | ennuyeux            | after | text film performance
dangerous/more   | dangereux           | after | wolf street bridge mountain river spider
comfortable/more | confortable         | after | chair armchair bed shoe car hotel
useful/more      | utile               | after | map umbrella book recipe computer bicycle
"""

# --------------------------------------------------------------------------------------------------
# Verbs. Remarks: state = past tense is the imparfait and no "is …ing"; plain = no "is …ing";
# mishap = plain, and nobody wants to do it; give = takes a receiver; first, then = "she buys the
# apple and eats it": first buy, then eat.
# --------------------------------------------------------------------------------------------------

VERB_TABLE = """
eat/ate            | manger     | person | food | then
eat/ate            | manger     | animal | fruit bread cheese meat
drink/drank        | boire      | person | drink | then
drink/drank        | boire      | animal | water milk
buy/bought         | acheter    | person | food drink text thing clothes car bicycle house | first
sell/sold          | vendre     | person | text thing clothes car bicycle fruit house horse | then
prepare            | préparer   | person | soup salad cake pie sandwich coffee tea rice | first
see/saw            | voir       | person | person animal nature castle train plane | plain first
see/saw            | voir       | animal | person animal | plain
watch              | regarder   | person | show bird boat train child plane animal
look at            | regarder   | person | picture map flower clothes ring clock mirror castle
hear/heard         | entendre   | person | sound bird dog train owl car | plain
listen to          | écouter    | person | song radio story music teacher singer | then
read/read          | lire       | person | text | then
write/wrote        | écrire     | person | text | first
open               | ouvrir     | person | door window box bag letter bottle book gift | then
close              | fermer     | person | door window box bag bottle suitcase book shop
find/found         | trouver    | person | thing clothes text animal child restaurant | plain first
lose/lost          | perdre     | person | small bag phone glove hat dog | mishap then
look for           | chercher   | person | small bag phone clothes animal text child hotel
take/took          | prendre    | person | small container train bus plane text cup glass | first
bring/brought      | apporter   | person | food drink flower gift text dishes | give
carry              | porter     | person | container basket chair table cat | then
wear/wore          | porter     | person | clothes ring | then
wash               | laver      | person | clothes car truck dishes fruit dog | then
clean              | nettoyer   | person | indoors house table window shop shoe | then
break/broke        | casser     | person | dishes lamp toy mirror window chair | mishap then
repair             | réparer    | person | car bicycle clock computer phone roof door toy | then
draw/drew          | dessiner   | person | flower house map animal tree castle
choose/chose       | choisir    | person | clothes food text gift flower ring | first
forget/forgot      | oublier    | person | key umbrella bag ticket phone hat map | mishap
follow             | suivre     | person | person animal | then
follow             | suivre     | animal | person animal
help               | aider      | person | person | then
call               | appeler    | person | person | first
invite             | inviter    | person | person | then
meet/met           | rencontrer | person | person | first
thank              | remercier  | person | person | then
wait for           | attendre   | person | person bus train plane
know/knew          | connaître  | person | person city village museum hotel song story | state
love               | adorer     | person | food animal music kin song garden cinema | state
like               | aimer      | person | food drink animal film city beach park text | state
understand/understood | comprendre | person | text teacher film lady | plain
want               | vouloir    | person | food drink text toy bicycle cat dog | state
have/had           | avoir      | person | animal text thing clothes car bicycle boat | state
need               | avoir besoin de | person | key umbrella book friend doctor map bicycle | state
talk to            | parler à   | person | person
answer             | répondre à | person | person letter message | then
play               | jouer de   | person | instrument
give/gave          | donner     | person | food drink text gift flower ring key ball | give
show               | montrer    | person | text picture map clothes ring animal garden | give
send/sent          | envoyer    | person | letter gift picture message book flower | give
be afraid of       | avoir peur de | person | animal | state
be afraid of       | avoir peur de | animal | person animal | state
be hungry          | avoir faim | person animal | | state
be thirsty         | avoir soif | person animal | | state
sleep/slept        | dormir     | person animal
run/ran            | courir     | person dog horse rabbit cat fox
sing/sang          | chanter    | person bird
work               | travailler | person
cry                | pleurer    | person
fall/fell          | tomber     | person small dishes |  | mishap
leave/left         | partir     | person vehicle
arrive             | arriver    | person vehicle
come/came back     | revenir    | person animal
go/went out        | sortir     | person dog cat
sleep/slept in     | dormir dans | person cat dog | room garden house
swim/swam in       | nager dans | person | river pool
walk in            | marcher dans | person | street park forest garden city
play in            | jouer dans | kid dog cat | garden park street room
run/ran in         | courir dans | person dog horse rabbit fox | street park forest garden
live in            | habiter dans | person | home village hotel | state
work in            | travailler dans | person | shop factory restaurant hospital school library farm
enter              | entrer dans | person | house kitchen room shop church museum station castle
enter              | entrer dans | animal | house kitchen garden
stay in            | rester dans | person animal | room house garden kitchen
stay in            | rester dans | person | office library hotel village
go/went to         | aller à    | person | town beach park castle farm
arrive at          | arriver à  | person | town beach castle
come/came back from | revenir de | person | town beach park forest island city
"""

# What can be said, thought … about a whole clause ("says that …").
REPORT_TABLE = "say/said dire, think/thought penser, know/knew savoir, hope espérer"

# "she wants to eat": verbs in front of an infinitive.
MODAL_TABLE = """
want to     | vouloir | person animal |  | state
can/could   | pouvoir | person animal |  | state
must        | devoir  | person |  | state
be going to | aller   | person animal |  | state
like to     | aimer   | person        |  | state
"""

# infinitive: je il nous vous ils | future stem | participle. Verbs in -er, -ir (choisir) and -re
# (vendre) that are not listed are regular.
CONJUGATION_TABLE = """
être:      suis est sommes êtes sont                             | ser     | été
avoir:     ai a avons avez ont                                   | aur     | eu
aller:     vais va allons allez vont                             | ir      | allé
boire:     bois boit buvons buvez boivent                        | boir    | bu
lire:      lis lit lisons lisez lisent                           | lir     | lu
dire:      dis dit disons dites disent                           | dir     | dit
écrire:    écris écrit écrivons écrivez écrivent                 | écrir   | écrit
voir:      vois voit voyons voyez voient                         | verr    | vu
prendre:   prends prend prenons prenez prennent                  | prendr  | pris
comprendre: comprends comprend comprenons comprenez comprennent  | comprendr | compris
ouvrir:    ouvre ouvre ouvrons ouvrez ouvrent                    | ouvrir  | ouvert
connaître: connais connaît connaissons connaissez connaissent    | connaîtr | connu
suivre:    suis suit suivons suivez suivent                      | suivr   | suivi
dormir:    dors dort dormons dormez dorment                      | dormir  | dormi
courir:    cours court courons courez courent                    | courr   | couru
partir:    pars part partons partez partent                      | partir  | parti
sortir:    sors sort sortons sortez sortent                      | sortir  | sorti
revenir:   reviens revient revenons revenez reviennent           | reviendr | revenu
peindre:   peins peint peignons peignez peignent                 | peindr  | peint
vouloir:   veux veut voulons voulez veulent                      | voudr   | voulu
pouvoir:   peux peut pouvons pouvez peuvent                      | pourr   | pu
devoir:    dois doit devons devez doivent                        | devr    | dû
savoir:    sais sait savons savez savent                         | saur    | su
acheter:   achète achète achetons achetez achètent               | achèter | acheté
appeler:   appelle appelle appelons appelez appellent            | appeller | appelé
espérer:   espère espère espérons espérez espèrent               | espérer | espéré
envoyer:   envoie envoie envoyons envoyez envoient               | enverr  | envoyé
nettoyer:  nettoie nettoie nettoyons nettoyez nettoient          | nettoier | nettoyé
"""

# These build the passé composé with être, so that the participle agrees with the subject.
WITH_ETRE = frozenset("aller revenir arriver partir entrer rester tomber sortir".split())

# --------------------------------------------------------------------------------------------------
# Small words
# --------------------------------------------------------------------------------------------------

# english | masculine, feminine, their plurals ("+" joins the words of one form, "-" is no form)
DETERMINER_TABLE = """
the     | le la les les
a       | un une - -
some    | de+le de+la des des
any     | de de de de
this    | ce cette - -
that    | ce cette - -
these   | - - ces ces
those   | - - ces ces
my      | mon ma mes mes
your    | votre votre vos vos
his     | son sa ses ses
her     | son sa ses ses
our     | notre notre nos nos
their   | leur leur leurs leurs
every   | chaque chaque - -
many    | - - beaucoup+de beaucoup+de
several | - - plusieurs plusieurs
a few   | - - quelques quelques
all the | - - tous+les toutes+les
which   | quel quelle quels quelles
how many | - - combien+de combien+de
two     | - - deux deux
three   | - - trois trois
four    | - - quatre quatre
five    | - - cinq cinq
six     | - - six six
seven   | - - sept sept
eight   | - - huit huit
ten     | - - dix dix
"""

# English subject, object | French subject, direct and indirect object | possessive | agreement
PRONOUN_TABLE = """
i    me   | je    me   me   | my    | m s 1
you  you  | vous  vous vous | your  | m p 2
he   him  | il    le   lui  | his   | m s 3
she  her  | elle  la   lui  | her   | f s 3
we   us   | nous  nous nous | our   | m p 1
they them | ils   les  leur | their | m p 3
"""

# english | french | nouns: where people and animals do things; where things are.
SPOT_TABLE = """
in          | dans       | garden park kitchen room forest street library shop station
at          | à          | market station school museum restaurant hotel beach airport
near        | près de    | river bridge church castle station forest door window
behind      | derrière   | house church school castle wall
in front of | devant     | house church school station theater door cinema bank
next to     | à côté de  | school bakery bank church river market
"""
THING_SPOT_TABLE = """
on          | sur        | table chair bed wall armchair
under       | sous       | table chair bed tree
in          | dans       | box bag basket kitchen room suitcase
next to     | à côté de  | door window bed lamp
behind      | derrière   | door mirror armchair
near        | près de    | window door clock
"""

# english | french | links (english-french, when not word by word) | tense
TIME_TABLE = """
yesterday       | hier                 |             | past
last week       | la semaine dernière  | 0-2 1-1     | past
this morning    | ce matin             |             | past
last night      | hier soir            |             | past
on monday       | lundi                | 1-0         | past
tomorrow        | demain               |             | future
next week       | la semaine prochaine | 0-2 1-1     | future
this evening    | ce soir              |             | future
on sunday       | dimanche             | 1-0         | future
today           | aujourd'hui          |             | present
now             | maintenant           |             | present
every day       | tous les jours       | 0-0 0-1 1-2 | habit
in the evening  | le soir              | 1-0 2-1     | habit
in summer       | en été               |             | habit
"""

# These precede the verb in English and follow the conjugated verb in French.
ADVERB_TABLE = """
often              | souvent    | present past future
always             | toujours   | present past future
sometimes          | parfois    | present past
already            | déjà       | past
"""
# Qualities that pass: "will be tired", "was sick yesterday".
PASSING = frozenset(
    "happy sad tired sick famous rich strong polite patient brave hot cold clean dirty".split()
)
# Moods that are a reason for something: "is crying because she is sad".
MOODS = frozenset("happy sad tired sick".split())
DEGREE_TABLE = "very très, too trop, so si"

# english | french | verbs
MANNER_TABLE = """
quickly   | rapidement    | eat drink read write run clean prepare wash
slowly    | lentement     | eat drink walk read
carefully | soigneusement | open close clean wash repair draw hide write
"""

# --------------------------------------------------------------------------------------------------
# Words with their forms
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noun:
    """A noun with its English and French singular and plural (`forms["s"]`, `forms["p"]`)."""

    english: dict[str, str]
    french: dict[str, str]
    gender: str  # "m" | "f"
    classes: frozenset[str]  # what it is, its own English name included

    def __hash__(self) -> int:
        return hash(self.english["s"])

    def is_one_of(self, wanted: frozenset[str]) -> bool:
        """Whether this noun is among the nouns and classes in `wanted`."""
        return not self.classes.isdisjoint(wanted)


@dataclass(frozen=True)
class Adjective:
    """An adjective; `french["fp"]` is the feminine plural, `before` its place."""

    english: str
    comparative: str  # "bigger", "more" (for "more modern"), or "" if it has none
    french: dict[str, str]
    before: bool
    classes: frozenset[str]

    def __hash__(self) -> int:
        return hash(self.english)


@dataclass(frozen=True)
class Verb:
    """A verb of both languages with its particles, its subjects and its objects."""

    base: str
    past: str
    particles: tuple[str, ...]  # "look *at*"
    infinitive: str
    french_particles: tuple[str, ...]  # "parler *à*", "avoir *peur de*"
    subjects: frozenset[str]
    objects: frozenset[str]
    remarks: frozenset[str] = frozenset()

    def __hash__(self) -> int:
        return hash((self.base, self.particles, self.infinitive))

    @property
    def preposition(self) -> str:
        """The French preposition in front of the object, "" for a direct object."""
        return self.french_particles[-1] if self.objects and self.french_particles else ""


def rows(table: str) -> list[list[str]]:
    """The lines of a table, split at its bars."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def entries(text: str) -> list[list[str]]:
    """The comma-separated entries of a table, split at their spaces."""
    return [entry.split() for entry in text.split(",")]


def two_forms(cell: str, plural_rule: Callable[[str], str]) -> dict[str, str]:
    """`"man/men"` → both forms as written; `"boy"` → the plural follows the rule."""
    singular, _, plural = cell.partition("/")
    return {"s": singular, "p": plural or plural_rule(singular)}


def add_s(word: str) -> str:
    """English plural or third person by the rules: box → boxes, lady → ladies, boy → boys."""
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "ies"
    return word + "s"


def french_plural(word: str) -> str:
    """French plural by the rules: souris → souris, gâteau → gâteaux, chat → chats."""
    if word.endswith(("s", "x", "z")):
        return word
    return word + ("x" if word.endswith("eau") else "s")


def french_feminine(word: str) -> str:
    """Feminine of an adjective or participle by the rules: heureux → heureuse, cher → chère."""
    for ending, feminine in (("e", "e"), ("eux", "euse"), ("er", "ère"), ("ien", "ienne")):
        if word.endswith(ending):
            return word[: -len(ending)] + feminine
    return word + "e"


def four_forms(
    masculine: str, feminine: str | None = None, masculine_plural: str | None = None
) -> dict[str, str]:
    """`{"ms": …, "fs": …, "mp": …, "fp": …}` of an adjective or a participle."""
    feminine = feminine or french_feminine(masculine)
    return {
        "ms": masculine,
        "fs": feminine,
        "mp": masculine_plural or french_plural(masculine),
        "fp": french_plural(feminine),
    }


# --------------------------------------------------------------------------------------------------
# French conjugation
# --------------------------------------------------------------------------------------------------

PERSONS = ("1s", "3s", "1p", "2p", "3p")  # je, il/elle, nous, vous, ils/elles
ENDINGS = {
    "er": "e e ons ez ent",
    "ir": "is it issons issez issent",
    "re": "s - ons ez ent",
    "future": "ai a ons ez ont",
    "imperfect": "ais ait ions iez aient",
}
IRREGULAR = {
    line.partition(":")[0].strip(): [part.strip() for part in line.partition(":")[2].split("|")]
    for line in CONJUGATION_TABLE.strip().splitlines()
}


def _attach(stem: str, endings: str) -> dict[str, str]:
    """Stem and endings, keeping the sound of the stem: nous mangeons, nous commençons."""
    forms = {}
    for person, ending in zip(PERSONS, endings.split(), strict=True):
        soft = "e" if stem.endswith("g") and ending[0] in "ao" else ""
        forms[person] = stem + soft + ending.strip("-")
    return forms


@cache
def conjugation(infinitive: str) -> dict[str, dict[str, str]]:
    """All forms of a French verb.

    Returns `{"present": {person: form}, "future": …, "imperfect": …, "participle": {"ms": …}}`,
    with the persons of `PERSONS`.
    """
    if infinitive in IRREGULAR:
        present, future_stem, participle = IRREGULAR[infinitive]
        present = dict(zip(PERSONS, present.split(), strict=True))
    else:
        stem, group = infinitive[:-2], infinitive[-2:]
        present = _attach(stem, ENDINGS[group])
        future_stem = infinitive.removesuffix("e")
        participle = stem + {"er": "é", "ir": "i", "re": "u"}[group]
    imperfect_stem = "ét" if infinitive == "être" else present["1p"].removesuffix("ons")
    return {
        "present": present,
        "future": _attach(future_stem, ENDINGS["future"]),
        "imperfect": _attach(imperfect_stem, ENDINGS["imperfect"]),
        "participle": four_forms(participle),
    }


# --------------------------------------------------------------------------------------------------
# English conjugation
# --------------------------------------------------------------------------------------------------

BE = {
    "present": {"1s": "am", "3s": "is", "1p": "are", "2p": "are", "3p": "are"},
    "past": {"1s": "was", "3s": "was", "1p": "were", "2p": "were", "3p": "were"},
}


def english_present(base: str, person: str) -> str:
    """eat → eats for the third person singular; have → has."""
    if person != "3s":
        return base
    return {"have": "has", "go": "goes", "do": "does"}.get(base) or add_s(base)


def english_past(base: str) -> str:
    """Regular past: open → opened, love → loved, cry → cried, stay → stayed."""
    if base.endswith("e"):
        return base + "d"
    if base.endswith("y") and base[-2] not in "aeou":
        return base[:-1] + "ied"
    return base + "ed"


def english_ing(base: str) -> str:
    """open → opening, write → writing, run → running."""
    if base in ("run", "swim", "forget"):
        return base + base[-1] + "ing"
    silent_e = base.endswith("e") and not base.endswith(("ee", "be"))
    return (base[:-1] if silent_e else base) + "ing"


# --------------------------------------------------------------------------------------------------
# The tables, read
# --------------------------------------------------------------------------------------------------


def _noun(classes: str, english: str, french: str, gender: str) -> Noun:
    english = two_forms(english, add_s)
    names = frozenset(classes.split()) | {english["s"]}
    return Noun(english, two_forms(french, french_plural), gender, names)


def _adjective(english: str, french: str, place: str, classes: str) -> Adjective:
    english, _, comparative = english.partition("/")
    words = frozenset(classes.split())
    return Adjective(english, comparative, four_forms(*french.split()), place == "before", words)


def _verb(
    english: str, french: str, subjects: str = "", objects: str = "", remarks: str = ""
) -> Verb:
    base, *particles = english.split()
    base, _, past = base.partition("/")
    infinitive, *french_particles = french.split()
    selection = (frozenset(cell.split()) for cell in (subjects, objects, remarks))
    return Verb(
        base,
        past or english_past(base),
        tuple(particles),
        infinitive,
        tuple(french_particles),
        *selection,
    )


NOUNS = [_noun(key, *entry) for key, text in NOUN_TABLE.items() for entry in entries(text)]
NAMES = [tuple(entry) for entry in entries(NAME_TABLE)]
ADJECTIVES = [_adjective(*row) for row in rows(ADJECTIVE_TABLE)]
VERBS = [_verb(*row) for row in rows(VERB_TABLE)]
REPORTS = [_verb(english, french, "person") for english, french in entries(REPORT_TABLE)]
MODALS = [_verb(*row) for row in rows(MODAL_TABLE)]
COPULA = _verb("be/was", "être", remarks="state")
EXISTENCE = _verb("be/was", "avoir", remarks="state")
DETERMINERS = {
    english: dict(zip(("ms", "fs", "mp", "fp"), french.split(), strict=True))
    for english, french in rows(DETERMINER_TABLE)
}
