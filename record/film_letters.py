"""Words in the film, drawn with Pillow and the packaged Noto Sans CJK (OFL 1.1): PyAV's FFmpeg cannot draw text."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import manimgx_fonts_cjk
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]

# The colours of web/src/styles/tokens.css.
PAGE, SURFACE, SUNKEN, DEEP, LINE = (246, 243, 235), (255, 253, 248), (238, 233, 221), (226, 219, 203), (221, 213, 197)
INK_STRONG, INK, INK_SOFT = (23, 33, 47), (53, 64, 77), (90, 99, 111)
BLUE_950, BLUE_700, RED_700, BRASS = (20, 36, 58), (35, 66, 107), (140, 35, 37), (201, 169, 91)
ON_DARK, ON_DARK_SOFT = (255, 253, 248), (196, 207, 221)
DEFENDANT, OTHER = (102, 73, 43), (77, 85, 96)

_SIMPLIFIED = 2  # which face of the collection
_FILE = Path(manimgx_fonts_cjk.__file__).parent / "NotoSansCJK-VF.otf.ttc"
REGULAR, MEDIUM, BOLD = 400, 500, 700


@lru_cache(maxsize=32)
def font(size: int, weight: int = REGULAR) -> FreeTypeFont:
    """The face at a size in pixels."""
    face = ImageFont.truetype(str(_FILE), size, index=_SIMPLIFIED)
    face.set_variation_by_axes([weight])
    return face


def fitting(words: str, size: int, weight: int, width: int) -> tuple[str, FreeTypeFont]:
    """Words that fit: smaller down to three quarters of the size, then cut with …"""
    for smaller in range(size, size * 3 // 4 - 1, -1):
        face = font(smaller, weight)
        if face.getlength(words) <= width:
            return words, face
    while words and face.getlength(words + "…") > width:
        words = words[:-1]
    return words + "…", face


@lru_cache(maxsize=512)
def line(
    words: str, box: tuple[int, int], size: int, colour: Colour, ground: Colour, weight: int = REGULAR, align: str = "left"
) -> Image.Image:
    """One line of words in the vertical middle of a box (width, height) filled with `ground`."""
    image = Image.new("RGB", box, ground)
    if words:
        text, face = fitting(words, size, weight, box[0])
        x = {"left": 0, "centre": box[0] / 2, "right": box[0]}[align]
        anchor = {"left": "lm", "centre": "mm", "right": "rm"}[align]
        ImageDraw.Draw(image).text((x, box[1] / 2), text, fill=colour, font=face, anchor=anchor)
    return image


def mark(size: int, ground: Colour) -> Image.Image:
    """The product's own mark (scales in a ring), as web/src/assets/mark.svg draws it; not the emblem of the state."""
    scale = size * 4 / 48
    image = Image.new("RGB", (size * 4, size * 4), ground)
    draw = ImageDraw.Draw(image)

    def path(width: float, *points: tuple[float, float]) -> None:
        draw.line([(x * scale, y * scale) for x, y in points], fill=BRASS, width=round(width * scale), joint="curve")

    draw.ellipse([2 * scale, 2 * scale, 46 * scale, 46 * scale], outline=BRASS, width=round(1.6 * scale))
    path(2.2, (24, 10), (24, 36))
    path(2.2, (17, 37), (31, 37))
    path(2.2, *((x, 15.4 - 1.9 * math.cos((x - 24) / 12 * math.pi)) for x in range(12, 37)))
    for x in (12, 36):
        path(1.8, (x - 4.8, 27.5), (x, 17), (x + 4.8, 27.5))
        draw.chord(
            [(x - 4.8) * scale, 23.5 * scale, (x + 4.8) * scale, 31.5 * scale], 0, 180, outline=BRASS, width=round(1.8 * scale)
        )
    draw.ellipse([22.2 * scale, 7.7 * scale, 25.8 * scale, 11.3 * scale], fill=BRASS)
    return image.resize((size, size), Image.Resampling.LANCZOS)
