"""Every kind of picture file that a data set may hold, whole and broken."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stylekit.pixels import Rejection, crop_to_square, decode


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(height=32, width=32):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def bomb(width=30_000, height=30_000):
    """A PNG of a few bytes that says it is huge."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def test_rgb_comes_back_unchanged():
    pixels = noise()
    assert np.array_equal(decode(encoded(Image.fromarray(pixels)), "x"), pixels)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("LA", (40, 255), (40, 40, 40)),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 100, (100, 100, 100)),
    ],
)
def test_modes_become_rgb_over_white(mode, colour, expected):
    pixels = decode(encoded(Image.new(mode, (16, 16), colour)), "x")
    assert pixels.shape == (16, 16, 3)
    assert tuple(pixels[3, 5]) == expected


def test_palette_with_transparency_is_over_white():
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((2, 1), 1)
    pixels = decode(encoded(image, transparency=0), "x")
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 2]) == (40, 50, 60)


def test_cmyk_jpeg_becomes_rgb():
    pixels = decode(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95), "x")
    red, green, blue = pixels[8, 8].astype(int)
    assert red > 230
    assert green < 40
    assert blue < 40


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(image, "JPEG", exif=exif), "x").shape == (20, 10, 3)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    pixels = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "x")
    assert tuple(pixels[0, 0]) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html>not found</html>", "not an image of a known format"),
        (encoded(Image.fromarray(noise()))[:900], "truncated image"),
        (encoded(Image.fromarray(noise()), "JPEG")[:400], "truncated image"),
        (bomb(), "decompression bomb"),
        (bomb(9000, 9000), "decompression bomb"),
        (encoded(Image.new("RGB", (100, 2))), "smaller than 8 pixels"),
        (b"DDS " + struct.pack("<4I", 124, 0x1007, 16, 16) + bytes(108), "damaged image"),  # no pixel format
    ],
)
def test_unusable_files_are_rejected_with_the_reason(data, reason):
    assert decode(data, "shard row 3") == Rejection("shard row 3", reason)


@pytest.mark.filterwarnings("ignore::UserWarning")  # by Pillow, of broken metadata
def test_any_flipped_byte_gives_an_image_or_a_rejection():
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        data = encoded(Image.fromarray(noise(12, 12)), kind)
        for position in range(0, len(data), 7):
            broken = bytearray(data)
            broken[position] ^= 0xFF
            found = decode(bytes(broken), "x")
            assert isinstance(found, Rejection) or found.ndim == 3


def test_square_of_full_size_is_the_image_itself():
    pixels = noise()
    assert np.array_equal(crop_to_square(pixels, 32), pixels)
    assert np.array_equal(crop_to_square(pixels, 32, flip=True), pixels[:, ::-1])


@pytest.mark.parametrize(("x", "start"), [(0.0, 0), (0.5, 8), (1.0, 16)])
def test_crop_takes_the_square_that_it_is_told(x, start):
    pixels = noise(16, 32)
    assert np.array_equal(crop_to_square(pixels, 16, 1.0, x, 0.0), pixels[:, start : start + 16])


def test_crop_by_area():
    pixels = noise(32, 32)
    assert np.array_equal(crop_to_square(pixels, 16, 0.25, 0.0, 1.0), pixels[16:, :16])


def test_shrinking_averages():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert abs(crop_to_square(board, 8).astype(float).mean() - 127.5) < 2
