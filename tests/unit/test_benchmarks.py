"""The benchmarks' form and judgement. What they measure is not tested here: that depends on the machine."""

import json
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import measures, report, servers
from benchmarks.__main__ import main
from benchmarks.data import files
from benchmarks.data.player_process import RANGE, Player
from benchmarks.data.processes import asked, origin
from benchmarks.data.turns import Turns, ratio
from benchmarks.experiment import Bar, best_peer
from benchmarks.journal import Event, Journal, Kind, Reader
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.workload import Task, Workload

ROOT = Path(__file__).parents[2]
QUIET = Noise(loops=[0.010, 0.0105], others=[0.05])
NOISY = Noise(loops=[0.010, 0.018], others=[0.6])
AT_MOST_10 = Bar("at most 10 s", 10.0)
AT_LEAST_HALF = Bar("at least 0.5 x", 0.5, upper=False)


def test_result_of_callspool_bears_its_bar() -> None:
    judged = AT_MOST_10.judge(figure("w1.makespan", OURS, [9.0, 8.0, 12.0], "s"), QUIET)

    fields = json.loads(judged.line())

    assert {name: fields[name] for name in ("figure", "subject", "value", "unit", "min", "max", "runs")} == {
        "figure": "w1.makespan",
        "subject": "callspool",
        "value": 9.0,
        "unit": "s",
        "min": 8.0,
        "max": 12.0,
        "runs": 3,
    }
    assert (fields["bar"], fields["holds"]) == ("at most 10 s", True)


def test_result_of_a_peer_bears_no_bar() -> None:
    fields = json.loads(figure("w1.makespan", "rq 3.0.0", [12.0], "s").line())

    assert not {"bar", "holds", "why"} & fields.keys()


def test_result_that_could_not_be_measured_says_why() -> None:
    judged = AT_MOST_10.judge(figure("w1.makespan", OURS, [], "s", "did not run: no server"), QUIET)

    fields = json.loads(judged.line())

    assert (fields["value"], fields["runs"], fields["holds"]) == (None, 0, None)
    assert fields["why"] == "did not run: no server"


@pytest.mark.parametrize(
    ("value", "noise", "holds"),
    [
        (10.0, QUIET, True),
        (10.5, QUIET, False),
        (10.0, NOISY, True),
        (12.0, NOISY, None),
        (50.0, NOISY, False),  # no noise explains that
    ],
)
def test_missed_bar_is_unknown_only_where_noise_may_explain_it(value: float, noise: Noise, holds: bool | None) -> None:
    judged = AT_MOST_10.judge(figure("w1.makespan", OURS, [value], "s"), noise)

    assert judged.holds is holds
    assert bool(judged.why) is (holds is not True)


def test_bar_from_below_is_judged_the_other_way_round() -> None:
    bar = Bar("at least 100", 100.0, upper=False)

    verdicts = [bar.judge(figure("w2.jobs", OURS, [value], "jobs/s"), QUIET).holds for value in (99.0, 100.0)]

    assert verdicts == [False, True]


def test_best_peer_is_neither_callspool_nor_the_baseline_nor_one_that_did_not_end() -> None:
    figures = [
        figure("w1.makespan", OURS, [1.0], "s"),
        figure("w1.makespan", "sleeping worker", [2.0], "s"),
        figure("w1.makespan", "saq 1", [3.0], "s", "not done in 90 s; it was ended there"),
        figure("w1.makespan", "rq 1", [5.0], "s"),
        figure("w1.makespan", "celery 1", [6.0], "s"),
        figure("w1.cpu", "celery 1", [0.1], "s"),
    ]

    best = best_peer(figures, "w1.makespan")

    assert best is not None
    assert best.subject == "rq 1"


def test_unknown_name_ends_with_2_and_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])

    assert ended.value.code == 2
    assert "slots" in capsys.readouterr().err


def test_unknown_figure_ends_with_2_and_lists_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["slots", "--only", "nonsense"])

    assert status == 2
    said = capsys.readouterr().err
    assert "'nonsense'" in said
    assert "w1.makespan" in said


def test_unknown_subject_ends_with_2_and_lists_the_subjects(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["slots", "--subjects", "callspool,nonsense"])

    assert status == 2
    said = capsys.readouterr().err
    assert "'nonsense'" in said
    assert "callspool" in said


@pytest.mark.usefixtures("valkey")
def test_one_figure_is_measured_and_printed_as_one_line() -> None:
    command = [sys.executable, "-m", "benchmarks", "slots", "--only", "handoff.p50", "--json"]

    done = subprocess.run(
        [*command, "--subjects", OURS, "--runs", "1"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    fields = json.loads(line)
    assert (fields["figure"], fields["subject"], fields["runs"]) == ("handoff.p50", "callspool", 1)
    assert fields["value"] > 0


def test_journal_outlives_a_kill(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from benchmarks.journal import Journal;"
        "journal = Journal(Path(sys.argv[1])); journal.started(7); os.kill(os.getpid(), signal.SIGKILL)"
    )

    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, timeout=60)

    reader = Reader(tmp_path)
    assert (reader.count(Kind.START), reader.count(Kind.END)) == (1, 0)
    assert reader.read() == 1
    assert reader.tasks(Kind.START) == {7}


def test_who_watches_counts_each_event_of_all_processes_once(tmp_path: Path) -> None:
    journals, reader = [Journal(tmp_path), Journal(tmp_path)], Reader(tmp_path)

    for count in (1000, 1, 0):
        for task in range(count):
            journals[0].started(task)
            journals[1].ended(task)
        reader.count(Kind.START)

    assert (reader.count(Kind.START), reader.count(Kind.END), reader.count(Kind.START, Kind.END)) == (1001, 1001, 2002)
    assert reader.tasks(Kind.END) == frozenset(range(1000))


def test_measures_of_two_tenants() -> None:
    load = Workload("made", tuple(Task(n, n // 4, 1.0) for n in range(6)), slots=2)
    events = _events([(0, 0.0, 1.0), (1, 0.5, 1.5), (2, 1.25, 2.0), (3, 1.5, 2.5), (4, 0.75, 1.0), (5, 1.0, 4.0)])

    assert measures.makespan_s(events) == 4.0
    assert measures.most_at_once(events, load) == 2
    assert measures.hand_offs_s(events, load) == [0.0, 0.25]
    assert measures.waits_s(events, load)[-1] == 1.5
    assert measures.wasted_tries([*events, Event(0.1, Kind.TRY, 5, 0.0, "a")], load) == pytest.approx(1 / 6)


def test_more_jobs_than_slots_are_seen() -> None:
    load = Workload("made", tuple(Task(n, 0, 1.0) for n in range(3)), slots=2)

    assert measures.most_at_once(_events([(0, 0.0, 1.0), (1, 0.1, 1.1), (2, 0.9, 2.0)]), load) == 3


def test_processor_time_is_counted_from_the_first_event_of_each_process() -> None:
    events = [Event(1.0, Kind.START, 0, 5.0, "a"), Event(2.0, Kind.END, 0, 5.5, "a"), Event(1.5, Kind.END, 1, 9.0, "b")]

    assert measures.worker_cpu_s(events) == 0.5


def test_page_is_written_from_the_results_alone(tmp_path: Path) -> None:
    ours = AT_MOST_10.judge(figure("w1.makespan", OURS, [3.5], "s"), QUIET)
    theirs = figure("w1.makespan", "rq 3.0.0", [5.25], "s")
    absent = Figure("w1.makespan", "saq 0.1", None, "s", None, None, 0, "did not run: no such package")
    results = tmp_path / "results.jsonl"
    results.write_text("".join(one.line() + "\n" for one in (ours, theirs, absent)))

    page = report.write([results], tmp_path).read_text()

    assert "| W1, 32 seats: makespan | 3.500 s | at most 10 s | holds |" in page
    assert "5.250" in page
    assert "did not run: no such package" in page
    assert "rq 3.0.0" in (tmp_path / "benchmarks" / "w1-makespan.svg").read_text()


def test_what_bounds_a_workload_stands_below_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profiled = [
        replace(part, bound="Nine tenths are the hash.") for part in report.SLOTS if part.title == "W3: kill -9"
    ]
    monkeypatch.setattr(report, "SLOTS", profiled)
    results = tmp_path / "results.jsonl"
    results.write_text(figure("w3.recovery", OURS, [5.1], "s").line() + "\n")

    page = report.write([results], tmp_path).read_text()

    assert page.index("5.100") < page.index("**What bounds it.** Nine tenths are the hash.")


def test_ratio_is_that_of_runs_side_by_side() -> None:
    ours, theirs = Turns(OURS, {"rate": [50.0, 10.0, 60.0]}, QUIET), Turns("nginx 1", {"rate": [100.0, 20.0, 90.0]})

    (found,) = ratio("ranges.of_nginx", "rate", {OURS: ours, "nginx": theirs}, "nginx", AT_LEAST_HALF)

    assert (found.value, found.min, found.holds) == (0.5, 0.5, True)


def test_ratio_to_a_peer_that_is_missing_is_unknown_and_says_why() -> None:
    ours, theirs = Turns(OURS, {"rate": [50.0]}, QUIET), Turns("nginx", note="nginx is not installed here")

    (found,) = ratio("ranges.of_nginx", "rate", {OURS: ours, "nginx": theirs}, "nginx", AT_LEAST_HALF)

    assert (found.value, found.holds, found.why) == (None, None, "nginx is not installed here")


def test_player_refuses_bytes_that_are_not_the_files(tmp_path: Path) -> None:
    """Else a fast and wrong answer would win."""
    played, served = tmp_path / "played.wav", tmp_path / "served.wav"
    played.write_bytes(b"a" * 2 * RANGE)
    served.write_bytes(b"b" * 2 * RANGE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_answer_once, args=(listener, served.read_bytes()[:RANGE]))
        answering.start()
        with pytest.raises(RuntimeError, match="not the file's bytes"):
            Player(listener.getsockname()[1], "/served.wav", played)
        answering.join()


def test_data_path_is_measured_beside_its_peer_and_written_on_the_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "datapath", "--only", "download.many", "--runs", "1", "--json"]

    done = subprocess.run([*command, "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    found = {(line["figure"], line["subject"]): line for line in map(json.loads, done.stdout.splitlines())}
    assert found["download.many.rate", "local file"]["value"] > 0
    ours = found["download.many.of_limit", OURS]
    assert (ours["bar"], ours["runs"]) == ("at least 0.5 x the local files", 1)
    assert "holds" in ours
    results = tmp_path / "results.jsonl"
    results.write_text(done.stdout)
    page = report.write([results], tmp_path).read_text()
    assert "### 32 downloads of 1 MB at once" in page
    assert "The scheduler" not in page


def test_results_of_the_player_have_a_section(tmp_path: Path) -> None:
    results = tmp_path / "player.jsonl"
    painted = Bar("sooner than wavesurfer.js", 500.0).judge(figure("drawing.painted", OURS, [90.0], "ms"), QUIET)
    peer = figure("drawing.painted", "wavesurfer.js 8.0.1", [500.0], "ms")
    results.write_text(f"{painted.line()}\n{peer.line()}\n")

    page = report.write([results], tmp_path).read_text()

    assert "## The player" in page
    assert "| 20 timelines, until they are painted | 90 ms | sooner than wavesurfer.js | holds |" in page
    assert page.index("## The player") < page.index("| wavesurfer.js 8.0.1 |")
    assert (tmp_path / "benchmarks" / "drawing-painted.svg").is_file()


@pytest.mark.usefixtures("valkey")
@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_proof_is_measured_from_the_last_byte_to_ready(tmp_path: Path, kind: str) -> None:
    made = (files.wav_file if kind == "wav" else files.mp3_file)(tmp_path / f"some.{kind}", 5)
    warm = files.wav_file(tmp_path / "warm.wav", 1)
    given: list[str | Path] = ["--warm", warm, "--folder", tmp_path / "kept", "--url"]

    with servers.valkey() as server:
        kept = asked("benchmarks.data.proof_process", "keep", made, *given, server.url)
    alone = asked("benchmarks.data.proof_process", "decode", made)

    assert kept["seconds"] > 0
    assert kept["cpu"] >= 0  # the system counts it in hundredths of a second
    assert alone["cpu"] >= 0


def test_reserve_client_downloads_through_the_same_code(tmp_path: Path) -> None:
    pytest.importorskip("httpx2", reason="httpx2 is in the dependency group bench: `make bench` installs it")
    size = 300_000
    file = files.noise_file(tmp_path / "file", size)
    with origin(file) as (_, url):
        given: list[str | Path | int] = ["--url", url, "--file", file, "--folder", tmp_path, "--size", size]
        told = asked("benchmarks.data.fetch_process", "fallback", *given, "--count", 2)
    assert told["seconds"] > 0


def _answer_once(listener: socket.socket, body: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 206 Partial Content\r\ncontent-length: {RANGE}\r\n\r\n".encode() + body)


def _events(spans: list[tuple[int, float, float]]) -> list[Event]:
    return [
        Event(at, kind, task, 0.0, "a")
        for task, begin, end in spans
        for kind, at in ((Kind.START, begin), (Kind.END, end))
    ]
