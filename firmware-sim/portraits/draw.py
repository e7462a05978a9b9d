"""Draws the invented faces of the simulated cards. Needs Pillow and NumPy; see README.md beside it."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT, SCALE = 300, 400, 3

FACES = {
    "face-a": dict(skin=(224, 178, 142), hair=(34, 26, 24), coat=(44, 62, 92), style="short", age=0, seed=1),
    "face-b": dict(skin=(236, 192, 160), hair=(48, 32, 26), coat=(120, 48, 66), style="long", age=0, seed=2),
    "face-c": dict(skin=(206, 164, 134), hair=(170, 168, 164), coat=(70, 78, 66), style="short", age=1, seed=3),
}


def shade(colour, by):
    return tuple(max(0, min(255, round(part * by))) for part in colour)


def draw(skin, hair, coat, style, age, seed):
    s = SCALE
    picture = Image.new("RGB", (WIDTH * s, HEIGHT * s), (202, 214, 226))
    pen = ImageDraw.Draw(picture)

    def oval(x, y, rx, ry, fill):
        pen.ellipse([(x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s], fill=fill)

    def arc(x, y, rx, ry, start, end, fill, width):
        pen.arc([(x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s], start, end, fill=fill, width=width * s)

    if style == "long":
        oval(150, 190, 100, 130, hair)
        pen.rectangle([55 * s, 190 * s, 245 * s, 340 * s], fill=hair)
    oval(150, 420, 135, 90, coat)
    pen.polygon([(x * s, y * s) for x, y in [(115, 336), (150, 388), (185, 336)]], fill=(240, 240, 236))
    pen.rectangle([122 * s, 270 * s, 178 * s, 342 * s], fill=shade(skin, 0.86))
    oval(150, 342, 28, 14, shade(skin, 0.86))
    for ear in (72, 228):
        oval(ear, 200, 13, 24, shade(skin, 0.9))
    oval(150, 158, 84, 92, hair)
    oval(150, 205, 74, 96, skin)
    pen.polygon([(x * s, y * s) for x, y in [(80, 150), (96, 112), (150, 98), (206, 112), (221, 150),
                                             (196, 134), (130, 140), (100, 136)]], fill=hair)
    for eye in (118, 182):
        oval(eye, 195, 16, 8, (250, 250, 248))
        oval(eye, 195, 8, 8, (70, 46, 34))
        oval(eye, 195, 4, 4, (12, 10, 10))
        oval(eye + 3, 192, 2, 2, (255, 255, 255))
        arc(eye, 200, 19, 14, 200, 340, shade(skin, 0.5), 2)
        arc(eye, 186, 22, 16, 205, 335, hair, 4)
        if age:
            arc(eye, 200, 18, 14, 40, 140, shade(skin, 0.78), 1)
    pen.line([(150 * s, 200 * s), (143 * s, 236 * s)], fill=shade(skin, 0.86), width=2 * s)
    arc(150, 234, 13, 9, 20, 160, shade(skin, 0.7), 3)
    oval(150, 262, 25, 7, (186, 96, 92))
    pen.line([(126 * s, 262 * s), (174 * s, 262 * s)], fill=(120, 54, 54), width=s)
    if age:
        for y in (132, 142, 152):
            arc(150, y + 40, 50, 40, 235, 305, shade(skin, 0.84), 1)
        for side, start in ((112, 280), (188, 190)):
            arc(side, 250, 22, 34, start, start + 70, shade(skin, 0.8), 2)

    picture = picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))
    pixels = np.asarray(picture).astype(float)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    light = 1.08 - 0.16 * (x / WIDTH) - 0.08 * ((y - HEIGHT / 2) / HEIGHT) ** 2
    grain = np.random.default_rng(seed).normal(0, 7, (HEIGHT, WIDTH))
    grain = np.asarray(Image.fromarray((grain + 128).clip(0, 255).astype("uint8")).filter(ImageFilter.GaussianBlur(0.7)))
    pixels = pixels * light[..., None] + (grain.astype(float)[..., None] - 128) * 1.4
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def main(folder):
    for name, face in FACES.items():
        draw(**face).save(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
