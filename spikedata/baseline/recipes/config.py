"""Params in a file: TOML, or YAML where PyYAML is installed.

    recipe = "spytorch"
    learning_rate = 1e-3
    hidden = [128]
    augmentation = ["channel_jitter sigma=20"]

The names are those of the command line, without tables: no two params of a recipe have the same name.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

_YAML = (".yaml", ".yml")


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The params in a file, by name.

    Parameters
    ----------
    path : str or path-like
        Ends in .toml, .yaml or .yml.

    Returns
    -------
    dict
        Values by name, with underscores; one of them may be `recipe`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it has another suffix, cannot be read, or holds tables.
    """
    file = Path(path)
    if file.suffix not in (".toml", *_YAML):
        raise ValueError(f"{path}: a config must end in .toml, .yaml or .yml")
    if not file.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text) if file.suffix == ".toml" else _read_yaml(text)
    except ValueError as error:
        raise ValueError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must hold NAME = VALUE, got {type(content).__name__}")
    for name, value in content.items():
        if isinstance(value, dict):
            raise ValueError(f"{path}: must hold no tables, got [{name}]: write its entries at the top")
    return {str(name).replace("-", "_"): value for name, value in content.items()}


def _read_yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise ValueError("PyYAML is not installed: pip install pyyaml, or write TOML") from None
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
