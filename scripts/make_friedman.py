#!/usr/bin/env python3
"""Writes configs/data/friedman.csv: ten uniform features, of which five matter, and a number to predict (Friedman,
"Multivariate Adaptive Regression Splines", 1991, example 1)."""
import math
import pathlib
import random

random.seed(24)
rows = []
for _ in range(1500):
    x = [round(random.random(), 4) for _ in range(10)]
    y = 10 * math.sin(math.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4] + random.gauss(0, 1)
    rows.append(",".join(f"{value:.4f}" for value in x) + f",{y:.3f}\n")
target = pathlib.Path(__file__).parent.parent / "configs" / "data" / "friedman.csv"
target.write_text(",".join(f"x{i}" for i in range(1, 11)) + ",y\n" + "".join(rows))
