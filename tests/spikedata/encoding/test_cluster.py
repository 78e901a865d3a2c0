import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import spikedata
from spikedata.corpora import list_clips
from spikedata.corpora.audio import AudioError
from spikedata.encoding.cluster import ClusterError, _count_threads, map_on_cluster
from spikedata.encoding.encode import encode_clips

distributed = pytest.importorskip("distributed", reason="needs the extra: pip install 'spikedata-audio[cluster]'")

ROOT = str(Path(spikedata.__file__).parents[1])
N_WORKERS = 2
N_AHEAD = 2
STARTUP = 60.0  # [s] a bound for a busy machine; it takes one


def start(folder: Path, role: str, *options: str, path: str = "") -> subprocess.Popen:
    """Start a scheduler or workers, in a session of their own, which can be ended as a whole."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{role}", "--scheduler-file", str(folder / "scheduler.json")]
    # what a test puts before all else; then the package under test, though another may be installed
    paths = os.pathsep.join([path, ROOT] if path else [ROOT])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    with (folder / f"{role}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--no-dashboard", *options],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def start_worker(folder: Path, *options: str, path: str = "") -> subprocess.Popen:
    return start(folder, "worker", "--nthreads", "1", "--local-directory", str(folder), *options, path=path)


def end(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = monotonic() + STARTUP
    while not (is_true := condition()) and monotonic() < deadline:
        sleep(0.02)
    return is_true


@pytest.fixture(scope="module")
def start_scheduler(tmp_path_factory) -> Iterator[Callable[[], Path]]:
    schedulers = []

    def start_one() -> Path:
        folder = tmp_path_factory.mktemp("cluster")
        schedulers.append(start(folder, "scheduler", "--port", "0"))
        file = folder / "scheduler.json"
        assert eventually(lambda: file.exists() and file.read_text().endswith("}"))  # not written in one step
        return folder

    yield start_one
    for scheduler in schedulers:
        end(scheduler)


@pytest.fixture(scope="module")
def cluster(start_scheduler) -> Iterator[SimpleNamespace]:
    """A scheduler with two workers, each restarted by its nanny when it dies."""
    folder = start_scheduler()
    workers = start_worker(folder, "--nworkers", str(N_WORKERS))
    file = str(folder / "scheduler.json")
    client = distributed.Client(scheduler_file=file, set_as_default=False)
    client.wait_for_workers(N_WORKERS, timeout=STARTUP)
    yield SimpleNamespace(
        file=file,
        address=client.scheduler.address,
        wait_for_workers=lambda: client.wait_for_workers(N_WORKERS, timeout=STARTUP),
        n_tasks=lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)),
    )
    client.close()
    end(workers)


@pytest.fixture(scope="module")
def empty(start_scheduler) -> Path:
    """The folder of a scheduler that has no workers, but those that a test starts and ends."""
    return start_scheduler()


@pytest.fixture
def hire(empty) -> Iterator[Callable[..., None]]:
    workers = []

    def start_one(path: str = "") -> None:
        workers.append(start_worker(empty, "--no-nanny", path=path))

    yield start_one
    for worker in workers:
        end(worker)
    with closing(distributed.Client(scheduler_file=str(empty / "scheduler.json"), set_as_default=False)) as client:
        assert eventually(lambda: not client.nthreads())


def on_cluster(function, tasks, file, **options) -> dict:
    results = list(map_on_cluster(function, tasks, address=file, **{"worker_timeout": STARTUP, **options}))
    assert len(dict(results)) == len(results)  # no task gave two results
    return dict(results)


# Functions below are made inside the tests: so they travel to the workers by value, and the workers need no tests.


@pytest.mark.parametrize("which", ["file", "address"])
def test_results_are_those_of_the_plain_map(cluster, which):
    def double(task):
        return 2 * task

    assert on_cluster(double, iter(range(50)), getattr(cluster, which)) == {i: 2 * i for i in range(50)}


def test_results_come_as_they_are_done(cluster, tmp_path):
    def wait_for_the_last(task, go_on=str(tmp_path / "go_on")):
        from pathlib import Path
        from time import sleep

        while task == 0 and not Path(go_on).exists():
            sleep(0.01)
        if task == 9:
            Path(go_on).touch()

    numbers = [number for number, _ in map_on_cluster(wait_for_the_last, range(10), address=cluster.file, n_ahead=1)]
    assert sorted(numbers) == list(range(10))
    assert numbers[0] != 0


def test_no_tasks_give_no_results(cluster):
    assert on_cluster(str, [], cluster.file) == {}


def test_tasks_are_read_only_as_far_ahead_as_asked(cluster):
    n_read, n_ahead = 0, []

    def count_reads():
        nonlocal n_read
        for task in range(100):
            n_read += 1
            yield task

    results = map_on_cluster(abs, count_reads(), address=cluster.file, n_ahead=N_AHEAD)
    for n_done, _ in enumerate(results):
        n_ahead.append(n_read - n_done)
    assert max(n_ahead) == N_AHEAD * N_WORKERS


def test_the_scheduler_forgets_what_was_taken(cluster):
    with closing(map_on_cluster(abs, range(300), address=cluster.file, n_ahead=N_AHEAD)) as results:
        for _ in range(200):
            next(results)
        assert eventually(lambda: cluster.n_tasks() <= N_AHEAD * N_WORKERS)


def test_a_worker_that_is_killed_costs_nothing(cluster, tmp_path):
    def double_but_die_once(task, died=str(tmp_path / "died")):
        import os
        import signal
        from pathlib import Path

        if task == 10 and not Path(died).exists():
            Path(died).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * task

    assert on_cluster(double_but_die_once, range(40), cluster.file) == {i: 2 * i for i in range(40)}
    assert (tmp_path / "died").exists()
    cluster.wait_for_workers()


@pytest.mark.slow
def test_a_task_that_always_kills_its_worker_is_named_in_one_line(cluster):
    def die(task):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ClusterError, match=r"^task 0 \(clip a\.wav\): 4 workers died while running it; .*$"):
        on_cluster(die, ["a.wav"], cluster.file, describe=lambda task: f"clip {task}")
    cluster.wait_for_workers()


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone", "a.wav"), ValueError("bad"), TimeoutError("late")])
def test_an_error_of_the_function_comes_as_itself_and_ends_all(cluster, error):
    def fail(task):
        if task == 5:
            raise error
        return task

    with pytest.raises(type(error)) as caught:
        on_cluster(fail, range(1000), cluster.file)
    assert caught.value.args == error.args
    assert eventually(lambda: cluster.n_tasks() == 0)


def test_an_interrupt_leaves_no_task_behind(cluster):
    def interrupted():
        yield from range(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_cluster(abs, interrupted(), cluster.file)
    assert eventually(lambda: cluster.n_tasks() == 0)


def test_closing_the_results_drops_the_tasks_that_wait(cluster):
    with closing(map_on_cluster(abs, range(1000), address=cluster.file)) as results:
        next(results)
    assert eventually(lambda: cluster.n_tasks() == 0)


def test_nothing_can_be_in_flight_when_none_is_allowed(cluster):
    with pytest.raises(ValueError, match="n_ahead must be >= 1, got 0"):
        on_cluster(abs, [1], cluster.file, n_ahead=0)


def test_a_scheduler_without_workers_is_waited_for_and_given_up(empty, caplog):
    with pytest.raises(ClusterError, match=r"^tcp://127\.0\.0\.1:\d+: has no workers, waited 0\.2 s: start some .*$"):
        on_cluster(abs, [1], empty / "scheduler.json", worker_timeout=0.2)
    assert "has no workers: waiting up to 0.2 s" in caplog.text


def test_workers_that_are_lost_and_join_are_told_of_to_who_asks(caplog):
    looks = [{"a": 2}, {"a": 2, "b": 1}, {"b": 1, "c": 4}, {"c": 4}]
    client = SimpleNamespace(nthreads=lambda: looks.pop(0))
    known: set[str] = set()
    with caplog.at_level("INFO"):
        counts = [_count_threads(client, "tcp://s:1", 1.0, known) for _ in range(4)]

    assert counts == [2, 3, 5, 4]
    assert [record.getMessage() for record in caplog.records] == [
        "worker b has joined",
        "worker a was lost; others encode its clips (1 left)",
        "worker c has joined",
        "worker b was lost; others encode its clips (1 left)",
    ]
    assert {record.levelname for record in caplog.records} == {"INFO"}  # shown by -v alone


def test_a_worker_that_comes_late_is_waited_for(empty, hire):
    hire()
    assert on_cluster(abs, [-1], empty / "scheduler.json") == {0: 1}


@pytest.mark.slow
def test_what_came_before_the_last_worker_died_is_not_lost(empty, hire):
    def die_at_three(task):
        import os
        import signal

        if task == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    hire()
    on_cluster(abs, [0], empty / "scheduler.json")  # the worker is there
    results = map_on_cluster(die_at_three, range(9), address=empty / "scheduler.json", n_ahead=1, worker_timeout=0.5)
    assert [next(results) for _ in range(3)] == [(0, 0), (1, 1), (2, 2)]
    with pytest.raises(ClusterError, match=r"has no workers, waited 0\.5 s"):
        next(results)


@pytest.fixture
def outdated(tmp_path) -> str:
    """A folder that makes a worker believe that our package is another version."""
    package = tmp_path / "spikedata"
    package.mkdir()
    (package / "__init__.py").write_text(f"__version__, __path__ = '0.0.1', {list(spikedata.__path__)}", "utf-8")
    return str(tmp_path)


def test_a_worker_with_another_version_is_refused_before_the_first_task(empty, hire, outdated):
    def must_not_be_read():
        raise AssertionError
        yield

    hire(path=outdated)
    message = rf"^worker tcp://\S+ has spikedata 0\.0\.1, this machine {spikedata.__version__}: install the same .*$"
    with pytest.raises(ClusterError, match=message):
        on_cluster(abs, must_not_be_read(), empty / "scheduler.json")


@pytest.mark.slow
def test_a_worker_with_another_version_that_joins_later_is_refused(empty, hire, outdated, tmp_path):
    def die_in_the_good_worker(task):
        import os
        import signal

        import spikedata

        if spikedata.__version__ != "0.0.1" and task == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    hire()
    results = map_on_cluster(die_in_the_good_worker, range(9), address=empty / "scheduler.json", n_ahead=1)
    next(results)
    hire(path=outdated)
    with pytest.raises(ClusterError, match=r"^worker \S+ has spikedata 0\.0\.1, this machine"):
        list(results)


def test_a_worker_without_our_package_is_refused(empty, hire, tmp_path):
    (tmp_path / "spikedata.py").write_text("raise ModuleNotFoundError('not here')", "utf-8")
    hire(path=str(tmp_path))
    with pytest.raises(ClusterError, match=rf"^worker tcp://\S+ cannot load spikedata {spikedata.__version__}: .*$"):
        on_cluster(abs, [1], empty / "scheduler.json")


@pytest.mark.slow
def test_a_worker_with_another_scipy_is_warned_of(empty, hire, tmp_path, caplog):
    about = tmp_path / "scipy-0.0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n", "utf-8")
    hire(path=str(tmp_path))
    assert on_cluster(abs, [-1], empty / "scheduler.json") == {0: 1}
    warnings = [record.getMessage() for record in caplog.records if "last bits" in record.getMessage()]
    assert len(warnings) == 1
    assert "has scipy 0.0.1, this machine" in warnings[0]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:1", "no scheduler can be reached: Timed out"),
        ("tcp://127.0.0.1", "no scheduler can be reached: missing port"),
        ("tls://127.0.0.1:1", "no certificates"),
        ("http://127.0.0.1:8787", "no such scheduler file; an address looks like tcp://host:8786"),
        ("absent.json", "no such scheduler file"),
        (__file__, "not a scheduler file"),
    ],
)
def test_a_bad_address_is_told_in_one_line(address, reason):
    with pytest.raises(ClusterError, match=rf"^{address}: {reason}[^\n]*$"):
        on_cluster(abs, [1], address, connect_timeout=0.2)


@pytest.mark.slow
def test_a_server_of_another_kind_is_not_waited_for_for_ever():
    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(ClusterError, match=r"no scheduler can be reached: [^\n]+$"):
            on_cluster(abs, [1], f"tcp://127.0.0.1:{server.server_port}", connect_timeout=0.2)
        server.shutdown()


def test_a_worker_is_no_scheduler(cluster):
    with distributed.Client(scheduler_file=cluster.file, set_as_default=False) as client:
        worker = next(iter(client.nthreads()))
    with pytest.raises(ClusterError, match="this is the address of a Worker"):
        on_cluster(abs, [1], worker)


@pytest.mark.slow
def test_the_scheduler_may_die_and_is_told_in_one_line(start_scheduler, caplog):
    folder = start_scheduler()
    worker = start_worker(folder)
    with closing(map_on_cluster(abs, range(9), address=folder / "scheduler.json", n_ahead=1)) as results:
        next(results)
        with distributed.Client(scheduler_file=str(folder / "scheduler.json"), set_as_default=False) as client:
            pid = client.run_on_scheduler(os.getpid)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ClusterError, match=r"^tcp://\S+: the scheduler [^\n]*$"):
            list(results)
    end(worker)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def worker_of(file: str) -> int:
    """Process number of a worker, not of its nanny."""
    with closing(distributed.Client(scheduler_file=file, set_as_default=False)) as client:
        return next(iter(client.run(os.getpid).values()))


def test_an_encoding_gives_the_bytes_of_a_local_one_though_a_worker_dies(cluster, listing, tmp_path):
    cluster.wait_for_workers()
    told: list[int] = []

    def kill_a_worker(n_done: int, _: int) -> None:
        told.append(n_done)
        if len(told) == 2:  # the first is what was there before
            os.kill(worker_of(cluster.file), signal.SIGKILL)

    done = encode_clips(
        listing, tmp_path / "there.h5", preset="published", cluster=cluster.file, on_progress=kill_a_worker
    )
    encode_clips(listing, tmp_path / "here.h5", preset="published")
    assert len(told) > 2
    assert (tmp_path / "there.h5").read_bytes() == (tmp_path / "here.h5").read_bytes()
    assert done.sound_duration == pytest.approx(150 * 0.005)
    assert {path.name for path in tmp_path.iterdir()} == {"here.h5", "there.h5"}


def test_an_encoding_that_a_cluster_cannot_finish_keeps_what_came(cluster, listing, tmp_path):
    cluster.wait_for_workers()
    bad = shutil.copytree(listing.clips[0].root, tmp_path / "noises")
    clips = list_clips("folder", bad)
    clips.clips[-1].path.write_text("no sound")
    with pytest.raises(AudioError, match="not a readable recording"):
        encode_clips(clips, tmp_path / "x.h5", preset="published", cluster=cluster.file)
    clips.clips[-1].path.write_bytes(listing.clips[-1].path.read_bytes())
    encode_clips(clips, tmp_path / "x.h5", preset="published")
    encode_clips(listing, tmp_path / "here.h5", preset="published")
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "here.h5").read_bytes()


def test_an_unusable_recording_is_skipped_on_a_cluster_as_it_is_here(cluster, listing, tmp_path):
    cluster.wait_for_workers()
    root = shutil.copytree(listing.clips[0].root, tmp_path / "noises")
    clips = list_clips("folder", root)
    empty, silent = clips.clips[3], clips.clips[-1]
    empty.path.write_bytes(b"")
    soundfile.write(silent.path, np.full(100, 0.25), 8000)
    reason = "silent: all 100 samples are 0.25"
    for name, address in {"there.h5": cluster.file, "here.h5": None}.items():
        out = tmp_path / name
        with pytest.raises(AudioError, match=f"^{empty.path}: the file is empty$|^{silent.path}: {reason}$"):
            encode_clips(clips, out, preset="published", cluster=address)
        done = encode_clips(clips, out, preset="published", cluster=address, on_error="skip")
        assert done.skipped == (f"{empty.name}: the file is empty", f"{silent.name}: {reason}")
    assert (tmp_path / "there.h5").read_bytes() == (tmp_path / "here.h5").read_bytes()
