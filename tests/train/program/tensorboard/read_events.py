#!/usr/bin/env python3
"""Reads a TensorBoard event file and prints each event as a line of JSON. Standard library only, and nothing shared with
the writer: framing, CRC-32C and protobuf's wire format are decoded here from their descriptions, strictly. Whatever is
not as described ends with exit code 1 and a message that names the record.

Usage: read_events.py FILE
"""
import json
import struct
import sys

# Field number: (name, kind), as in tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto.
SESSION_LOG = {1: ("status", "int")}
HISTOGRAM = {1: ("min", "double"), 2: ("max", "double"), 3: ("num", "double"), 4: ("sum", "double"),
             5: ("sum_squares", "double"), 6: ("bucket_limit", "doubles"), 7: ("bucket", "doubles")}
VALUE = {1: ("tag", "string"), 2: ("simple_value", "float"), 5: ("histo", HISTOGRAM)}
SUMMARY = {1: ("value", [VALUE])}
EVENT = {1: ("wall_time", "double"), 2: ("step", "int"), 3: ("file_version", "string"), 5: ("summary", SUMMARY),
         7: ("session_log", SESSION_LOG)}
WIRE_TYPES = {"int": 0, "double": 1, "float": 5}  # All others: 2, bytes after their length.


class Malformed(Exception):
    pass


def crc32c(data):
    """The remainder by the Castagnoli polynomial, bit by bit, lowest first."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            low = remainder & 1
            remainder >>= 1
            if low:
                remainder ^= 0x82F63B78
    return remainder ^ 0xFFFFFFFF


def masked_crc32c(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


class Bytes:
    """Reads from the front of some bytes."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def left(self):
        return len(self.data) - self.position

    def take(self, count, what):
        if self.left() < count:
            raise Malformed(f"ends within {what}")
        self.position += count
        return self.data[self.position - count:self.position]

    def varint(self, what):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1, what)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Malformed(f"a number without end in {what}")


def decode_value(source, name, kind):
    if kind == "int":
        value = source.varint(name)
        return value - (1 << 64) if value >= 1 << 63 else value
    if kind == "double":
        return struct.unpack("<d", source.take(8, name))[0]
    if kind == "float":
        return struct.unpack("<f", source.take(4, name))[0]
    payload = source.take(source.varint(name), name)
    if kind == "string":
        return payload.decode("utf-8")
    if kind == "doubles":
        if len(payload) % 8 != 0:
            raise Malformed(f"{name}: {len(payload)} bytes of doubles")
        return list(struct.unpack(f"<{len(payload) // 8}d", payload))
    return decode_message(payload, kind[0] if isinstance(kind, list) else kind)


def decode_message(data, fields):
    """Fields by name. Those that proto3 leaves out because they are 0 are left out here, too."""
    message = {}
    source = Bytes(data)
    while source.left():
        key = source.varint("a field's key")
        if key >> 3 not in fields:
            raise Malformed(f"unknown field {key >> 3}")
        name, kind = fields[key >> 3]
        expected = WIRE_TYPES.get(kind, 2) if isinstance(kind, str) else 2
        if key & 7 != expected:
            raise Malformed(f"{name}: wire type {key & 7}, expected {expected}")
        value = decode_value(source, name, kind)
        if isinstance(kind, list):
            message.setdefault(name, []).append(value)
        elif name in message:
            raise Malformed(f"{name}: twice")
        else:
            message[name] = value
    return message


def records(data):
    source = Bytes(data)
    while source.left():
        length_bytes = source.take(8, "a record's length")
        if struct.unpack("<I", source.take(4, "the CRC of a length"))[0] != masked_crc32c(length_bytes):
            raise Malformed("wrong CRC of the length")
        record = source.take(struct.unpack("<Q", length_bytes)[0], "a record")
        if struct.unpack("<I", source.take(4, "a record's CRC"))[0] != masked_crc32c(record):
            raise Malformed("wrong CRC of the record")
        yield record


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    count = 0
    try:
        for record in records(data):
            print(json.dumps(decode_message(record, EVENT)))
            count += 1
    except (Malformed, UnicodeDecodeError) as error:
        sys.exit(f"{sys.argv[1]}: record {count}: {error}")


if __name__ == "__main__":
    main()
