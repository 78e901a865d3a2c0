"""The published files as data: where they lie, what they must be, whom to thank."""

from __future__ import annotations

from dataclasses import dataclass

SOURCES = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")
CITATION = "Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022), doi 10.1109/TNNLS.2020.3044364"
LICENSE = "CC BY 4.0"


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """A spike file that can be fetched.

    Parameters
    ----------
    name : str
        Name of the unpacked file [1].
    archive_md5 : str
        Checksum of the zip archive that holds it [1].
    md5 : str
        Its own checksum [1]; empty where none is published.
    largest : int
        More than its size [byte]; an archive that claims to hold more is not unpacked.
    """

    name: str
    archive_md5: str
    md5: str = ""
    largest: int = 4 * 2**30

    @property
    def archive(self) -> str:
        """Name of the archive."""
        return f"{self.name}.zip"


FILES = {
    file.name.removesuffix(".h5"): file
    for file in (
        PublishedFile(
            name="shd_train.h5",
            archive_md5="f3252aeb598ac776c1b526422d90eecb",
            md5="8e9877c85f29a28dd353ea6a54402667",
            largest=2**30,
        ),
        PublishedFile(
            name="shd_test.h5",
            archive_md5="1503a5064faa34311c398fb0a1ed0a6f",
            md5="207ad1295a0ab611e22d1734989c254e",
            largest=2**30,
        ),
        PublishedFile(name="ssc_train.h5", archive_md5="d102be95e7144fcc0553d1f45ba94170"),
        PublishedFile(name="ssc_valid.h5", archive_md5="b4eee3516a4a90dd0c71a6ac23a8ae43"),
        PublishedFile(name="ssc_test.h5", archive_md5="a35ff1e9cffdd02a20eb850c17c37748"),
    )
}
