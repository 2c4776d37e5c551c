"""Small copies of the public datasets in the exact layouts in which users have them."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

MIKELS = ("amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear", "sadness")
ABSTRACT = ("amusement", "anger", "awe", "content", "disgust", "excitement", "fear", "sad")
EMOTION6 = ("anger", "disgust", "fear", "joy", "sadness", "surprise", "neutral")
_colours = iter(range(1, 2**24, 4241))


def picture(file: Path) -> Path:
    """Save a picture of a colour that no other has."""
    file.parent.mkdir(parents=True, exist_ok=True)
    value = next(_colours)
    Image.new("RGB", (24, 16), (value >> 16, value >> 8 & 255, value & 255)).save(file, format="JPEG")
    return file


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="")
    return file


def emoset(folder: Path, shapes: Iterable[int] = (3, 4, 3)) -> Path:
    """EmoSet-118K: an image of each emotion in each split; `shapes` are the widths of the rows of train, val and test."""
    order = ("amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness")
    numbers = {"emotion": {"label2idx": {emotion: index for index, emotion in enumerate(order)}}}
    write(folder / "info.json", json.dumps(numbers))
    for number, (split, shape) in enumerate(zip(("train", "val", "test"), shapes, strict=True)):
        rows = []
        for emotion in MIKELS:
            name = f"{emotion}_{number:05}"
            picture(folder / "image" / emotion / f"{name}.jpg")
            annotation = {"image_id": name, "emotion": emotion, "brightness": 0.7, "colorfulness": 0.4, "object": ["Tree", "Sky"]}
            write(folder / "annotation" / emotion / f"{name}.json", json.dumps(annotation))
            paths = [f"image/{emotion}/{name}.jpg", f"annotation/{emotion}/{name}.json"]
            rows.append([emotion, name, *paths] if shape == 4 else [emotion, *paths])
        write(folder / f"{split}.json", json.dumps(rows))
    return folder


def fi_folders(folder: Path) -> Path:
    """FI as class folders, two images an emotion."""
    for emotion in MIKELS:
        for number in range(2):
            picture(folder / emotion / f"{number}0042_{emotion[:3]}.jpg")
    return folder


def fi_flat(folder: Path) -> Path:
    """FI as one folder of files `<emotion>_<id>.jpg`."""
    for number, emotion in enumerate(MIKELS):
        picture(folder / f"{emotion}_{number}.jpg")
    return folder


def fi_csv(folder: Path) -> Path:
    """FI as its authors give it: one CSV file an emotion with an agreed and a refused image, and the pictures beside."""
    for number, emotion in enumerate(MIKELS):
        rows = [
            f"0,https://farm4.staticflickr.com/3800/{number}_a.jpg,1,4",
            f"1,https://farm4.staticflickr.com/3800/{number}_b.jpg,3,2",
        ]
        write(folder / "agg" / f"{emotion}_{number}00.csv", "\n".join(rows) + "\n")
        picture(folder / "pictures" / f"{number}_a.jpg")
    return folder


def emotion6(folder: Path, header: str | None = None) -> Path:
    """Emotion6: two images a keyword; of disgust/1.jpg the row that the authors show, the others voted for joy 8 to 7."""
    names = ["image_filename", "valence", "arousal", *(f"prob. {emotion}" for emotion in EMOTION6)]
    rows = [header or "\t".join(f"[{name}]" for name in names)]
    for keyword in ("anger", "disgust", "fear", "joy", "sadness", "surprise"):
        for number in (1, 2):
            picture(folder / "images" / keyword / f"{number}.jpg")
            votes = "2.5\t3.8\t0.133333\t0.7\t0\t0.0666667\t0.1\t0\t0"
            voted = "6.2\t4\t0\t0\t0\t0.533333\t0\t0\t0.466667"
            rows.append(f"{keyword}/{number}.jpg\t{votes if (keyword, number) == ('disgust', 1) else voted}")
    write(folder / "ground_truth.txt", "\r\n".join(rows) + "\r\n")
    write(folder / "readme.txt", "Cornell Emotion6 Image Database")
    return folder


def artphoto(folder: Path) -> Path:
    """ArtPhoto: two images an emotion, one of them in capitals, and what lies beside them."""
    for emotion in (*MIKELS[:-1], "sad"):
        picture(folder / f"{emotion}_0001.jpg")
        picture(folder / f"{emotion}_0102.JPG")
    write(folder / "ReadMe.rtf", "{\\rtf1}")
    write(folder / ".DS_Store", "Bud1")
    return folder


def abstract(folder: Path) -> Path:
    """Abstract: an image of each emotion with nine of 14 votes, and a tie."""
    header = "''," + ",".join(f"'{label.title()}'" for label in ABSTRACT)
    rows = [[9 if label == top else 5 if label == ABSTRACT[0] else 0 for label in ABSTRACT] for top in ABSTRACT]
    rows.append([7, 0, 7, 0, 0, 0, 0, 0])
    for number in range(1, len(rows) + 1):
        picture(folder / f"abstract_{number:04}.jpg")
    lines = [f"'abstract_{number:04}.jpg',{','.join(map(str, votes))}" for number, votes in enumerate(rows, start=1)]
    write(folder / "ABSTRACT_groundTruth.csv", "\n".join([header, *lines]) + "\n")
    return folder


def zipped(make: Callable[[Path], Path], archive: Path) -> Path:
    """Return the archive of a dataset, whose top folder has the archive's name, as users download it."""
    folder = make(archive.parent / ".made" / archive.name.partition(".")[0])
    kind = "zip" if archive.suffix == ".zip" else "gztar"
    shutil.make_archive(str(archive.parent / folder.name), kind, folder.parent, folder.name)
    shutil.rmtree(folder.parent)
    return archive
