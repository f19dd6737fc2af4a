"""The descriptors of a training process are the script's: whatever it closes, opens or puts in another's place."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol.page import SIZE, Page

TRAINS = """
    import os, socket, sys, torch
    model = torch.nn.Linear(2, 1)
    def update():
        model(torch.ones(3, 2)).sum().backward()
    def opened():
        made = [open(f"{sys.argv[1]}/{n}", "wb+", buffering=0) for n in range(3)]
        pairs = [one for _ in range(3) for one in socket.socketpair()]
        print([one.fileno() for one in made + pairs])
        return made, pairs
    def used(made, pairs):
        for n, one in enumerate(made):
            one.write(b"row %d\\n" % n)
            one.seek(0)
            print(one.fileno(), one.read())
        for one in pairs:
            one.setblocking(False)
            try:
                print(one.fileno(), one.recv(1000))
            except BlockingIOError:
                print(one.fileno(), "nothing came")
            one.sendall(b"x")
    """
WAYS = {
    "opens files and sockets": "things = opened(); update(); used(*things)",
    "opens them after the first phase": "update(); things = opened(); update(); used(*things)",
    "closes what it has inherited": "os.closerange(3, 256); things = opened(); update(); used(*things)",
    "closes all there can be": "os.closerange(3, 4096); things = opened(); update(); used(*things)",
    "closes all there can be in mid training": "update(); os.closerange(3, 4096); things = opened(); update(); "
    "update(); used(*things)",
    "closes, and takes every number": "os.closerange(3, 4096); held = [os.open('/dev/null', 0) for _ in range(1010)]; "
    "update(); print([os.fstat(n).st_rdev for n in held] == [os.fstat(held[0]).st_rdev] * 1010)",
    "takes every number in mid training": "update(); os.closerange(3, 4096); a, b = socket.socketpair(); "
    "held = [os.dup(a.fileno()) for _ in range(1010)]; update(); update(); b.setblocking(False); "
    "print(all(os.fstat(n) for n in held))\n"
    "try: print(b.recv(100))\nexcept BlockingIOError: print('nothing came')",
    "puts its own in every place": "update(); log = os.open(sys.argv[1] + '/log', os.O_CREAT | os.O_RDWR); "
    "[os.dup2(log, n) for n in range(10, 1020)]; update(); update(); print(os.fstat(1015).st_size)",
    "is a daemon": "pid = os.fork()\n"
    "if pid: print(os.waitpid(pid, 0)[1]); sys.exit(0)\n"
    "os.setsid(); os.closerange(3, 4096); things = opened(); update(); used(*things)",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_scripts_descriptors_are_those_of_a_bare_run(tmp_path: Path, way: str) -> None:
    script = Path(write(tmp_path, TRAINS))
    script.write_text(script.read_text() + WAYS[way])
    expected = bare(str(script), str(tmp_path))
    assert expected[0] == 0
    with debuggee(str(script), str(tmp_path), go="continue") as training:
        for _ in training.stops("continue"):
            pass
        assert training.end() == expected


def test_a_page_is_there_whole_and_leaves_no_descriptor(tmp_path: Path) -> None:
    before = os.listdir("/dev/fd")
    page = Page(tmp_path / "page", create=True)
    assert os.listdir("/dev/fd") == before
    assert (tmp_path / "page").stat().st_blocks * 512 >= SIZE
    page.close()


def test_a_page_for_which_there_is_no_room_is_refused_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE - 1, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            Page(tmp_path / "page", create=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


PREVENTED = {
    "File too large": "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))",
    "Too many open files": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); held = []\n"
    "try:\n    while True: held.append(os.dup(0))\nexcept OSError: pass",
    "No such file or directory": "import shutil; shutil.rmtree(os.environ.get('STEPDBG_SESSION', '/nowhere'), True)",
}


@pytest.mark.parametrize("why", PREVENTED)
def test_a_process_that_cannot_be_followed_trains_and_says_why_in_one_line(tmp_path: Path, why: str) -> None:
    script = Path(write(tmp_path, TRAINS))
    script.write_text(
        script.read_text() + PREVENTED[why] + "\nfor _ in range(3): update()\n"
        "for one in globals().get('held', ()): os.close(one)\nprint('trained')"
    )
    expected = bare(str(script))
    with debuggee(str(script)) as training:
        (training.folder / "keep").write_text("")
        assert training.stop() is None
        assert training.end() == expected == (0, "trained\n", "")
        (failed,) = [word["failed"] for word in training.said if "failed" in word]
        assert why in failed
        assert "goes on undebugged" in failed
        training.folder.mkdir(exist_ok=True)  # which goes with the test
