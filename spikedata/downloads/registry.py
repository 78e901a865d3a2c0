"""The published data sets as a table: addresses, checksums, licenses and citations.

docs/howto/downloads.md gives the source of each checksum.
"""

from __future__ import annotations

from spikedata.downloads.entries import Checksum, DataSet, PublishedFile

HOSTS = ("https://zenkelab.org/datasets/", "https://compneuro.net/datasets/")
FORMS = ("zip", "gz")  # the formats in which SHD and SSC are published


def files_of(name: str, form: str = "zip") -> tuple[PublishedFile, ...]:
    """The files of a data set, or the file of the given name.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    form : {"zip", "gz"}
        Format of the archives of SHD and SSC; recordings and images come in a single format.

    Raises
    ------
    ValueError
        If the name or the form is unknown.

    Examples
    --------
    >>> [file.archive for file in files_of("shd", "gz")]
    ['shd_train.h5.gz', 'shd_test.h5.gz']
    """
    if name not in NAMES:
        raise ValueError(f"no data set {name!r} to download, must be one of {', '.join(NAMES)}")
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
    names = DATASETS[name].files if name in DATASETS else (name,)
    return tuple(FILES[part].get(form) or next(iter(FILES[part].values())) for part in names)


def data_set_of(name: str) -> DataSet:
    """The data set to which a file belongs."""
    return next(data_set for data_set in DATASETS.values() if name == data_set.name or name in data_set.files)


def _spikes(name: str, *, zip_md5: str, gz_md5: str = "", md5: str = "", unpacked: int = 0) -> dict[str, PublishedFile]:
    """A spike file in both forms; an unknown checksum of an archive is requested from the hosts' list."""
    forms = {}
    for form, value in zip(FORMS, (zip_md5, gz_md5), strict=True):
        archive = f"{name}.h5.{form}"
        forms[form] = PublishedFile(
            name=name,
            archive=archive,
            urls=tuple(host + archive for host in HOSTS),
            target=f"{name}.h5",
            members=rf"(?:[^/]+/)?(?P<path>{name}\.h5)",
            max_bytes=8 * 2**30,
            max_members=100,
            checksum=Checksum(algorithm="md5", value=value, asked_at=() if value else _SUMS),
            content=Checksum(algorithm="md5", value=md5) if md5 else None,
            unpacked_size=unpacked,
        )
    return forms


def _image_files(data_set: str) -> tuple[str, ...]:
    return tuple(f"{data_set}_{part}_{kind}" for part in ("train", "test") for kind in ("images", "labels"))


def _images(
    data_set: str, host: str, mirror: str, sums: dict[str, tuple[str, int]]
) -> dict[str, dict[str, PublishedFile]]:
    """The four files of a data set of images, each packed by itself; they get names of their own in the one folder."""
    files = {}
    for part, stem, n_images in (("train", "train", 60_000), ("test", "t10k", 10_000)):
        for kind, index, n_each in (("images", "idx3", 28 * 28), ("labels", "idx1", 1)):
            name, archive = f"{data_set}_{part}_{kind}", f"{stem}-{kind}-{index}-ubyte.gz"
            value, size = sums[f"{part}_{kind}"]
            unpacked = n_images * n_each + (16 if kind == "images" else 8)
            file = PublishedFile(
                name=name,
                archive=f"{data_set}-{archive}",
                urls=(host + archive, mirror + archive),
                target=f"{name}.idx",
                members="",
                max_bytes=unpacked,
                max_members=1,
                checksum=Checksum(algorithm="sha256", value=value),
                size=size,
                unpacked_size=unpacked,
            )
            files[name] = {"gz": file}
    return files


_SUMS = tuple(f"{host}md5sums.txt" for host in HOSTS)
_FSDD = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"  # of 2 May 2024
_AUDIOMNIST = "544b0f4bc65227e54332e665d5e02c24be6732c2"  # also used by HELM's AudioMNIST scenario

FILES: dict[str, dict[str, PublishedFile]] = {
    "shd_train": _spikes(
        "shd_train",
        zip_md5="f3252aeb598ac776c1b526422d90eecb",
        gz_md5="d47c9825dee33347913e8ce0f2be08b0",
        md5="8e9877c85f29a28dd353ea6a54402667",
        unpacked=268_000_000,
    ),
    "shd_test": _spikes(
        "shd_test",
        zip_md5="1503a5064faa34311c398fb0a1ed0a6f",
        gz_md5="3062a80ec0c5719404d5b02e166543b1",
        md5="207ad1295a0ab611e22d1734989c254e",
        unpacked=79_000_000,
    ),
    "ssc_train": _spikes("ssc_train", zip_md5="d102be95e7144fcc0553d1f45ba94170"),
    "ssc_valid": _spikes("ssc_valid", zip_md5="b4eee3516a4a90dd0c71a6ac23a8ae43"),
    "ssc_test": _spikes("ssc_test", zip_md5="a35ff1e9cffdd02a20eb850c17c37748"),
    "heidelberg_digits": {
        "tar.gz": PublishedFile(
            name="heidelberg_digits",
            archive="hd_audio.tar.gz",
            urls=tuple(f"{host}hd_audio.tar.gz" for host in HOSTS),
            target="heidelberg_digits",
            members=r"(?:(?!audio/)[^/]+/)?(?P<path>audio/[^/]+\.(?:flac|wav)|[^/]+\.(?:txt|md|csv)|LICENSE)",
            max_bytes=8 * 2**30,
            max_members=50_000,
            checksum=Checksum(algorithm="md5", asked_at=_SUMS),
        )
    },
    "speech_commands": {
        "tar.gz": PublishedFile(
            name="speech_commands",
            archive="speech_commands_v0.02.tar.gz",
            urls=(
                "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
                "https://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            ),
            target="speech_commands",
            members=r"(?P<path>[a-z_]+/[^/]+\.wav|(?:testing|validation)_list\.txt|README\.md|LICENSE)",
            max_bytes=16 * 2**30,
            max_members=500_000,
            checksum=Checksum(
                algorithm="sha256", value="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
            ),
            size=2_428_923_189,
            unpacked_size=3_400_000_000,  # 105,829 clips of at most 32,044 bytes
        )
    },
    "fsdd": {
        "tar.gz": PublishedFile(
            name="fsdd",
            archive=f"free-spoken-digit-dataset-{_FSDD[:12]}.tar.gz",
            urls=(f"https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/tar.gz/{_FSDD}",),
            target="fsdd",
            members=r"[^/]+/(?P<path>recordings/[^/]+\.wav|README\.md|metadata\.py)",
            max_bytes=2**30,
            max_members=20_000,
            content=Checksum(algorithm="git-tree", value="d04322e322a9f937f6f4f7c8546693755184df5b"),
            content_folder="recordings",
            unpacked_size=21_128_848,
        )
    },
    "audiomnist": {
        "tar.gz": PublishedFile(
            name="audiomnist",
            archive=f"AudioMNIST-{_AUDIOMNIST[:12]}.tar.gz",
            urls=(f"https://codeload.github.com/soerenab/AudioMNIST/tar.gz/{_AUDIOMNIST}",),
            target="audiomnist",
            members=r"[^/]+/(?P<path>data/(?:[^/]+/)*[^/]+|README\.md|LICENSE)",
            max_bytes=8 * 2**30,
            max_members=200_000,
            content=Checksum(
                algorithm="git-tree",
                asked_at=(f"https://api.github.com/repos/soerenab/AudioMNIST/git/trees/{_AUDIOMNIST}",),
            ),
            content_folder="data",
            unpacked_size=2_900_000_000,  # 30,000 clips of at most 47,998 samples of 2 bytes
        )
    },
    **_images(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        {
            "train_images": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
            "train_labels": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
            "test_images": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
            "test_labels": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
        },
    ),
    **_images(
        "fashion_mnist",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        {
            "train_images": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
            "train_labels": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
            "test_images": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
            "test_labels": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
        },
    ),
}

_SPIKING = {
    "license": "CC BY 4.0",
    "citation": "Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022), doi 10.1109/TNNLS.2020.3044364",
    "homepage": "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
}

#: The published data sets, by name.
DATASETS: dict[str, DataSet] = {
    data_set.name: data_set
    for data_set in (
        DataSet(name="shd", title="Spiking Heidelberg Digits", files=("shd_train", "shd_test"), **_SPIKING),
        DataSet(name="ssc", title="Spiking Speech Commands", files=("ssc_train", "ssc_valid", "ssc_test"), **_SPIKING),
        DataSet(
            name="heidelberg_digits", title="Heidelberg Digits, recordings", files=("heidelberg_digits",), **_SPIKING
        ),
        DataSet(
            name="speech_commands",
            title="Speech Commands v0.02, recordings",
            files=("speech_commands",),
            license="CC BY 4.0",
            citation="Warden, Speech Commands, arXiv 1804.03209 (2018)",
            homepage="https://www.tensorflow.org/datasets/catalog/speech_commands",
        ),
        DataSet(
            name="fsdd",
            title="Free Spoken Digit Dataset, recordings",
            files=("fsdd",),
            license="CC BY-SA 4.0",
            citation="Jackson et al., Free Spoken Digit Dataset, doi 10.5281/zenodo.1342401 (2018)",
            homepage="https://github.com/Jakobovski/free-spoken-digit-dataset",
        ),
        DataSet(
            name="audiomnist",
            title="AudioMNIST, recordings",
            files=("audiomnist",),
            license="MIT",
            citation="Becker et al., AudioMNIST, Journal of the Franklin Institute 361:418 (2024), arXiv 1807.03418",
            homepage="https://github.com/soerenab/AudioMNIST",
        ),
        DataSet(
            name="mnist",
            title="MNIST, images of handwritten digits",
            files=_image_files("mnist"),
            license="CC BY-SA 3.0",
            citation="LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE 86:2278 (1998)",
            homepage="https://yann.lecun.com/exdb/mnist/",
        ),
        DataSet(
            name="fashion_mnist",
            title="Fashion-MNIST, images of clothes",
            files=_image_files("fashion_mnist"),
            license="MIT",
            citation="Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv 1708.07747 (2017)",
            homepage="https://github.com/zalandoresearch/fashion-mnist",
        ),
    )
}

#: Names that `download` takes: data sets and their files.
NAMES: tuple[str, ...] = tuple(dict.fromkeys([*DATASETS, *FILES]))
