"""What a download can fail of; a disk that refuses is an `OutputError` of `spikedata.disk`."""


class DownloadError(OSError):
    """A source that cannot be had: no connection, no such page, too slow, not https, or offline."""


class ChecksumError(ValueError):
    """Data that are not what they must be."""
