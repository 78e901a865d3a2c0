"""Run our packages as if on Windows, as far as that shows elsewhere.

`install` gives cochlea and spikedata an `os`, `sys`, `signal` and `select` that lack what Windows lacks, and modules
that it does not have cannot be imported; other packages keep what the real system has. Files cannot be removed,
replaced or moved while this process or a child of it has them open. What only a real Windows shows are its paths,
its code page and its locks.
"""

from __future__ import annotations

import builtins
import importlib
import os
import select
import shutil
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = ("cochlea", "spikedata")
NO_MODULES = ("crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")
LACKS = {
    "os": """
        O_CLOEXEC O_DIRECTORY O_DSYNC O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC O_TMPFILE WEXITSTATUS WIFEXITED
        WIFSIGNALED WNOHANG WTERMSIG chown chroot confstr ctermid fchdir fchown fdatasync fork forkpty fpathconf
        fstatvfs getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getresuid getsid getuid
        getxattr initgroups killpg lchown listxattr lockf major memfd_create minor mkfifo mknod nice openpty
        pathconf pidfd_open pipe2 posix_fadvise posix_fallocate posix_spawn posix_spawnp pread preadv pwrite pwritev
        readv register_at_fork removexattr sched_getaffinity sched_get_priority_max sched_setaffinity sched_yield
        sendfile setegid seteuid setgid setgroups setpgid setpriority setsid setuid setxattr statvfs sync sysconf
        tcgetpgrp tcsetpgrp ttyname uname unshare wait wait3 wait4 waitid writev
        """,
    "signal": """
        ITIMER_PROF ITIMER_REAL ITIMER_VIRTUAL SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF
        SIGPWR SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ
        alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait
        sigwaitinfo
        """,
    "select": "devpoll epoll kqueue poll",
    "sys": "abiflags",
}
_O_BINARY = 1 << 30  # no system uses this bit


class _View(ModuleType):
    """A module without some of its names, and with others instead."""

    def __init__(self, module: ModuleType, lacks: frozenset[str], instead: dict[str, Any]) -> None:
        super().__init__(module.__name__)
        object.__setattr__(self, "_parts", (module, lacks, instead))

    def __getattribute__(self, name: str) -> Any:
        module, lacks, instead = object.__getattribute__(self, "_parts")
        if name in lacks:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} on Windows")
        return instead[name] if name in instead else getattr(module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_parts")[0], name, value)


def install() -> None:
    """Show Windows to whatever of ours is imported from now on."""
    instead: dict[str, dict[str, Any]] = {
        "os": {"name": "nt", "O_BINARY": _O_BINARY, "open": _open},
        "sys": {"platform": "win32"},
        "signal": {"CTRL_C_EVENT": 0, "CTRL_BREAK_EVENT": 1, "SIGBREAK": 21},
        "select": {"select": _select},
    }
    views = {
        name: _View(importlib.import_module(name), frozenset(LACKS[name].split()), instead[name]) for name in LACKS
    }
    importing = builtins.__import__

    def importing_ours(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level == 0 and globals is not None and str(globals.get("__name__")).partition(".")[0] in OURS:
            if name.partition(".")[0] in NO_MODULES:
                raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
            if name in views:
                return views[name]
        return importing(name, globals, locals, fromlist, level)

    builtins.__import__ = importing_ours
    for name in ("unlink", "remove", "rename", "replace", "rmdir"):
        setattr(os, name, _refusing(getattr(os, name)))
    shutil._use_fd_functions = False  # type: ignore[attr-defined]  # so that it removes by path, which is looked at


def _open(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
    if not flags & _O_BINARY and path != os.devnull:
        raise AssertionError(f"{path}: opened as text, with O_BINARY missing")
    if Path(path).is_dir():
        raise PermissionError(13, "Permission denied", str(path))
    return os.open(path, flags & ~_O_BINARY, mode, **more)


def _select(*lists: Any) -> Any:
    for one in (entry for entries in lists[:3] for entry in entries):
        if not stat.S_ISSOCK(os.fstat(one if isinstance(one, int) else one.fileno()).st_mode):
            raise OSError(10038, "an operation was attempted on something that is not a socket")
    return select.select(*lists)


def _refusing(function: Any) -> Any:
    """A function of paths that is refused for files that are open, as are folders with such files."""

    def refused(*args: Any, **options: Any) -> Any:
        # they do on Windows what that takes: a temporary file without a name, a lock's own file
        if sys._getframe(1).f_globals.get("__name__", "").partition(".")[0] not in ("tempfile", "filelock"):
            files = _open_files()
            for path in args[: 2 if function.__name__ in ("rename", "replace") else 1]:
                place = os.path.realpath(path)
                if any(file == place or file.startswith(place + os.sep) for file in files):
                    raise PermissionError(13, "The process cannot access the file", str(path))
        return function(*args, **options)

    return refused


def _open_files() -> set[str]:
    found = set()
    for process in _family(os.getpid()):
        for link in _listed(Path(f"/proc/{process}/fd")):
            try:
                found.add(os.readlink(link))  # noqa: PTH115 - a Path would go through what is replaced here
            except OSError:
                continue
        maps = Path(f"/proc/{process}/maps")
        try:
            found |= {line.split(maxsplit=5)[5] for line in maps.read_text("utf-8").splitlines() if "/" in line}
        except OSError:
            continue
    return found


def _family(process: int) -> list[int]:
    found = [process]
    for task in _listed(Path(f"/proc/{process}/task")):
        try:
            children = (task / "children").read_text("ascii").split()
        except OSError:
            continue
        found += [one for child in children for one in _family(int(child))]
    return found


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
