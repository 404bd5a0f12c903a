#!/usr/bin/env python3
"""Draws what scripts/bench_sweep.sh measured: scripts/plot_performance.py SWEEP.jsonl PICTURE.svg

Time of an MLP training step (above) and speed-up over the dense library (below), against width, batch and threads.
"""
import html
import json
import math
import sys

# The curves: (key of the time, key of the speed-up over the dense library, name, colour).
VARIANTS = [
    ("dense_library_ms", None, "best dense library", "#6b7280"),
    ("twofour_dense_ms", "twofour_dense_vs_dense_library", "twofour dense", "#2563eb"),
    ("twofour_sparse_ms", "speedup_vs_dense_library", "twofour 2:4 sparse", "#dc5a1c"),
]
# Columns of panels: (sweep, key of x, label of x, text for what stays the same).
SWEEPS = [
    ("width", "in", "width in features, hidden 4 × width (log scale)", "{tokens} tokens, {threads} {thread_word}"),
    ("tokens", "tokens", "batch in tokens (log scale)", "width {in}, {threads} {thread_word}"),
    ("threads", "threads", "threads (log scale)", "width {in}, {tokens} tokens"),
]
INK, QUIET, GRID, PAPER = "#1f2937", "#6b7280", "#e5e7eb", "#ffffff"
PANEL_WIDTH, PANEL_HEIGHT = 270, 190
LEFT, TOP, GAP_X, GAP_Y = 84, 104, 66, 50
LOWER = TOP + PANEL_HEIGHT + GAP_Y
WIDTH = LEFT + 3 * PANEL_WIDTH + 2 * GAP_X + 24
HEIGHT = LOWER + PANEL_HEIGHT + 62


def text(x, y, content, size=12, anchor="middle", colour=INK, extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" {extra}>'
            f"{html.escape(content)}</text>")


def line(x1, y1, x2, y2, colour, width=1.0, extra=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}" '
            f"{extra}/>")


class Axis:
    """Maps values to pixels between two ends; logarithmic or linear."""

    def __init__(self, low, high, start, end, log):
        self.log = log
        self.low, self.high = self.scaled(low), self.scaled(high)
        self.start, self.end = start, end

    def scaled(self, value):
        return math.log(value) if self.log else value

    def __call__(self, value):
        return self.start + (self.scaled(value) - self.low) / (self.high - self.low) * (self.end - self.start)


def x_axis(values, left):
    # Leaves room beside the outermost points, also if there is only one point.
    room = max((values[-1] / values[0]) ** 0.05, 1.15)
    return Axis(values[0] / room, values[-1] * room, left, left + PANEL_WIDTH, log=True)


def time_axis(rows, top):
    times = [row[key] for row in rows for key, _, _, _ in VARIANTS]
    first, last = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    marks = (1,) if last - first > 1 else (1, 2, 5)
    ticks = [mark * 10.0**power for power in range(first, last) for mark in marks] + [10.0**last]
    return Axis(ticks[0], ticks[-1], top + PANEL_HEIGHT, top, log=True), ticks


def speedup_axis(rows):
    """The same axis for all panels, so that they can be compared."""
    highest = max([row[key] for row in rows for _, key, _, _ in VARIANTS if key] + [1.0])
    step = next(step for step in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if highest / step <= 6)
    ticks = [i * step for i in range(math.ceil(highest * 1.02 / step) + 1)]
    return Axis(0, ticks[-1], LOWER + PANEL_HEIGHT, LOWER, log=False), ticks


def frame(left, top, x, x_ticks, y, y_ticks):
    parts = [line(left, y(tick), left + PANEL_WIDTH, y(tick), GRID) for tick in y_ticks]
    parts += [text(left - 8, y(tick) + 4, f"{tick:g}", 11, "end", QUIET) for tick in y_ticks]
    bottom, last_label = top + PANEL_HEIGHT, -math.inf
    for tick in x_ticks:
        parts.append(line(x(tick), bottom, x(tick), bottom + 4, QUIET))
        if x(tick) - last_label >= 26:  # Leaves out labels that would overlap.
            parts.append(text(x(tick), bottom + 17, f"{tick}", 11, colour=QUIET))
            last_label = x(tick)
    parts.append(line(left, bottom, left + PANEL_WIDTH, bottom, QUIET))
    return parts


def curve(points, colour):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}" stroke="{PAPER}" stroke-width="1"/>'
              for x, y in points]
    return parts


def column(index, rows, key, label, constant, speedup, speedup_ticks):
    left = LEFT + index * (PANEL_WIDTH + GAP_X)
    values = [row[key] for row in rows]
    x = x_axis(values, left)
    constants = dict(rows[0], thread_word="thread" if rows[0]["threads"] == 1 else "threads")
    parts = [text(left, TOP - 12, constant.format(**constants), 12, "start", QUIET)]

    time, ticks = time_axis(rows, TOP)
    parts += frame(left, TOP, x, values, time, ticks)
    for time_key, _, _, colour in VARIANTS:
        parts += curve([(x(row[key]), time(row[time_key])) for row in rows], colour)

    parts += frame(left, LOWER, x, values, speedup, speedup_ticks)
    parts.append(line(left, speedup(1), left + PANEL_WIDTH, speedup(1), VARIANTS[0][3], 1.5, 'stroke-dasharray="5 4"'))
    for _, speedup_key, _, colour in VARIANTS:
        if speedup_key:
            parts += curve([(x(row[key]), speedup(row[speedup_key])) for row in rows], colour)
    parts.append(text(left + PANEL_WIDTH / 2, LOWER + PANEL_HEIGHT + 40, label))
    return parts


def heading(rows):
    densities = sorted({round(100 * row["density"]) for row in rows})
    active = "–".join(str(density) for density in dict.fromkeys((densities[0], densities[-1])))
    subtitle = (f"forward, backward, mask search and packing, fp32, {rows[0]['isa']}, "
                f"{active} % of hidden units active")
    parts = [text(LEFT, 32, "One MLP training step", 18, "start", extra='font-weight="600"'),
             text(LEFT, 54, subtitle, 12, "start", QUIET)]
    x = WIDTH - 24
    for _, _, name, colour in reversed(VARIANTS):
        x -= 6.6 * len(name) + 46
        parts.append(line(x, 28, x + 22, 28, colour, 2))
        parts.append(f'<circle cx="{x + 11:.1f}" cy="28" r="3.2" fill="{colour}"/>')
        parts.append(text(x + 28, 32, name, 12, "start"))
    for row, label in enumerate(["time of a step, ms (log scale)", "speed-up over the dense library"]):
        y = TOP + row * (PANEL_HEIGHT + GAP_Y) + PANEL_HEIGHT / 2
        parts.append(text(0, 0, label, extra=f'transform="translate({LEFT - 60} {y:.1f}) rotate(-90)"'))
    return parts


def draw(rows):
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Helvetica, Arial, sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>', *heading(rows)]
    speedup, speedup_ticks = speedup_axis(rows)
    for index, (sweep, key, label, constant) in enumerate(SWEEPS):
        chosen = sorted((row for row in rows if row["sweep"] == sweep), key=lambda row: row[key])
        if chosen:
            parts += column(index, chosen, key, label, constant, speedup, speedup_ticks)
    return "\n".join([*parts, "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: scripts/plot_performance.py SWEEP.jsonl PICTURE.svg")
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            rows = [json.loads(text_line) for text_line in file if text_line.strip()]
        rows = [row for row in rows if row.get("bench") == "mlp_step" and "sweep" in row]
        if not rows:
            sys.exit(f"plot_performance.py: {sys.argv[1]}: no lines of scripts/bench_sweep.sh in it")
        picture = draw(rows)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"plot_performance.py: {sys.argv[1]}: {error!r}")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
