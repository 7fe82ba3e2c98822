"""Members, clients, terminals and control groups of the simulated exchange."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation import names
from pipelines.simulation.groups import ControlGroup, draw_groups, draw_lookalikes
from pipelines.simulation.scale import Scale
from pipelines.simulation.seeds import stream

CLIENT_TYPES: Final = ("RETAIL", "CORPORATE", "FUND", "PROGRAMME", "MARKET_MAKER")
RETAIL, CORPORATE, FUND, PROGRAMME, MARKET_MAKER = range(5)
_TYPE_SHARE: Final = (0.775, 0.09, 0.065, 0.05, 0.02)
_ORDER_SHARE: Final = (0.27, 0.05, 0.10, 0.36, 0.22)
"""Share of all orders by client type (assumption: programme and market makers send most)."""
_ZIPF: Final = (0.85, 0.85, 0.7, 0.4, 0.4)
"""Exponents of activity within a type; programmes are many of one size, or one alone would pass
the exchange's 500 cancels a contract."""
TERMINALS_PER_CLIENT: Final = 2


@dataclass(frozen=True)
class Member:
    """One member of the exchange."""

    member_id: str
    name_zh: str
    name_en: str
    short_name: str
    member_type: str
    clearing_type: str
    joined_date: date


@dataclass(frozen=True)
class Terminals:
    """Devices by index; several clients may use one device or one address."""

    terminal_id: list[str]
    public_ip: list[str]
    mac_hash: list[str]
    disk_hash: list[str]
    app_id: list[str]
    kind: list[str]


@dataclass(frozen=True)
class People:
    """Everyone in the world; arrays are by client index."""

    members: tuple[Member, ...]
    client_id: NDArray[np.str_]
    member: NDArray[np.int32]
    client_type: NDArray[np.int8]
    person: NDArray[np.int32]
    weight: NDArray[np.float64]
    affinity: NDArray[np.float32]
    opened: NDArray[np.int32]
    phone: NDArray[np.int64]
    address: NDArray[np.int32]
    placer: NDArray[np.int32]
    mover: NDArray[np.int32]
    reported: NDArray[np.bool_]
    terminal: NDArray[np.int32]
    terminals: Terminals
    groups: tuple[ControlGroup, ...]
    lookalikes: tuple[ControlGroup, ...]

    @property
    def clients(self) -> int:
        """Number of clients, those not yet open included."""
        return len(self.client_id)

    @property
    def owner(self) -> NDArray[np.int32]:
        """The controller of each client: the first client of its control group, or itself."""
        owner = np.arange(self.clients, dtype=np.int32)
        for group in self.groups:
            owner[list(group.clients)] = group.clients[0]
        return owner

    @property
    def group_size(self) -> NDArray[np.int64]:
        """How many clients each client's controller has (1: it stands alone)."""
        size = np.ones(self.clients, np.int64)
        for group in self.groups:
            size[list(group.clients)] = len(group.clients)
        return size

    def name(self, client: int) -> str:
        """The client's name."""
        return names.client_name(client, CLIENT_TYPES[self.client_type[client]])


def digest(text: str) -> str:
    """Return sixteen hexadecimal digits standing for a hashed personal datum."""
    return blake2b(text.encode("utf-8"), digest_size=8).hexdigest()


@lru_cache(maxsize=4)
def draw_people(seed: int, scale: Scale, commodities: int, start: date) -> People:
    """Draw the whole population of a world that begins on ``start``."""
    rng = stream(seed, None, "people")
    count = scale.clients
    bounds = np.cumsum(np.round(np.array(_TYPE_SHARE) * count).astype(int))
    client_type = np.searchsorted(bounds[:-1], np.arange(count), side="right").astype(np.int8)
    client_type = rng.permutation(client_type)
    weight = np.zeros(count)
    for kind, share in enumerate(_ORDER_SHARE):
        of_kind = np.flatnonzero(client_type == kind)
        if len(of_kind):
            zipf = (1.0 + np.arange(len(of_kind))) ** -_ZIPF[kind]
            weight[rng.permutation(of_kind)] = share * zipf / zipf.sum()
    members = _members(scale.members)
    firms = np.array([i for i, m in enumerate(members) if m.member_type == "FF"])
    pull = (1.0 + np.arange(len(firms))) ** -0.7
    member = rng.choice(firms, size=count, p=pull / pull.sum()).astype(np.int32)
    own = np.array([i for i, m in enumerate(members) if m.member_type == "NF"])
    corporate = np.flatnonzero(client_type == CORPORATE)
    member[corporate[: len(own)]] = own[: len(corporate)]

    person = np.arange(count, dtype=np.int32)
    second = rng.choice(count, size=count // 20, replace=False)
    for client in second:  # a second trading code of the same person, with another member
        first = int(rng.integers(count))
        if client_type[first] == client_type[client] == RETAIL and member[first] != member[client]:
            person[client] = person[first]
    opened = rng.integers(date(2015, 1, 5).toordinal(), start.toordinal() - 20, count)
    future = rng.choice(np.flatnonzero(client_type == RETAIL), size=count // 50, replace=False)
    opened[future] = start.toordinal() + rng.integers(1, 90, len(future))

    groups = draw_groups(rng, client_type, weight, opened <= start.toordinal())
    taken = np.zeros(count, bool)
    taken[[c for g in groups for c in g.clients]] = True
    lookalikes = draw_lookalikes(rng, client_type, taken | (opened > start.toordinal()))
    phone = 19_900_000_000 + rng.permutation(count).astype(np.int64)
    address = rng.permutation(count).astype(np.int32)
    placer = np.arange(count, dtype=np.int32)
    mover = np.arange(count, dtype=np.int32)
    first_code = person.copy()
    for column in (phone, address, placer, mover):
        column[:] = column[first_code]
    terminal, terminals = _terminals(rng, member, groups, lookalikes)
    for group in (*groups, *lookalikes):
        first, rest = group.clients[0], list(group.clients[1:])
        for tie, column in (("PHONE", phone), ("PLACER", placer), ("FUNDS", mover)):
            if tie in group.ties:
                column[rest] = column[first]
        if "ADDRESS" in group.ties:
            address[rest] = address[first]
    liking = rng.dirichlet(np.full(commodities, 0.15), size=count).astype(np.float32)
    programmes = np.flatnonzero(client_type == PROGRAMME)
    liking[programmes] = rng.dirichlet(np.full(commodities, 0.8), size=len(programmes))
    liking[client_type == MARKET_MAKER] = 1.0 / commodities
    reported = (client_type >= PROGRAMME) & (rng.random(count) > 0.08)
    return People(
        members=members,
        client_id=np.array([f"{10_000_000 + 37 * i:08d}" for i in range(count)]),
        member=member,
        client_type=client_type,
        person=person,
        weight=weight,
        affinity=liking,
        opened=opened.astype(np.int32),
        phone=phone,
        address=address,
        placer=placer,
        mover=mover,
        reported=reported,
        terminal=terminal,
        terminals=terminals,
        groups=groups,
        lookalikes=lookalikes,
    )


def _members(count: int) -> tuple[Member, ...]:
    members = []
    for i in range(count):
        firm = i % 12 != 11
        zh, en, short = names.member_names(i, futures_firm=firm)
        clearing = "SELF" if not firm else ("GENERAL" if i % 9 == 0 else "TRADING")
        members.append(
            Member(
                member_id=f"{7 * i + 3:04d}",
                name_zh=zh,
                name_en=en,
                short_name=short,
                member_type="FF" if firm else "NF",
                clearing_type=clearing,
                joined_date=date(1999, 5, 4) + timedelta(20 * i),
            )
        )
    return tuple(members)


def _terminals(
    rng: np.random.Generator,
    member: NDArray[np.int32],
    groups: tuple[ControlGroup, ...],
    lookalikes: tuple[ControlGroup, ...],
) -> tuple[NDArray[np.int32], Terminals]:
    """Two devices a client: an own one and, for some, a second behind the member's relay."""
    count = len(member)
    ids, ips, macs, disks, apps, kinds = [], [], [], [], [], []
    app = rng.integers(0, 7, (count, TERMINALS_PER_CLIENT))
    office = rng.random(count) < 0.3
    relay = rng.random(count) < 0.35
    nat = rng.integers(0, max(2, count // 40), count)
    for client in range(count):
        for slot in range(TERMINALS_PER_CLIENT):
            number = client * TERMINALS_PER_CLIENT + slot
            kind = "OFFICE" if office[client] else "HOME"
            address = number if not office[client] else 100_000 + int(nat[client])
            if slot == 1 and relay[client]:
                kind, address = "RELAY", 120_000 + int(member[client])
            ids.append(f"T{number:06d}")
            # 198.18.0.0/15 is set aside for tests: no such address is anybody's.
            ips.append(f"198.{18 + address // 65536}.{address // 256 % 256}.{address % 256}")
            macs.append(digest(f"mac{number}"))
            disks.append(digest(f"disk{number}"))
            apps.append(f"SIMTRADE_{int(app[client, slot])}.0")
            kinds.append(kind)
    terminal = np.arange(count * TERMINALS_PER_CLIENT, dtype=np.int32).reshape(count, -1)
    for group in (*groups, *lookalikes):
        rest = list(group.clients[1:])
        if "TERMINAL" in group.ties:
            terminal[rest, 0] = terminal[group.clients[0], 0]
        if "OFFICE_NAT" in group.ties:
            for client in rest:
                ips[terminal[client, 0]] = ips[terminal[group.clients[0], 0]]
                kinds[terminal[client, 0]] = "OFFICE"
    return terminal, Terminals(ids, ips, macs, disks, apps, kinds)
