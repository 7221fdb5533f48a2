"""Who is in the demo: its Teams, their people, and what each of them shows. Data alone.

Domains are reserved ones (`.example`): no real person has such an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from teams.models import Role

OPERATOR = "operator@tokenplan.example"
GOOD_CARD = "4242 4242 4242 4242"
DECLINED_LATER = "4000 0000 0000 0341"


@dataclass(frozen=True)
class Work:
    """What somebody has used models for in the last 30 days: a menu of `usage.MENUS`, and about how many
    calls on a working day, which one of `every` days is. `ended` is how many days ago the last call was.
    """

    menu: str
    calls: int
    every: int = 1
    ended: int = 0


@dataclass(frozen=True)
class Now:
    """What the usage bar of somebody shows. In whole percent of the window's limit: how much of the 5 hours
    and of the week is used, and what one last call cost beyond that. `agents` are at work.
    """

    five_hours: int = 0
    week: int = 0
    last_call: int = 0
    agents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """A member of a demo Team. `plan` is the code of their seat's plan; `month_cap` is in Credits; `shows` is
    what an operator signs in as them for.
    """

    email: str
    name: str
    role: str
    plan: str | None = None
    credits: bool = False
    month_cap: str | None = None
    work: Work | None = None
    now: Now = field(default_factory=Now)
    shows: str = ""


@dataclass(frozen=True)
class Crowd:
    """So many members more, who are nobody in particular. `seats` are for them, by plan; the last `free` of
    each plan nobody holds.
    """

    members: int
    seats: Mapping[str, int]
    free: int


@dataclass(frozen=True, eq=False)
class DemoTeam:
    """The first person is the Owner. `spare` lists the plans of further seats, which nobody holds yet.

    `paid` is how many days ago the seats were paid last: a month after the first time, or by the year for the
    first time. Its `credits` were bought once, and `expiring` more were given, and expire in 9 days.
    """

    name: str
    credits: str
    people: tuple[Person, ...]
    spare: tuple[str, ...] = ()
    interval: str = "month"
    paid: int = 0
    card: str = GOOD_CARD
    expiring: str = ""
    crowd: Crowd | None = None

    @property
    def seats(self) -> dict[str, int]:
        """How many of each plan the Team has."""
        wanted = Counter(person.plan for person in self.people if person.plan)
        wanted.update(self.spare)
        wanted.update(dict(self.crowd.seats) if self.crowd else {})
        return dict(wanted)


ACME = DemoTeam(
    name="Acme",
    credits="100000",
    people=(
        Person(
            "olivia@acme.example",
            "Olivia Ortiz",
            Role.OWNER,
            plan="max",
            credits=True,
            work=Work("code", 7),
            now=Now(five_hours=31),
            shows="30 days of usage, a subscription with invoices, requests, Credits that expire soon",
        ),
        Person(
            "adam@acme.example",
            "Adam Abara",
            Role.ADMIN,
            plan="ultra",
            credits=True,
            work=Work("film", 10),
            now=Now(five_hours=12),
            shows="an Admin: who needs a seat, who asks for one",
        ),
        Person(
            "mia@acme.example",
            "Mia Moreau",
            Role.MEMBER,
            plan="max",
            credits=True,
            work=Work("film", 8),
            now=Now(five_hours=46),
            shows="two Teams, two keys, two bars",
        ),
        Person(
            "noah@acme.example",
            "Noah Nakamura",
            Role.MEMBER,
            plan="plus",
            credits=True,
            work=Work("voice", 10, every=2),
            now=Now(five_hours=22),
            shows="charges that are split: quota first, then Credits",
        ),
        Person(
            "lena@acme.example",
            "Lena Lindqvist",
            Role.MEMBER,
            plan="plus",
            work=Work("code", 4),
            now=Now(five_hours=8),
            shows="asks for a higher plan",
        ),
        Person(
            "ravi@acme.example",
            "Ravi Rao",
            Role.MEMBER,
            credits=True,
            month_cap="5000",
            work=Work("small", 2),
            shows="no seat: Credits only, up to 5,000 a month",
        ),
    ),
    spare=("plus",),
    paid=6,
    expiring="15000",
)

GLOBEX = DemoTeam(
    name="Globex",
    credits="25000",
    people=(
        Person(
            "greta@globex.example",
            "Greta Gruber",
            Role.OWNER,
            plan="ultra",
            credits=True,
            work=Work("code", 9),
            now=Now(five_hours=27),
            shows="an API account with keys, usage and a voucher; paid by the year",
        ),
        Person(
            "ben@globex.example",
            "Ben Barzani",
            Role.ADMIN,
            plan="max",
            credits=True,
            work=Work("sound", 6),
            now=Now(five_hours=5),
            shows="an Admin with a seat",
        ),
        Person(
            "chloe@globex.example",
            "Chloé Chevalier",
            Role.MEMBER,
            plan="plus",
            work=Work("code", 3),
            now=Now(five_hours=52),
            shows="a member with a seat and no Credits",
        ),
        # Also in Acme: one person, two Teams, two keys.
        Person(
            "mia@acme.example",
            "Mia Moreau",
            Role.MEMBER,
            plan="max",
            work=Work("film", 3),
            now=Now(five_hours=3),
            shows="the second of two Teams",
        ),
    ),
    interval="year",
    paid=35,
)

# One person for each state of the usage bar that a seat of a paid Team can have.
INITECH = DemoTeam(
    name="Initech",
    credits="20000",
    people=(
        Person(
            "irene@initech.example",
            "Irene Ito",
            Role.OWNER,
            plan="max",
            work=Work("code", 5),
            now=Now(five_hours=35, agents=("claude-code", "cursor")),
            shows="a normal bar, with two agents at work for a quarter of an hour",
        ),
        Person(
            "emil@initech.example",
            "Emil Eriksen",
            Role.MEMBER,
            plan="max",
            work=Work("code", 4, ended=8),
            shows="an empty bar",
        ),
        Person(
            "nina@initech.example",
            "Nina Novak",
            Role.MEMBER,
            plan="max",
            work=Work("sound", 4),
            now=Now(five_hours=84),
            shows="nearly full",
        ),
        Person(
            "carla@initech.example",
            "Carla Costa",
            Role.MEMBER,
            plan="max",
            credits=True,
            work=Work("film", 5),
            now=Now(five_hours=100, last_call=4),
            shows="full, and Credits pay",
        ),
        Person(
            "stefan@initech.example",
            "Stefan Stoica",
            Role.MEMBER,
            plan="max",
            work=Work("code", 5),
            now=Now(five_hours=100),
            shows="full and stopped: refused calls; asks for Credits",
        ),
        Person(
            "wanda@initech.example",
            "Wanda Wilk",
            Role.MEMBER,
            plan="max",
            work=Work("sound", 4),
            now=Now(week=100),
            shows="the week is full, the 5 hours have room",
        ),
        Person(
            "oscar@initech.example",
            "Oscar Olsen",
            Role.MEMBER,
            plan="max",
            work=Work("film", 5),
            now=Now(five_hours=95, last_call=16),
            shows="over: the last call cost more than was left",
        ),
        Person(
            "nadia@initech.example",
            "Nadia Nasser",
            Role.MEMBER,
            shows="nothing to spend yet; asks for a seat",
        ),
    ),
    paid=8,
)

UMBRELLA = DemoTeam(
    name="Umbrella",
    credits="",
    people=(
        Person(
            "uma@umbrella.example",
            "Uma Ueda",
            Role.OWNER,
            plan="max",
            work=Work("code", 5),
            now=Now(five_hours=18),
            shows="a payment that failed: the seats still work",
        ),
        Person(
            "ulf@umbrella.example",
            "Ulf Uhl",
            Role.MEMBER,
            plan="plus",
            work=Work("code", 3),
            shows="a member of that Team: the bar as usual, and a banner",
        ),
    ),
    paid=2,
    card=DECLINED_LATER,
)

SOYLENT = DemoTeam(
    name="Soylent",
    credits="",
    people=(
        Person(
            "sol@soylent.example",
            "Sol Serrano",
            Role.OWNER,
            plan="ultra",
            work=Work("film", 6, ended=6),
            shows="a payment that failed long ago: the seats are suspended",
        ),
        Person(
            "sofia@soylent.example",
            "Sofia Silva",
            Role.MEMBER,
            plan="max",
            work=Work("code", 5, ended=6),
            shows="a suspended seat, as a member sees it",
        ),
    ),
    paid=9,
    card=DECLINED_LATER,
)

HOOLI = DemoTeam(
    name="Hooli",
    credits="250000",
    people=(
        Person(
            "hana@hooli.example",
            "Hana Haddad",
            Role.OWNER,
            plan="ultra",
            credits=True,
            work=Work("code", 5),
            now=Now(five_hours=9),
            shows="500 members: People and Seats with many rows",
        ),
        Person(
            "hugo@hooli.example",
            "Hugo Holm",
            Role.ADMIN,
            shows="an Admin of 500, without a seat; owes for a call",
        ),
    ),
    paid=12,
    crowd=Crowd(members=498, seats={"plus": 250, "max": 120, "ultra": 29}, free=5),
)

# The two that every demo has, and those that live by a subscription at the local Stripe.
SMALL = (ACME, GLOBEX)
TEAMS = (*SMALL, INITECH, UMBRELLA, SOYLENT, HOOLI)

FIRST_NAMES = (
    *("Aiko", "Amara", "Anton", "Bea", "Carlos", "Dara", "Elif", "Farid", "Gwen", "Henrik", "Ines", "Jonas"),
    *("Kofi", "Leila", "Marek", "Nora", "Omar", "Priya", "Quinn", "Rosa", "Samir", "Tara", "Viktor", "Yuki"),
    "Zoe",
)
LAST_NAMES = (
    *("Abe", "Berg", "Chen", "Diaz", "Eze", "Fischer", "Garcia", "Hansen", "Ivanova", "Jung", "Khan"),
    *("Larsen", "Mensah", "Nguyen", "Okafor", "Patel", "Rossi", "Santos", "Tanaka", "Weber"),
)


def crowd_of(team: DemoTeam) -> dict[str, str]:
    """The members of its crowd: address to name."""
    count = team.crowd.members if team.crowd else 0
    people = ((first, last) for last in LAST_NAMES for first in FIRST_NAMES)
    domain = team.people[0].email.partition("@")[2]
    return {
        f"{first}.{last}@{domain}".lower(): f"{first} {last}"
        for (first, last), _ in zip(people, range(count), strict=False)
    }


def names() -> dict[str, str]:
    """Everybody whom the demo may have made: address to name."""
    known = {person.email: person.name for team in TEAMS for person in team.people}
    for team in TEAMS:
        known |= crowd_of(team)
    return known | {OPERATOR: "Operator"}
