"""Importing and exporting: what goes in is what comes out, and what is broken is told."""

import io
import json
import struct
import tarfile
import zlib

import groundwell
import numpy as np
import pytest
from golden import frame
from groundwell import GroundwellError, ImportItem, Mask
from groundwell.exporters import png

Image = pytest.importorskip("PIL.Image")
coco_mask = pytest.importorskip("pycocotools.mask")

from groundwell.importers import BrokenItem, run  # noqa: E402
from groundwell.importers.__main__ import main  # noqa: E402
from groundwell.importers.coco import COCOSource, read_json  # noqa: E402
from groundwell.importers.items import BrokenSource, MaskList, category_name  # noqa: E402
from groundwell.importers.runs import decode_segmentation, decode_text  # noqa: E402
from groundwell.importers.voc import VOCSource, objects  # noqa: E402


def item(name="a", side=16, category="cat"):
    rng = np.random.default_rng(len(name))
    masks = np.zeros((2, side, side), np.uint8)
    masks[0, :4] = 1
    masks[1, 6:9, 2:] = 1
    infos = [Mask(category, 0, "exact", 0.5), Mask(category, 1, "import")]
    return ImportItem(
        name, f"prompt of {name}", rng.integers(0, 256, (side, side, 3), np.uint8), masks, infos
    )


def test_an_import_says_what_the_protocol_says(client, daemon):
    golden = frame("triplet.import.request.bin")
    params = golden.message["params"]["items"][0]
    tensors = groundwell.safetensors.decode(golden.body)
    infos = [Mask(**info) for info in params["masks"]]
    outcome = client.import_triplets(
        golden.message["params"]["source"],
        [ImportItem(params["item"], params["prompt"], tensors["image0"], tensors["masks0"], infos)],
    )
    assert daemon.sent("triplet.import") == [golden.message["params"]]
    assert daemon.bodies["triplet.import"] == golden.body.tobytes()
    assert outcome == [groundwell.Submitted(17, False)]
    assert client.imported("coco-val2017", ["000000000139.jpg", "b"]) == {"000000000139.jpg": 17}


def test_items_are_the_same_triplets_for_ever(real_daemon):
    with groundwell.connect(real_daemon.socket) as client:
        first = client.import_triplets("same", [item("a"), item("bb")])
        again = client.import_triplets("same", [item("bb"), item("ccc")])
        assert [outcome.duplicate for outcome in first + again] == [False, False, True, False]
        assert again[0].triplet == first[1].triplet
        back = client.triplet(first[0].triplet)
        assert (back.image == item("a").image).all() and (back.masks == item("a").masks).all()
        assert back.info.provenance.engine == "import" and back.info.prompt == "prompt of a"
        with pytest.raises(GroundwellError, match="covers no pixel") as caught:
            broken = item("x")
            broken.masks[1] = 0
            client.import_triplets("same", [item("good"), broken])
        assert caught.value.word == "invalid_params"
        assert client.imported("same", ["good", "x"]) == {}


# PASCAL VOC


def save_palette(path, values):
    made = Image.fromarray(values.astype(np.uint8), "P")
    made.putpalette(list(range(256)) * 3)
    made.save(path)


@pytest.fixture
def voc(tmp_path):
    for name in ("JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"):
        (tmp_path / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    for stem in ("one", "two", "three"):
        pixels = np.repeat(np.repeat(rng.integers(0, 256, (3, 4, 3), np.uint8), 8, 0), 8, 1)
        Image.fromarray(pixels).save(tmp_path / "JPEGImages" / f"{stem}.jpg")
        classes = np.zeros((24, 32), np.uint8)
        classes[2:9, 2:9], classes[2:9, 12:20], classes[12:20] = 8, 8, 15
        classes[9, 2:9] = 255
        instances = np.zeros((24, 32), np.uint8)
        instances[2:9, 2:9], instances[2:9, 12:20], instances[12:20] = 1, 2, 3
        if stem == "three":
            classes[:], instances[:] = 0, 0
        save_palette(tmp_path / "SegmentationClass" / f"{stem}.png", classes)
        if stem != "two":
            save_palette(tmp_path / "SegmentationObject" / f"{stem}.png", instances)
    (tmp_path / "ImageSets/Segmentation/some.txt").write_text("two\none\n")
    return tmp_path


def test_voc_objects_and_categories_become_masks(real_daemon, voc):
    with groundwell.connect(real_daemon.socket) as client:
        done = run(client, VOCSource(str(voc)), "voc", out=io.StringIO())
        assert (done.items, done.imported, done.without_mask, done.broken) == (3, 2, 1, 0)
        known = client.imported("voc", ["one", "two"])
        one, two = client.triplet(known["one"]), client.triplet(known["two"])
        assert [(mask.category, mask.instance) for mask in one.info.masks] == [
            ("cat", 0), ("cat", 1), ("person", 0),
        ]  # fmt: skip
        assert one.masks.sum((1, 2)).tolist() == [49, 56, 256]
        assert [mask.category for mask in two.info.masks] == ["cat", "person"]
        expected = np.asarray(Image.open(voc / "JPEGImages" / "one.jpg"))
        assert (one.image == expected).all()
        again = run(client, VOCSource(str(voc), "some"), "voc", out=io.StringIO())
        assert (again.items, again.known) == (2, 2)


def test_a_broken_item_stops_or_is_left_out(real_daemon, voc, capsys):
    (voc / "JPEGImages" / "one.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    arguments = ["voc", str(voc), "--source", "broken", "--socket", real_daemon.socket]
    assert main(arguments) == 1
    assert "'one': one.jpg: cannot be decoded" in capsys.readouterr().err
    assert main([*arguments, "--on-error", "skip", "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["imported"], summary["broken"]) == (1, 1)
    assert summary["problems"][0].startswith("'one': one.jpg: cannot be decoded")


@pytest.mark.parametrize(
    ("classes", "instances", "message"),
    [
        (np.full((9, 9), 30, np.uint8), None, "the mask holds category 30; there are 20"),
        (np.ones((9, 9), np.uint8), np.ones((8, 9), np.uint8), "differ in size"),
        (np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8), "object 1 has no category"),
    ],
)
def test_wrong_voc_masks_are_told(classes, instances, message):
    with pytest.raises(BrokenItem, match=message):
        objects(classes, instances, VOC_NAMES, MaskList(9, 9))


VOC_NAMES = [f"thing {number}" for number in range(20)]


# COCO


def coco_file(tmp_path, **changes):
    (tmp_path / "images").mkdir(exist_ok=True)
    Image.fromarray(np.full((20, 24, 3), 90, np.uint8)).save(tmp_path / "images" / "a.jpg")
    data = {
        "images": [{"id": 70, "file_name": "a.jpg", "width": 24, "height": 20}],
        "categories": [{"id": 5, "name": "Dining_Table"}],
        "annotations": [
            {"id": 9, "image_id": 70, "category_id": 5, "iscrowd": 0,
             "segmentation": [[1, 1, 12, 1.5, 9, 15]]},
            {"id": 11, "image_id": 70, "category_id": 5, "iscrowd": 1,
             "segmentation": {"size": [20, 24], "counts": [100, 50, 330]}},
        ],
    }  # fmt: skip
    data.update(changes)
    (tmp_path / "instances.json").write_text(json.dumps(data))
    return tmp_path / "instances.json"


def test_coco_with_jpeg_files(real_daemon, tmp_path):
    path = coco_file(tmp_path)
    with groundwell.connect(real_daemon.socket) as client:
        source = COCOSource(read_json(str(path)), str(tmp_path / "images"))
        done = run(client, source, "coco", out=io.StringIO())
        assert (done.imported, done.broken) == (1, 0)
        back = client.triplet(client.imported("coco", ["a.jpg"])["a.jpg"])
        assert [mask.category for mask in back.info.masks] == ["dining table"] * 2
        expected = coco_mask.decode(coco_mask.frPyObjects([[1, 1, 12, 1.5, 9, 15]], 20, 24))
        assert (back.masks[0] == expected[..., 0]).all()
        assert back.masks[1].sum() == 50
    dropped = COCOSource(read_json(str(path)), str(tmp_path / "images"), crowd="drop")
    assert len(next(iter(dropped)).load().infos) == 1


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "three points or more"),
        ([[1, 2, 99, 4, 5, 6]], "lies outside the image of 16x16 pixels"),
        ([[1, 2, float("nan"), 4, 5, 6]], "no number"),
        ([[1, 2, "x", 4, 5, 6]], "no number"),
        ([], "empty segmentation"),
        (None, "no segmentation"),
        ({"size": [16, 16], "counts": [10, 20]}, "cover 30 pixels, the image has 256"),
        ({"size": [16, 16], "counts": [10, -20, 266]}, "negative or longer than the image"),
        ({"size": [16, 16], "counts": [1 << 70]}, "no whole numbers"),
        ({"size": [16, 16], "counts": "o"}, "end in the middle of a number"),
        ({"size": [16, 16], "counts": "!"}, "character 0 of the runs"),
        ({"size": [8, 16], "counts": [128]}, "the image is \\[16, 16\\]"),
        ({"size": [16, 16]}, "runs without 'counts'"),
    ],
)
def test_broken_segmentations_never_reach_pycocotools(segmentation, message):
    with pytest.raises(BrokenItem, match=message):
        decode_segmentation(segmentation, 16, 16)


def test_compressed_runs_are_those_of_pycocotools():
    rng = np.random.default_rng(3)
    for side in range(8, 40, 5):
        mask = np.asfortranarray(rng.integers(0, 2, (side, 2 * side), np.uint8))
        text = coco_mask.encode(mask)["counts"]
        whole = {"size": [side, 2 * side], "counts": text.decode()}
        assert (decode_segmentation(whole, side, 2 * side) == mask).all()
        assert sum(decode_text(text, mask.size + 1)) == mask.size


def test_wrong_coco_files_are_told(tmp_path):
    (tmp_path / "x.json").write_text('{"images": [')
    with pytest.raises(BrokenSource, match="no JSON .*is the file cut off"):
        read_json(str(tmp_path / "x.json"))
    with pytest.raises(BrokenSource, match="it has no list 'categories'"):
        COCOSource({"images": []}, "x")
    path = coco_file(
        tmp_path,
        images=[
            {"id": 70, "file_name": "a.jpg", "width": 30, "height": 20},
            {"id": 70, "file_name": "b.jpg", "width": 24, "height": 20},
            {"id": 71, "file_name": "missing.jpg", "width": 24, "height": 20},
        ],
        annotations=[
            {"id": 1, "image_id": 70, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9]]},
            {"id": 1, "image_id": 70, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9]]},
            {"id": 2, "image_id": 9, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9]]},
            {"id": 3, "image_id": 71, "category_id": 5, "segmentation": [[1, 1, 9, 1, 9, 9]]},
        ],
    )
    source = COCOSource(read_json(str(path)), str(tmp_path / "images"))
    assert source.problems == [
        "image 70 is there twice; the second is left out",
        "annotation 1 is there twice; the second is left out",
        "annotation 2 is of image 9, which the file does not have",
    ]
    messages = []
    for entry in source:
        with pytest.raises(BrokenItem) as caught:
            entry.load()
        messages.append(str(caught.value))
    assert messages == [
        "the picture is 24x20, the file of annotations says 30x20",
        "missing.jpg: No such file or directory",
    ]


def test_a_bomb_is_refused_by_its_header(tmp_path):
    path = coco_file(
        tmp_path, images=[{"id": 70, "file_name": "a.png", "width": 24, "height": 20}]
    )
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    (tmp_path / "images" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(BrokenItem, match="60000x60000|bomb"):
        next(iter(COCOSource(read_json(str(path)), str(tmp_path / "images")))).load()


def test_names_are_brought_into_one_form():
    assert category_name("Potted__Plant ") == "potted plant"
    for wrong in ("", "_", "a/b", "x" * 65, "a\x00b", "-a"):
        with pytest.raises(BrokenItem):
            category_name(wrong)


def test_png_is_what_pillow_reads():
    rng = np.random.default_rng(2)
    for shape in ((9, 17, 3), (8, 11)):
        pixels = rng.integers(0, 256, shape, np.uint8)
        assert (np.asarray(Image.open(io.BytesIO(png.encode(pixels)))) == pixels).all()


# Formats that go out and come back


def same(one, other):
    assert (one.image == other.image).all() and (one.masks == other.masks).all()
    assert one.info.prompt == other.info.prompt
    assert one.info.masks == other.info.masks


@pytest.fixture
def stocked(real_daemon):
    with groundwell.connect(real_daemon.socket) as client:
        client.import_triplets("stock", [item(f"item {n}", category="heron") for n in range(5)])
        ids = [info.triplet for info in client.query("heron", engine="import")]
        yield client, [client.triplet(number) for number in ids]


def groundwell_export(binaries, real_daemon, *arguments):
    import subprocess

    return subprocess.run(
        [binaries / "groundwell", "export", *map(str, arguments), "--category", "heron",
         "--socket", real_daemon.socket],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_parquet_comes_back(real_daemon, stocked, tmp_path, capsys):
    pq = pytest.importorskip("pyarrow.parquet")
    from groundwell.exporters.__main__ import main as export

    client, triplets = stocked
    path = tmp_path / "herons.parquet"
    command = ["parquet", str(path), "--category", "heron", "--socket", real_daemon.socket]
    assert export([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["triplets"] == len(triplets)
    assert export(command) == 1
    assert "herons.parquet: is there already" in capsys.readouterr().err
    rows = pq.read_table(path).to_pylist()
    assert [row["triplet"] for row in rows] == [entry.info.triplet for entry in triplets]
    assert rows[0]["provenance"]["engine"] == "import"
    assert main(
        ["parquet", str(path), "--source", "parquet", "--socket", real_daemon.socket]
    ) == 0  # fmt: skip
    known = client.imported("parquet", [str(row["triplet"]) for row in rows])
    assert len(known) == len(triplets)
    for row, entry in zip(rows, triplets):
        same(client.triplet(known[str(row["triplet"])]), entry)
    data = path.read_bytes()
    for cut in (len(data) - 5, len(data) // 2, 3, 0):
        (tmp_path / "cut.parquet").write_bytes(data[:cut])
        assert main(["parquet", str(tmp_path / "cut.parquet"), "--socket", real_daemon.socket]) == 1
        assert "cut.parquet: no Parquet, or cut off" in capsys.readouterr().err


def test_shards_come_back(binaries, real_daemon, stocked, tmp_path, capsys):
    client, triplets = stocked
    out = tmp_path / "shards"
    done = groundwell_export(binaries, real_daemon, "webdataset", out, "--shard-triplets", 2)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in out.iterdir())
    assert len(names) == (len(triplets) + 1) // 2
    with tarfile.open(out / "000000.tar") as shard:
        members = shard.getnames()
    assert members[:4] == [
        f"{triplets[0].info.triplet:08}.{name}"
        for name in ("image.png", "mask000.png", "mask001.png", "json")
    ]
    assert main(
        ["webdataset", str(out), "--source", "shards", "--socket", real_daemon.socket]
    ) == 0  # fmt: skip
    keys = [f"{entry.info.triplet:08}" for entry in triplets]
    known = client.imported("shards", keys)
    for key, entry in zip(keys, triplets):
        same(client.triplet(known[key]), entry)
    whole = (out / "000000.tar").read_bytes()
    for cut in (len(whole) - 1024, len(whole) - 512 * 5, 700, 100, 0):
        (tmp_path / "cut.tar").write_bytes(whole[:cut])
        arguments = ["webdataset", str(tmp_path / "cut.tar"), "--socket", real_daemon.socket]
        assert main(arguments) == 1
        assert "cut.tar: " in capsys.readouterr().err


def test_shards_open_with_webdataset(binaries, real_daemon, stocked, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    out = tmp_path / "shards"
    assert groundwell_export(binaries, real_daemon, "webdataset", out).returncode == 0
    urls = [str(path) for path in sorted(out.iterdir())]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    _, triplets = stocked
    assert len(samples) == len(triplets)
    for sample, entry in zip(samples, triplets):
        assert (sample["image.png"] == entry.image).all()
        assert sample["json"]["masks"][0]["category"] == "heron"


def test_coco_loads_in_pycocotools_and_comes_back(binaries, real_daemon, stocked, tmp_path):
    from pycocotools.coco import COCO

    client, triplets = stocked
    done = groundwell_export(binaries, real_daemon, "coco", tmp_path / "coco")
    assert done.returncode == 0, done.stderr
    loaded = COCO(str(tmp_path / "coco" / "annotations.json"))
    assert [category["name"] for category in loaded.cats.values()] == ["heron"]
    for entry in triplets:
        found = loaded.loadAnns(loaded.getAnnIds(imgIds=[entry.info.triplet]))
        assert len(found) == len(entry.masks)
        for annotation, mask in zip(found, entry.masks):
            assert (loaded.annToMask(annotation) == mask).all()
            assert annotation["area"] == mask.sum()
            assert annotation["id"] > 255
            box = coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask)))
            assert annotation["bbox"] == box.tolist()
    source = COCOSource(
        read_json(str(tmp_path / "coco" / "annotations.json")), str(tmp_path / "coco" / "images")
    )
    assert run(client, source, "coco again", out=io.StringIO()).imported == len(triplets)
    names = [f"{entry.info.triplet:08}.png" for entry in triplets]
    known = client.imported("coco again", names)
    for name, entry in zip(names, triplets):
        same(client.triplet(known[name]), entry)


def test_voc_comes_back(binaries, real_daemon, stocked, tmp_path):
    client, triplets = stocked
    done = groundwell_export(binaries, real_daemon, "voc", tmp_path / "voc")
    assert done.returncode == 0, done.stderr
    classes = Image.open(
        tmp_path / "voc" / "SegmentationClass" / f"{triplets[0].info.triplet:08}.png"
    )
    assert classes.mode == "P" and classes.getpalette()[3:6] == [128, 0, 0]
    assert set(np.asarray(classes).ravel().tolist()) == {0, 1}
    done = run(client, VOCSource(str(tmp_path / "voc"), "all"), "voc again", out=io.StringIO())
    assert done.imported == len(triplets)
    keys = [f"{entry.info.triplet:08}" for entry in triplets]
    known = client.imported("voc again", keys)
    for key, entry in zip(keys, triplets):
        back = client.triplet(known[key])
        assert (back.image == entry.image).all() and (back.masks == entry.masks).all()


def test_yolo_outlines_fill_to_the_masks(binaries, real_daemon, stocked, tmp_path):
    from PIL import ImageDraw

    _, triplets = stocked
    done = groundwell_export(binaries, real_daemon, "yolo", tmp_path / "yolo")
    assert done.returncode == 0, done.stderr
    for entry in triplets:
        stem = f"{entry.info.triplet:08}"
        lines = (tmp_path / "yolo" / "labels" / f"{stem}.txt").read_text().splitlines()
        assert len(lines) == len(entry.masks)
        height, width = entry.masks.shape[1:]
        for line, mask in zip(lines, entry.masks):
            number, *parts = line.split()
            assert number == "0"
            # Eight times as large, so that Pillow's own rounding does not matter; then the middles.
            points = [
                (float(x) * width * 8, float(y) * height * 8)
                for x, y in zip(parts[::2], parts[1::2])
            ]
            drawn = Image.new("1", (width * 8, height * 8))
            ImageDraw.Draw(drawn).polygon(points, fill=1)
            assert (np.asarray(drawn)[4::8, 4::8] == mask).all()


def test_an_export_stops_at_what_it_cannot_do(binaries, real_daemon, stocked, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = groundwell_export(binaries, real_daemon, "folder", out)
    assert (done.returncode, done.stderr.startswith(f"groundwell: {out} is there already")) == (
        1, True,
    )  # fmt: skip
    done = groundwell_export(binaries, real_daemon, "folder", tmp_path / "nowhere" / "\0x"[1:])
    assert done.returncode in (0, 1)
    assert not list(tmp_path.glob("**/*.partial"))


def test_inputs_that_once_broke_a_reader_are_refused():
    # Found by make show-fuzz: a Parquet file that tells of a negative number of rows.
    pytest.importorskip("pyarrow")
    import fuzz_importers

    folder = fuzz_importers.ROOT / "Tests" / "Fixtures" / "fuzz"
    found = sorted(folder.glob("py-*/*.bin"))
    assert found
    for path in found:
        _, read, _, _ = fuzz_importers.probe_of(path.parent.name)
        with pytest.raises((BrokenItem, BrokenSource)):
            read(path.read_bytes())
