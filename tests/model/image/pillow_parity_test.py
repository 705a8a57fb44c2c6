#!/usr/bin/python3
"""Compares decoding, resizing and cropping with Pillow's, byte for byte.

Usage: pillow_parity_test.py TRANSFORM_DUMP
Needs Pillow (Debian: python3-pil). The last line is "N passed, N failed".
"""

import io
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile

from PIL import Image, ImageOps

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
ORIENTATION = 0x0112

# (width, height)
SIZES = [(1, 1), (2, 1), (1, 7), (1, 300), (300, 1), (3, 5), (17, 13), (28, 28), (31, 64),
         (64, 48), (97, 101), (224, 224), (256, 256), (255, 257), (333, 500), (500, 375),
         (641, 479), (1023, 767), (1600, 1200), (2, 900), (900, 3)]
# (resize, crop height, crop width)
SPECS = [(256, 224, 224), (48, 48, 48), (232, 224, 224), (64, 33, 64), (37, 37, 1)]


def picture(mode, size, seed):
    """Smooth and noisy parts, extreme values, hard edges: what filters trip over."""
    rng = random.Random(seed)
    width, height = size
    coarse = (max(1, width // 9), max(1, height // 9))

    edges = Image.frombytes(
        "L", size, bytes(255 * ((x // 5 + y // 3) % 2) for y in range(height)
                         for x in range(width)))

    def channel():
        smooth = Image.frombytes("L", coarse, rng.randbytes(coarse[0] * coarse[1]))
        smooth = smooth.resize(size, Image.Resampling.BICUBIC)
        noise = Image.frombytes("L", size, rng.randbytes(width * height))
        third = max(1, width // 3)
        smooth.paste(noise.crop((0, 0, third, height)), (0, 0))
        smooth.paste(edges.crop((0, 0, third, height)), (width - third, 0))
        return smooth

    if mode == "1":
        return channel().convert("1")
    if mode == "P":
        return Image.merge("RGB", [channel() for _ in "RGB"]).quantize(200)
    if mode == "I;16":
        return Image.frombytes("I;16", size, rng.randbytes(2 * width * height))
    if mode == "L":
        return channel()
    return Image.merge(mode, [channel() for _ in mode])


def save(image, format_, **options):
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[ORIENTATION] = orientation
    return data.tobytes()


def rgb(data):
    """The picture as DecodeImage() promises it, made by Pillow."""
    image = Image.open(io.BytesIO(data))
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bit: the top byte
        top = image.convert("I").tobytes()[1::4]
        return Image.frombytes("L", image.size, top).convert("RGB")
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def transform(image, resize, crop_height, crop_width, filter_):
    """torchvision's Resize(resize) and CenterCrop((crop_height, crop_width))."""
    width, height = image.size
    if width <= height:
        size = (resize, int(resize * height / width))
    else:
        size = (int(resize * width / height), resize)
    image = image.resize(size, FILTERS[filter_])
    left = int(round((size[0] - crop_width) / 2.0))
    top = int(round((size[1] - crop_height) / 2.0))
    return image.crop((left, top, left + crop_width, top + crop_height)).tobytes()


def cases():
    """(name, encoded picture, specs)"""
    for seed, size in enumerate(SIZES):
        yield f"rgb png {size}", save(picture("RGB", size, seed), "PNG"), SPECS
    few = SPECS[:2]
    for mode, size in itertools.product(["1", "L", "P", "LA", "RGBA", "I;16"],
                                        [(1, 1), (33, 57), (401, 300)]):
        yield f"{mode} png {size}", save(picture(mode, size, 1), "PNG"), few
    palette = picture("P", (201, 150), 2)
    yield "P png with one clear colour", save(palette, "PNG", transparency=7), few
    yield "P png with alpha", save(palette, "PNG", transparency=bytes(range(200))), few
    yield "L png with one clear gray", save(picture("L", (90, 70), 2), "PNG",
                                            transparency=255), few
    for size in [(8, 8), (15, 17), (1, 40), (500, 375), (1333, 999)]:
        image = picture("RGB", size, 3)
        for sampling, progressive in itertools.product(["4:4:4", "4:2:2", "4:2:0"],
                                                       [False, True]):
            data = save(image, "JPEG", quality=90, subsampling=sampling,
                        progressive=progressive)
            yield f"jpeg {size} {sampling} progressive={progressive}", data, few
    yield "jpeg quality 10", save(picture("RGB", (333, 222), 4), "JPEG", quality=10), few
    yield "L jpeg", save(picture("L", (123, 321), 5), "JPEG"), few
    yield "CMYK jpeg", save(picture("CMYK", (211, 199), 6), "JPEG", quality=95), few
    yield "large jpeg", save(picture("RGB", (4000, 3000), 7), "JPEG"), SPECS[:1]
    for orientation in range(1, 9):
        data = save(picture("RGB", (210, 133), 8), "JPEG", exif=exif(orientation))
        yield f"jpeg with EXIF orientation {orientation}", data, few
    for mode, lossless in itertools.product(["RGB", "RGBA"], [False, True]):
        for size in [(1, 1), (37, 61), (500, 375)]:
            data = save(picture(mode, size, 9), "WEBP", lossless=lossless, quality=80)
            yield f"{mode} webp {size} lossless={lossless}", data, few
    yield "webp with EXIF orientation 6", save(picture("RGB", (64, 48), 9), "WEBP",
                                               exif=exif(6)), few
    yield "png with EXIF orientation 8", save(picture("RGB", (64, 48), 9), "PNG",
                                              exif=exif(8)), few


def compare(dump, source, pillows, spec, filter_):
    """None, or how our bytes for the file `source` differ from `pillows`."""
    result = source.with_suffix(".out")
    dump.stdin.write(f"{source} {result} {' '.join(map(str, spec))} {filter_}\n")
    dump.stdin.flush()
    answer = dump.stdout.readline().strip()
    if answer != "ok":
        return answer or "transform_dump ended"
    ours = result.read_bytes()
    if ours == pillows:
        return None
    differences = [abs(a - b) for a, b in zip(ours, pillows)]
    return (f"{sum(d > 0 for d in differences)} of {len(pillows)} values differ, "
            f"by up to {max(differences)}; {len(ours)} were given")


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as dump:
        source = pathlib.Path(folder) / "picture"
        for name, data, specs in cases():
            source.write_bytes(data)
            image = rgb(data)
            for spec, filter_ in itertools.product(specs, FILTERS):
                pillows = transform(image, *spec, filter_)
                difference = compare(dump, source, pillows, spec, filter_)
                if difference is None:
                    passed += 1
                else:
                    failed += 1
                    print(f"{name}, {spec} {filter_}: {difference}: Failure")
        dump.stdin.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0 or passed == 0)


if __name__ == "__main__":
    main()
