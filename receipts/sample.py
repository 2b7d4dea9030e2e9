"""Draws till receipts that look photographed, for demonstrations and tests: every shop and number is made up."""

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

VAT_PERCENT = 19
SHOPS = ("Corner Bakery", "Northside Market", "Green Basket", "Harbour Deli", "Paper & Ink", "Old Mill Grocery")
STREETS = ("Mill Lane", "Station Road", "High Street", "Harbour Walk", "Church Hill", "Orchard Way")
TOWNS = ("Ashford", "Brookvale", "Eastwick", "Linden", "Marlow", "Westbury")
GOODS = {
    "Rye bread": 340, "Croissant": 165, "Whole milk 1 l": 129, "Butter 250 g": 279, "Eggs, free range": 349,
    "Apples 1 kg": 249, "Bananas 1 kg": 179, "Tomatoes": 299, "Ground coffee": 599, "Green tea": 325,
    "Mineral water": 89, "Orange juice": 219, "Pasta 500 g": 149, "Olive oil": 899, "Dark chocolate": 199,
    "Copy paper A4": 549, "Ball pens, 4": 399, "Dish soap": 189, "Paper towels": 279, "Batteries AA": 499,
}  # fmt: skip

PAPER, INK, DARK = (247, 245, 238), (48, 46, 54), (18, 15, 14)
TABLES = ((92, 66, 48), (74, 76, 80), (58, 70, 66), (104, 84, 66))
COLUMNS = 25  # the paper's width, in font sizes
MARGIN = 1.4
LEADING = 1.38  # from one line to the next, in font sizes


@dataclass(frozen=True)
class Item:
    """One kind of goods: how many, and the price of one in cents."""

    name: str
    count: int
    price: int

    @property
    def total(self) -> int:
        """Cents for all of them."""
        return self.count * self.price


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a sample receipt says."""

    number: int
    shop: str
    street: str
    town: str
    vat_number: str
    bought_on: date
    time: str
    items: tuple[Item, ...]
    card: str

    @property
    def total(self) -> int:
        """Cents to pay, VAT included."""
        return sum(item.total for item in self.items)

    @property
    def vat(self) -> int:
        """Cents of VAT within the total."""
        return round(self.total * VAT_PERCENT / (100 + VAT_PERCENT))


def make_sample(number: int) -> Sample:
    """Make up what the receipt of this number says: the same for the same number."""
    draw = _chance(number)
    names = draw.sample(sorted(GOODS), draw.randint(4, 8))
    return Sample(
        number=number,
        shop=draw.choice(SHOPS),
        street=f"{draw.randint(1, 99)} {draw.choice(STREETS)}",
        town=f"{draw.randint(10000, 99999)} {draw.choice(TOWNS)}",
        vat_number=f"XX{draw.randint(10**8, 10**9 - 1)}",
        bought_on=date(2025, 1, 1) + timedelta(days=draw.randrange(365)),
        time=f"{draw.randint(8, 19):02}:{draw.randrange(60):02}",
        items=tuple(Item(name, draw.choice((1, 1, 1, 2, 3)), GOODS[name]) for name in names),
        card=f"{draw.randrange(10000):04}",
    )


def draw_receipt(number: int = 1, *, form: str = "JPEG", size: tuple[int, int] = (900, 1400)) -> bytes:
    """Draw the receipt of this number as if somebody had photographed it on a table.

    Args:
        number: which receipt; the same number gives the same bytes, another one others.
        form: `JPEG` or `PNG`.
        size: the picture's width and height in pixels.

    Returns:
        The image file's bytes.
    """
    chance = _chance(number)
    photo = _table(size, chance)
    _lay(photo, _print(make_sample(number), size), chance)
    photo = _expose(photo, chance)
    file = io.BytesIO()
    photo.save(file, form, quality=82, compress_level=1)
    return file.getvalue()


def _chance(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - pictures, not secrets


# -- the paper --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A printed line: text on the left and on the right, or in the middle; size in font sizes."""

    left: str = ""
    right: str = ""
    middle: str = ""
    size: float = 1.0


RULE = _Line(middle="- " * 45)


def _lines(sample: Sample) -> Iterator[_Line]:
    yield _Line(middle=sample.shop.upper(), size=1.9)
    yield _Line(middle=sample.street)
    yield _Line(middle=sample.town)
    yield _Line(middle=f"VAT No. {sample.vat_number}")
    yield RULE
    yield _Line(f"Receipt {sample.number:06}", f"{sample.bought_on:%d.%m.%Y}  {sample.time}")
    yield RULE
    for item in sample.items:
        yield _Line(item.name, _money(item.total))
        if item.count > 1:
            yield _Line(f"    {item.count} x {_money(item.price)}", size=0.85)
    yield RULE
    yield _Line("TOTAL EUR", _money(sample.total), size=1.5)
    yield _Line("Net", _money(sample.total - sample.vat))
    yield _Line(f"VAT {VAT_PERCENT} %", _money(sample.vat))
    yield RULE
    yield _Line(f"Card  **** **** **** {sample.card}", _money(sample.total))
    yield _Line(middle="Thank you for your visit!")


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _print(sample: Sample, size: tuple[int, int]) -> Image.Image:
    """Return the paper's ink: 255 where there is some, 0 where the paper is bare."""
    lines = list(_lines(sample))
    rows = sum(line.size for line in lines) * LEADING + 2 * MARGIN + 4
    unit = min(size[0] * 0.78 / COLUMNS, size[1] * 0.92 / rows)
    ink = Image.new("L", (round(COLUMNS * unit), round(rows * unit)))
    pen, y = ImageDraw.Draw(ink), MARGIN * unit
    for line in lines:
        _print_line(pen, line, y, unit)
        y += line.size * LEADING * unit
    _print_barcode(pen, sample, y + 0.6 * unit, unit)
    return ink


def _print_line(pen: ImageDraw.ImageDraw, line: _Line, y: float, unit: float) -> None:
    places = ((line.left, MARGIN, "la"), (line.middle, COLUMNS / 2, "ma"), (line.right, COLUMNS - MARGIN, "ra"))
    for text, column, anchor in places:
        if text:
            pen.text((column * unit, y), text, fill=255, font=_font(line.size * unit), anchor=anchor)


def _print_barcode(pen: ImageDraw.ImageDraw, sample: Sample, y: float, unit: float) -> None:
    chance, x = _chance(sample.number), 5.0
    while x < COLUMNS - 5:
        bar = chance.choice((0.12, 0.12, 0.24, 0.36))
        pen.rectangle((x * unit, y, (x + bar) * unit, y + 3 * unit), fill=255)
        x += bar + chance.choice((0.16, 0.16, 0.3))


@lru_cache(maxsize=32)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(1.0, size))


# -- the photograph ---------------------------------------------------------------------------------------------------


def _table(size: tuple[int, int], chance: random.Random) -> Image.Image:
    """Return a dark table top with a grain along it."""
    columns = max(1, size[0] // 3)
    grain = Image.frombytes("L", (columns, 4), chance.randbytes(columns * 4)).resize(size, Image.Resampling.BICUBIC)
    table = Image.new("RGB", size, chance.choice(TABLES))
    table.paste(DARK, mask=grain.point(lambda value: value // 5))
    return table


def _lay(photo: Image.Image, ink: Image.Image, chance: random.Random) -> None:
    """Lay the printed paper on the table: not quite straight, a little curled, and with its shadow."""
    angle = chance.choice((-1, 1)) * chance.uniform(0.8, 2.6)
    sheet = Image.new("L", ink.size, 255)
    paper, ink = (layer.rotate(angle, Image.Resampling.BILINEAR, expand=True) for layer in (sheet, ink))
    left, top = (photo.width - paper.width) // 2, (photo.height - paper.height) // 2
    away = max(1, photo.width // 75)
    photo.paste(DARK, (left - 2 * away, top - 2 * away), _shadow(paper, 3 * away))
    photo.paste(PAPER, (left, top), paper)
    photo.paste(INK, (left, top), ink)
    photo.paste(DARK, (left, top), _curl(paper, chance))


def _curl(paper: Image.Image, chance: random.Random) -> Image.Image:
    """Return the shade of paper that came from a roll: darker and lighter along its length."""
    waves = Image.frombytes("L", (2, 7), chance.randbytes(14)).point(lambda value: value // 7)
    return ImageChops.multiply(paper, waves.resize(paper.size, Image.Resampling.BICUBIC))


def _shadow(paper: Image.Image, margin: int) -> Image.Image:
    shadow = Image.new("L", (paper.width + 2 * margin, paper.height + 2 * margin))
    shadow.paste(170, (margin, margin), paper)
    small = shadow.reduce(8)  # soft anyway, and 64 times as fast
    return small.filter(ImageFilter.GaussianBlur(margin / 24)).resize(shadow.size, Image.Resampling.BICUBIC)


def _expose(photo: Image.Image, chance: random.Random) -> Image.Image:
    """Add what a camera adds: light that comes from one side, and noise."""
    light = Image.linear_gradient("L").rotate(chance.uniform(0, 360), Image.Resampling.BILINEAR)
    light = light.crop((38, 38, 218, 218)).resize(photo.size, Image.Resampling.BILINEAR)  # without the turned corners
    photo.paste(DARK, mask=light.point(lambda value: value // 4))
    noise = Image.frombytes("L", photo.size, chance.randbytes(photo.width * photo.height))
    return Image.blend(photo, noise.convert("RGB"), 0.05)
