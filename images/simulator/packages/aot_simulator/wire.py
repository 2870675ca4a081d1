"""Protocol buffers wire format, by hand: varints and length-delimited fields are all that HLO needs here."""


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative int64 as ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def chunk(field: int, value) -> bytes:
    data = value.encode() if isinstance(value, str) else bytes(value)
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field: int, values) -> bytes:
    return chunk(field, b"".join(varint(value) for value in values)) if values else b""


def read_varint(data: bytes, at: int) -> tuple:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def parse(data: bytes) -> dict:
    """``{field number: [int or bytes, ...]}``; a truncated or foreign message is a ``ValueError``."""
    fields: dict = {}
    at = 0
    try:
        while at < len(data):
            key, at = read_varint(data, at)
            kind = key & 7
            if kind == 0:
                value, at = read_varint(data, at)
            elif kind == 2:
                length, at = read_varint(data, at)
                value, at = data[at : at + length], at + length
                if len(value) != length:
                    raise ValueError("truncated field")
            elif kind in (1, 5):
                length = 8 if kind == 1 else 4
                value, at = data[at : at + length], at + length
            else:
                raise ValueError(f"wire type {kind}")
            fields.setdefault(key >> 3, []).append(value)
    except IndexError:
        raise ValueError("truncated message") from None
    return fields


def unpack(values: list) -> list:
    """Repeated integers, packed or not."""
    numbers = []
    for value in values:
        if isinstance(value, int):
            numbers.append(value)
            continue
        at = 0
        while at < len(value):
            item, at = read_varint(value, at)
            numbers.append(item)
    return numbers
