#!/usr/bin/env python3
"""Takes figures out of a report as one SVG that stands alone, for docs/.

scripts/report_figures.py REPORT.html OUT.svg "Flip rate" ["Evaluation loss" ...]

Figures are named by their captions and stand side by side, each below its caption and legend.
"""
import html
import re
import sys

WIDTH, GAP, LINE, KEY = 480, 30, 20, 40
STYLE = """
text { font-family: system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; font-size: 13px; fill: #1b1f24; }
.title { font-weight: 600; font-size: 16px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.band { fill-opacity: .15; }
.grid { stroke: #e3e7eb; }
.axis { stroke: #57606a; }
.break { stroke: #57606a; stroke-dasharray: 2 3; }
.dot { fill-opacity: .6; stroke: #fff; }
.mean { stroke: #1b1f24; stroke-width: 2.5; }
"""


def figures(page):
    """Maps each caption to (legend entries, viewBox height, drawing)."""
    found = {}
    for figure in re.findall(r"<figure>.*?</figure>", page, flags=re.S):
        caption = re.search(r"<figcaption>(.*?)</figcaption>", figure, flags=re.S).group(1)
        legend = re.findall(r'<svg class="key"[^>]*>(.*?)</svg><span class="name">(.*?)</span>', figure, flags=re.S)
        size, drawing = re.search(r'<svg viewBox="0 0 480 (\d+)"[^>]*>(.*?)</svg>\s*(?:<p|</figure>)', figure,
                                  flags=re.S).groups()
        found[html.unescape(caption)] = (legend, int(size), drawing)
    return found


def draw(caption, legend, drawing):
    """One figure, and the height of what stands above its drawing."""
    parts = [f'<text class="title" x="0" y="16">{html.escape(caption)}</text>']
    x, y = 0, 2 * LINE
    for key, name in legend:
        width = KEY + 12 + 7.5 * len(html.unescape(name)) + 16
        if x + width > WIDTH and x > 0:
            x, y = 0, y + LINE
        parts.append(f'<g transform="translate({x} {y - 9})">{key}</g><text x="{x + KEY + 6}" y="{y}">{name}</text>')
        x += width
    top = y + LINE / 2 if legend else 1.5 * LINE
    parts.append(f'<g transform="translate(0 {top})">{drawing}</g>')
    return "\n".join(parts), top


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as page:
        found = figures(page.read())
    groups, height = [], 0
    for number, caption in enumerate(sys.argv[3:]):
        if caption not in found:
            sys.exit(f"{sys.argv[1]}: no figure '{caption}', expected one of: {'; '.join(found)}")
        legend, size, drawing = found[caption]
        group, top = draw(caption, legend, drawing)
        groups.append(f'<g transform="translate({number * (WIDTH + GAP)} 0)">{group}</g>')
        height = max(height, top + size)
    width = len(groups) * (WIDTH + GAP) - GAP
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -4 {width + 20} {height + 8:g}">\n'
                  f'<style>{STYLE}</style>\n<rect x="-10" y="-4" width="100%" height="100%" fill="#fff"/>\n'
                  + "\n".join(groups) + "\n</svg>\n")


if __name__ == "__main__":
    main()
