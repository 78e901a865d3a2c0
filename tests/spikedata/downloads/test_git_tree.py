"""The identifiers that git computes, from the same files."""

import shutil
import subprocess

import pytest

from spikedata.downloads.git_tree import Blob, blob_digest, tree_id

FILES = {  # sorted by git as a folder's name had a slash at its end: "a.b", "a/", "a0"
    "a/deep/1.wav": b"one",
    "a/2.wav": b"two",
    "a.b": b"dot",
    "a0": b"zero",
    "Ä.wav": b"umlaut",
    "run.sh": b"#!/bin/sh\n",
}


def blob(content, is_executable=False):
    digest = blob_digest(len(content))
    digest.update(content)
    return Blob(digest.digest(), is_executable)


def test_a_file_has_the_identifier_that_git_documents():
    # Pro Git, section "Git Objects": echo 'test content' | git hash-object --stdin
    assert blob(b"test content\n").digest.hex() == "d670460b4b4aece5915caf5c68d12f560a9fe3e4"


def test_an_empty_folder_has_the_identifier_that_git_knows_by_heart():
    assert tree_id({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_folder_has_the_identifier_that_git_gives_it(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "run.sh").chmod(0o755)

    def git(*words):
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("config", "core.autocrlf", "false")
    git("config", "core.fileMode", "true")
    git("add", "--force", *FILES)
    assert tree_id({name: blob(content, name == "run.sh") for name, content in FILES.items()}) == git("write-tree")


def test_a_changed_byte_a_name_and_a_mode_change_the_identifier():
    first = tree_id({"a/1": blob(b"one")})
    others = [{"a/1": blob(b"One")}, {"a/2": blob(b"one")}, {"b/1": blob(b"one")}, {"a/1": blob(b"one", True)}]
    assert len({first, *map(tree_id, others)}) == 5
