"""Exhibits taken in for real: types by content, limits, duplicates, numbers, damage, pages, and a kill in the middle."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from evidence import store
from evidence.model import Exhibit
from hearing.errors import CourtError, UnknownId
from hearing.model import Participant
from tests.integration.record_case import HEARING, PEOPLE, Case, chunks, open_case, pdf

ROOT = Path(__file__).resolve().parents[2]
JUDGE, CLERK, PLAINTIFF, DEFENDANT, AGENT, WITNESS = PEOPLE


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with open_case(tmp_path) as opened:
        yield opened


def image(kind: str, size: tuple[int, int] = (60, 40), colour: str = "navy") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def locked_pdf() -> bytes:
    """A PDF that needs a password: an encryption dictionary whose user key no empty password fits."""
    head = b"%PDF-1.4\n"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">>>",
    ]  # fmt: skip
    body, offsets = head, []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj" % number + content + b"endobj\n"
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<%s><%s>]>>" % (b"33" * 16, b"33" * 16)
    return body + table + trailer + b"startxref\n%d\n%%%%EOF" % len(body)


def bomb_png(width: int, height: int) -> bytes:
    """A small PNG that says that it unpacks into width × height pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\x00\x00\x00"
    rows = zlib.compress(bytes(10_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def submit(case: Case, data: bytes, who: Participant = PLAINTIFF, title: str = "借条") -> Exhibit:
    return await case.registry.submit(HEARING, who, "扫描.bin", title, "证明借贷关系", chunks(data))


async def refused(case: Case, data: bytes, who: Participant = PLAINTIFF) -> str:
    """The code of the refusal; nothing may be visible or left in the upload folder."""
    before = await case.registry.list(HEARING)
    with pytest.raises(CourtError) as caught:
        await submit(case, data, who)
    assert await case.registry.list(HEARING) == before
    assert list((case.folder / "uploads").rglob("*")) == [] if (case.folder / "uploads").exists() else True
    assert caught.value.message.endswith("。")
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "media_type", "pages"),
    [
        (pdf(3), "application/pdf", 3),
        (image("PNG"), "image/png", 1),
        (image("JPEG"), "image/jpeg", 1),
        (image("WEBP"), "image/webp", 1),
    ],
)
async def test_the_type_is_told_by_content(case: Case, data: bytes, media_type: str, pages: int) -> None:
    exhibit = await submit(case, data)
    assert (exhibit.media_type, exhibit.pages, exhibit.bytes, exhibit.number) == (media_type, pages, len(data), "原告证据1")
    assert exhibit.sha256 == hashlib.sha256(data).hexdigest()
    found, original = await case.registry.original(exhibit.id)
    assert (found, b"".join([chunk async for chunk in original])) == (exhibit, data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "exhibit_empty"),
        (b"MZ\x90\x00" + bytes(500), "exhibit_type_refused"),
        (b"PK\x03\x04" + bytes(500), "exhibit_type_refused"),
        (b"<html><script>alert(1)</script></html>", "exhibit_type_refused"),
        (image("GIF"), "exhibit_type_refused"),
        (pdf()[:700], "exhibit_damaged"),
        (b"%PDF-1.7\n" + bytes(400), "exhibit_damaged"),
        (locked_pdf(), "exhibit_damaged"),
        (image("PNG", (400, 300))[:200], "exhibit_damaged"),
        (image("JPEG", (400, 300))[:400], "exhibit_damaged"),
        (bomb_png(60_000, 60_000), "exhibit_damaged"),
        (bytes(2_000_001), "exhibit_too_large"),
    ],
    ids=["empty", "exe", "zip", "html", "gif", "pdf-cut", "pdf-noise", "pdf-locked", "png-cut", "jpeg-cut", "bomb", "large"],
)
async def test_what_is_refused_says_why_and_leaves_nothing(case: Case, data: bytes, code: str) -> None:
    assert await refused(case, data) == code


async def test_a_locked_pdf_is_told_from_a_damaged_one(case: Case) -> None:
    with pytest.raises(CourtError, match="密码"):
        await submit(case, locked_pdf())


async def test_the_same_file_twice_in_a_hearing_is_a_duplicate(case: Case) -> None:
    await submit(case, image("PNG"))
    assert await refused(case, image("PNG"), DEFENDANT) == "exhibit_duplicate"


async def test_numbers_run_per_side_and_an_agent_counts_for_the_party(case: Case) -> None:
    colours = ["red", "green", "blue", "gray", "gold"]
    whose = [PLAINTIFF, DEFENDANT, AGENT, CLERK, PLAINTIFF]
    numbers = [(await submit(case, image("PNG", colour=c), who)).number for c, who in zip(colours, whose, strict=True)]
    assert numbers == ["原告证据1", "被告证据1", "原告证据2", "法院证据1", "原告证据3"]
    assert [e.number for e in await case.registry.list(HEARING)] == [
        "原告证据1",
        "原告证据2",
        "原告证据3",
        "被告证据1",
        "法院证据1",
    ]


async def test_who_has_no_side_submits_nothing(case: Case) -> None:
    assert await refused(case, image("PNG"), WITNESS) == "not_permitted"


async def test_the_title_is_needed_and_bounded(case: Case) -> None:
    for title in (" \n", "长" * 101):
        with pytest.raises(CourtError) as caught:
            await submit(case, image("PNG"), title=title)
        assert (caught.value.code, caught.value.field) == ("invalid_field", "title")


async def test_pages_are_drawn_once_as_png(case: Case) -> None:
    exhibit = await submit(case, pdf(2))
    first, second = [await case.registry.page_picture(exhibit.id, page) for page in (1, 2)]
    with Image.open(io.BytesIO(first)) as drawn:
        assert drawn.format == "PNG"
        assert drawn.getpixel((5, 5)) != Image.open(io.BytesIO(second)).getpixel((5, 5))
    assert await case.registry.page_picture(exhibit.id, 1) == first
    for page in (0, 3):
        with pytest.raises(UnknownId):
            await case.registry.page_picture(exhibit.id, page)


async def test_a_kill_between_file_and_row_leaves_nothing_visible(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What a kill looks like from inside."""

    put = case.objects.put

    async def put_and_die(key: str, data: AsyncIterator[bytes] | bytes) -> None:
        await put(key, data)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(case.objects, "put", put_and_die)
        with pytest.raises(Killed):
            await submit(case, image("PNG"))
    assert await case.registry.list(HEARING) == []
    assert (await submit(case, image("PNG"))).number == "原告证据1"


async def test_two_uploads_at_once_get_two_numbers(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await submit(case, image("PNG"))
    right, answers = store.next_ordinal, iter([first.ordinal])

    async def late(connection: object, hearing_id: str, side: object) -> int:
        return next(answers, None) or await right(connection, hearing_id, side)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "next_ordinal", late)
    assert (await submit(case, image("JPEG"))).number == "原告证据2"


@pytest.mark.parametrize(("name", "media_type"), [("iou.pdf", "application/pdf"), ("transfer.png", "image/png")])
async def test_the_demo_exhibits_are_taken_and_drawn(case: Case, name: str, media_type: str) -> None:
    exhibit = await submit(case, (ROOT / "rehearsals" / "exhibits" / name).read_bytes())
    assert (exhibit.media_type, exhibit.pages) == (media_type, 1)
    with Image.open(io.BytesIO(await case.registry.page_picture(exhibit.id, 1))) as drawn:
        assert len(drawn.convert("RGB").getcolors(1 << 24) or []) > 20


def test_the_demo_iou_carries_its_fonts_and_its_label() -> None:
    document = pypdfium2.PdfDocument(ROOT / "rehearsals" / "exhibits" / "iou.pdf")
    text = document[0].get_textpage().get_text_range()
    document.close()
    assert "演示用虚构材料" in text
    assert "壹拾贰万元整" in text
