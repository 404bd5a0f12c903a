#!/usr/bin/env python3
"""Joins two network interfaces by a slow and lossy link, as `tc netem` does where the kernel has it.

scripts/slow_link.py NAME NAME DELAY_MS LOSS_PERCENT

Makes two TUN interfaces, which may be moved to other network namespaces. What is sent into one comes out of the other
after the delay, or never: a packet is lost with this probability. Prints "ready" when both exist. Ends at TERM, prints
what has passed, and the interfaces are gone. Needs root.
"""

import collections
import fcntl
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MOST_BYTES = 65536


def open_interface(name):
    interface = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(interface, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return interface


def packets_of(interface):
    while True:
        try:
            yield os.read(interface, MOST_BYTES)
        except BlockingIOError:
            return


def write_packet(interface, packet):
    """Loses the packet if the interface takes none now, or is not up yet."""
    try:
        os.write(interface, packet)
    except OSError:
        pass


def main():
    if len(sys.argv) != 5:
        sys.exit("slow_link.py: expected NAME NAME DELAY_MS LOSS_PERCENT")
    names, delay, loss = sys.argv[1:3], float(sys.argv[3]) / 1000, float(sys.argv[4]) / 100
    ends = [open_interface(name) for name in names]
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    # What a signal writes here ends the loop.
    wake_up, signalled = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(signalled)
    signal.signal(signal.SIGTERM, lambda *_: None)
    print("ready", flush=True)

    under_way = collections.deque()  # (when it arrives, where, packet), in the order of time.
    sent = sent_bytes = lost = 0
    while True:
        wait = max(under_way[0][0] - time.monotonic(), 0) if under_way else None
        readable, _, _ = select.select([*ends, wake_up], [], [], wait)
        if wake_up in readable:
            break
        now = time.monotonic()
        for end in readable:
            for packet in packets_of(end):
                sent += 1
                sent_bytes += len(packet)
                if random.random() < loss:
                    lost += 1
                else:
                    under_way.append((now + delay, other[end], packet))
        while under_way and under_way[0][0] <= now:
            _, end, packet = under_way.popleft()
            write_packet(end, packet)
    print(f"{sent} packets, {sent_bytes / 1e6:.2f} MB, {lost} lost", flush=True)


if __name__ == "__main__":
    main()
