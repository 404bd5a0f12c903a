#!/usr/bin/env python3
"""Writes configs/data/spirals.csv: three interleaved spirals in the plane with noise, and a column of class names."""
import math
import pathlib
import random

random.seed(24)
names = ["amber", "blue", "coral"]
rows = []
for i in range(600):
    arm = i % 3
    t = random.random()
    angle = 2.2 * math.pi * t + arm * 2 * math.pi / 3
    radius = 0.2 + t
    x = radius * math.cos(angle) + random.gauss(0, 0.03)
    y = radius * math.sin(angle) + random.gauss(0, 0.03)
    rows.append(f"{10 * x:.3f},{y:.4f},{names[arm]}\n")
target = pathlib.Path(__file__).parent.parent / "configs" / "data" / "spirals.csv"
target.write_text("x,y,color\n" + "".join(rows))
