"""Bytes made wrong, or dressed otherwise: what senders, networks and disks do to files."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
Mutation = Callable[[bytes, random.Random], bytes]


def _place(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def cut(data: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return data[: _place(data, chance)]


def flip(data: bytes, chance: random.Random) -> bytes:
    """A few bits are wrong."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def drop(data: bytes, chance: random.Random) -> bytes:
    """A piece is missing."""
    start, end = sorted((_place(data, chance), _place(data, chance)))
    return data[:start] + data[min(end, start + chance.choice((1, 16, 4096))) :]


def double(data: bytes, chance: random.Random) -> bytes:
    """A piece comes twice."""
    start, end = sorted((_place(data, chance), _place(data, chance)))
    return data[:end] + data[start:]


def insert(data: bytes, chance: random.Random) -> bytes:
    """Something that means something to a reader stands where it should not."""
    odd = (
        b'"', b"'", b"\r", b"\n", b"\n\n", b"\0", b"\xff\xfe", b",", b",,", b"{", b"}", b"[", b"]",
        b"\\", b'\\ud800', b"<", b"<!--", b"&#0;", b"\x1a", b"\x0b", b"\xe2\x80\xa8", BOM, b"\t",
        b"NaN", b"1e999", b"-" * 40, b"9" * 400, b"9" * 5000, b"[" * 3000, b'{"a":' * 900,
        b"x" * 70_000, '铜"'.encode(), "铜".encode("gb18030"), "銅".encode("big5"), GZIP,
    )  # fmt: skip
    at = _place(data, chance)
    return data[:at] + chance.choice(odd) + data[at:]


def noise(data: bytes, chance: random.Random) -> bytes:
    """Random bytes over a piece."""
    at = _place(data, chance)
    junk = chance.randbytes(chance.choice((1, 8, 300)))
    return data[:at] + junk + data[at + len(junk) :]


def line_twice(data: bytes, chance: random.Random) -> bytes:
    """A line comes twice."""
    lines = _lines(data)
    if lines:
        at = chance.randrange(len(lines))
        lines.insert(at, lines[at])
    return b"".join(lines)


def lines_swapped(data: bytes, chance: random.Random) -> bytes:
    """Two lines changed places."""
    lines = _lines(data)
    if len(lines) > 1:
        a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def line_ends_mixed(data: bytes, chance: random.Random) -> bytes:
    """Each line ends in its own way."""
    ends = (b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n")
    return b"".join(line.rstrip(b"\r\n") + chance.choice(ends) for line in _lines(data))


def number_huge(data: bytes, chance: random.Random) -> bytes:
    """A number is replaced by one no column holds."""
    digits = [i for i, byte in enumerate(data) if 48 <= byte < 58]
    if not digits:
        return data
    at = chance.choice(digits)
    huge = chance.choice((b"9" * 30, b"1e400", b"-1e-400", b"1.797693e+308", b"0x7f", b"9" * 4400))
    return data[:at] + huge + data[at + 1 :]


def encoding_swapped(data: bytes, chance: random.Random) -> bytes:
    """The same text in another encoding than everyone agreed on."""
    for source in ("utf-8", "gb18030"):
        try:
            text = data.decode(source)
        except UnicodeDecodeError:
            continue
        other = chance.choice(("utf-16", "utf-16-le", "gb18030", "big5", "latin-1", "utf-8-sig"))
        return text.encode(other, errors="replace")
    return data


def packed(data: bytes, chance: random.Random) -> bytes:
    """Compressed once more, and then perhaps harmed."""
    whole = gzip.compress(data, 1)
    return chance.choice((lambda d, c: d, cut, flip, noise))(whole, chance)


def joined(data: bytes, chance: random.Random) -> bytes:
    """The file twice in one: the header comes again, or a second document."""
    return data + chance.choice((b"", b"\n", b"\0")) + data


def keys_twice(data: bytes, chance: random.Random) -> bytes:
    """A key of a JSON object comes again with another value."""
    places = [i for i, byte in enumerate(data) if byte == 123]
    if not places:
        return double(data, chance)
    at = chance.choice(places) + 1
    name = data[at:].split(b":", 1)[0][:60]
    return data[:at] + name + b":[]," + data[at:]


def nothing(data: bytes, chance: random.Random) -> bytes:
    """Next to nothing is left."""
    return chance.choice(
        (b"", b"\n", BOM, b" ", b"{}", b"[]", b"\0" * 9, GZIP, b"PAR1", b'"', b",")
    )


HARMS: tuple[Mutation, ...] = (
    cut, flip, drop, double, insert, noise, line_twice, lines_swapped, line_ends_mixed,
    number_huge, encoding_swapped, packed, joined, keys_twice, nothing,
)  # fmt: skip


def harmed(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """The bytes after one to three mutations, and their names.

    A packed file is harmed inside as often as outside: outside, its own checksum finds everything.
    """
    inside = data[:2] == GZIP and chance.random() < 0.5
    body = gzip.decompress(data) if inside else data
    names = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        mutation = chance.choice(HARMS)
        body = mutation(body, chance)
        names.append(mutation.__name__)
    return (gzip.compress(body, 1) if inside else body), "+".join(names)


def redressed(data: bytes, kind: str, encodings: tuple[str, ...]) -> dict[str, bytes]:
    """The same content in other clothes, each of which has to give the same rows."""
    plain = gzip.decompress(data) if data[:2] == GZIP else data
    text = plain.removeprefix(BOM).decode("utf-8" if _is_utf8(plain) else "gb18030")
    code = encodings[0]

    def dress(body: str) -> bytes:
        return body.encode(code)

    blank = "\n\n" if kind == "csv" else "\n\n  \n"
    dresses = {
        "packed": gzip.compress(dress(text)),
        "blanks behind": dress(text + blank),
        "blanks before": dress("\n\n" + text),
        **{other: text.encode(other) for other in encodings[1:]},
    }
    if code == "utf-8":
        dresses["mark"] = BOM + dress(text)
    if kind in ("csv", "jsonl"):
        lines = text.splitlines()
        dresses["CRLF"] = dress("\r\n".join([*lines, ""]))
        dresses["CR"] = dress("\r".join([*lines, ""]))
        dresses["mixed"] = dress("".join(x + ("\n", "\r\n")[i % 2] for i, x in enumerate(lines)))
        dresses["no last end"] = dress("\n".join(lines))
    if kind in ("dat", "json"):
        value = json.loads(text, object_pairs_hook=_backwards)
        dresses["keys backwards"] = dress(json.dumps(value, ensure_ascii=False))
        dresses["indented"] = dress(json.dumps(json.loads(text), indent=3, ensure_ascii=False))
        dresses["escaped"] = dress(json.dumps(json.loads(text)))
    return dresses


def _backwards(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Sections keep their order: it says which record comes first.
    nested = any(isinstance(value, list | dict) for _, value in pairs)
    return dict(pairs if nested else reversed(pairs))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
