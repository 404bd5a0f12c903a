#!/usr/bin/env python3
"""Joins two network namespaces by a link that is slow and loses frames, until it is ended.

scripts/slow_link.py NAMESPACE NAMESPACE [MILLISECONDS] [SHARE]

Each gets an Ethernet device `link`. A frame takes MILLISECONDS (5) from one to the other, and the SHARE (0.01) of them
is lost. Does what `tc qdisc add ... netem delay 5ms loss 1%` on both ends of a veth pair does, also where the kernel
was built without netem. Needs root.
"""

import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
LONGEST_FRAME = 1 << 16


def make_device(namespace):
    """A device in the namespace; what is read from the descriptor are the frames that it sends."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", b"link%d", IFF_TAP | IFF_NO_PI)
    name = fcntl.ioctl(device, TUNSETIFF, request)[:16].rstrip(b"\0").decode()
    subprocess.run(["ip", "link", "set", name, "netns", namespace, "name", "link"], check=True)
    return device


def frames_of(device):
    while True:
        try:
            yield os.read(device, LONGEST_FRAME)
        except BlockingIOError:
            return


def deliver(device, frame):
    try:
        os.write(device, frame)
    except OSError:  # The device is down, or its queue is full.
        pass


def relay(devices, delay, share):
    chance = random.Random(1)
    under_way = collections.deque()  # (When it arrives, where, the frame), in the order of time.
    while True:
        timeout = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        for device in select.select(devices, [], [], timeout)[0]:
            other = devices[1 - devices.index(device)]
            for frame in frames_of(device):
                if chance.random() >= share:
                    under_way.append((time.monotonic() + delay, other, frame))
        while under_way and under_way[0][0] <= time.monotonic():
            deliver(*under_way.popleft()[1:])


def main():
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__.strip())
    milliseconds, share = (float(text) for text in (sys.argv[3:] + ["5", "0.01"][len(sys.argv) - 3 :]))
    relay([make_device(namespace) for namespace in sys.argv[1:3]], milliseconds * 1e-3, share)


if __name__ == "__main__":
    main()
