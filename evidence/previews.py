"""Open exhibits for real and draw their pages, in a child process: hostile files may crash or hang it, never the server.

Run as a script by file path (it imports nothing of ours): previews.py examine|draw PATH OPTIONS-AS-JSON [OUT]. It prints one
JSON object; {"refused": code, "reason": text} is a finding about the file, anything else that fails is damage too.
The original is only ever read.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

IMAGE_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost: more is refused, so that a small file cannot unpack into a flood (decompression bomb)."""

    max_pages: int = 500
    max_pixels: int = 80_000_000
    page_width_px: int = 1600
    page_max_pixels: int = 6_000_000
    memory_bytes: int = 1536 * 1024 * 1024
    seconds: int = 30


@dataclass(frozen=True, slots=True)
class Opened:
    """What examining found: the type by content and the number of pages (1 for a picture)."""

    media_type: str
    pages: int


class Refused(Exception):
    """The file cannot be taken. `code` is exhibit_type_refused or exhibit_damaged; `reason` is Chinese."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def examine(path: Path, limits: Limits) -> Opened:
    """Type by content and page count; raises Refused."""
    found = await _in_child("examine", path, limits, {})
    return Opened(str(found["media_type"]), int(found["pages"]))


async def draw_page(path: Path, media_type: str, page: int, limits: Limits, out: Path) -> None:
    """Draw page `page` (from 1) of an examined file as PNG into `out`; raises Refused."""
    await _in_child("draw", path, limits, {"media_type": media_type, "page": page}, out)


async def _in_child(
    action: str, path: Path, limits: Limits, options: dict[str, Any], out: Path | None = None
) -> dict[str, Any]:
    # -I: this folder's model.py and store.py do not shadow a library's. No environment: it may hold the database's password.
    arguments = ["-I", __file__, action, str(path), json.dumps({**asdict(limits), **options}), *([str(out)] if out else [])]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        output, _ = await asyncio.wait_for(child.communicate(), limits.seconds)
    except TimeoutError:
        raise Refused("exhibit_damaged", "文件打开超时，可能已损坏") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError:
        raise Refused("exhibit_damaged", "文件已损坏，无法打开") from None
    if "refused" in found:
        raise Refused(found["refused"], found["reason"])
    return found


# --- inside the child process -------------------------------------------------------------------


def media_type_of(path: Path) -> str:
    """Type by the file's first bytes; raises Refused for everything but PDF, PNG, JPEG and WebP."""
    import puremagic  # noqa: PLC0415  only the child parses uploads

    try:
        matches = puremagic.magic_string(path.read_bytes()[:4096])
    except (puremagic.PureError, ValueError):
        matches = []
    accepted = {"application/pdf", *IMAGE_FORMATS}
    named: str | None = next((m.mime_type for m in matches if m.mime_type in accepted), None)
    if named is None:
        raise Refused("exhibit_type_refused", "只接受 PDF、PNG、JPEG、WebP 文件")
    return named


def open_pdf(path: Path, limits: dict[str, Any]) -> Any:
    """An opened PDF (pypdfium2); raises Refused when it needs a password, is damaged or has too many pages."""
    import pypdfium2  # noqa: PLC0415  only the child parses uploads

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        reason = "PDF 设有密码，请去除密码后再提交" if locked else "PDF 已损坏，无法打开"
        raise Refused("exhibit_damaged", reason) from None
    if not 1 <= len(document) <= limits["max_pages"]:
        raise Refused("exhibit_damaged", f"PDF 页数须在 1 至 {limits['max_pages']} 之间")
    return document


def pdf_page(path: Path, page: int, limits: dict[str, Any]) -> Any:
    """One page of a PDF as a picture on white."""
    import pypdfium2  # noqa: PLC0415  only the child parses uploads

    try:
        sheet = open_pdf(path, limits)[page - 1]
        width, height = sheet.get_size()
        scale = min(limits["page_width_px"] / width, (limits["page_max_pixels"] / (width * height)) ** 0.5)
        return sheet.render(scale=scale).to_pil().convert("RGB")
    except (pypdfium2.PdfiumError, ZeroDivisionError):
        raise Refused("exhibit_damaged", f"PDF 第 {page} 页已损坏，无法显示") from None


def open_image(path: Path, media_type: str, limits: dict[str, Any]) -> Any:
    """A fully decoded picture (Pillow); raises Refused when damaged, moving or too large."""
    from PIL import Image  # noqa: PLC0415  only the child parses uploads

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = limits["max_pixels"]
    try:
        image = Image.open(path, formats=[IMAGE_FORMATS[media_type]])  # reads the header only
        moving, too_large = getattr(image, "n_frames", 1) > 1, image.width * image.height > limits["max_pixels"]
        if not (moving or too_large):
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refused("exhibit_damaged", "图片像素过大，请缩小后再提交") from None
    except (OSError, ValueError, SyntaxError, MemoryError):
        raise Refused("exhibit_damaged", "图片已损坏，无法打开") from None
    if moving:
        raise Refused("exhibit_type_refused", "不接受动态图片")
    if too_large:
        raise Refused("exhibit_damaged", "图片像素过大，请缩小后再提交")
    return image


def picture(path: Path, media_type: str, limits: dict[str, Any]) -> Any:
    """A picture exhibit as shown: upright (EXIF orientation), on white, at most twice the page width."""
    from PIL import Image, ImageOps  # noqa: PLC0415  only the child parses uploads

    upright = ImageOps.exif_transpose(open_image(path, media_type, limits)).convert("RGBA")
    upright.thumbnail((2 * limits["page_width_px"], 4 * limits["page_width_px"]))
    sheet = Image.new("RGB", upright.size, "white")
    sheet.paste(upright, mask=upright.getchannel("A"))
    return sheet


def main(arguments: list[str]) -> dict[str, Any]:
    """The child's work under its memory limit; returns what is printed."""
    action, path, limits = arguments[0], Path(arguments[1]), json.loads(arguments[2])
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"], limits["memory_bytes"]))
    try:
        if action == "examine":
            media_type = media_type_of(path)
            if media_type != "application/pdf":
                open_image(path, media_type, limits)
                return {"media_type": media_type, "pages": 1}
            pdf_page(path, 1, limits)
            return {"media_type": media_type, "pages": len(open_pdf(path, limits))}
        is_pdf = limits["media_type"] == "application/pdf"
        drawn = pdf_page(path, limits["page"], limits) if is_pdf else picture(path, limits["media_type"], limits)
        drawn.save(arguments[3], format="PNG")
    except Refused as refused:
        return {"refused": refused.code, "reason": refused.reason}
    return {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1:])))
