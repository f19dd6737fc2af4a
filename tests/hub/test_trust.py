"""A runtime folder that others could write to once: what lies in it is trusted where it is the user's own alone."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.deadline import deadline
from hub.room import hub_here, runtime

from stepdbg.errors import SessionError, UsageError
from stepdbg.home.folders import STATE_VARIABLE, is_script_file, script_file
from stepdbg.hub.client import HubConnection
from stepdbg.hub.launch import Launch, start_hub
from stepdbg.hub.process.session_file import SessionFile, hub_listens, living_sessions, write_session_file
from stepdbg.protocol.runtime_folder import (
    CLIENT_SOCKET,
    RUNTIME_VARIABLE,
    new_session,
    runtime_folder,
    session_folder,
    sessions,
)

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")


def linked(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    folder.chmod(0o755)  # where it leads, which is not to be listed by itself


UNTRUSTED: dict[str, Callable[[Path], None]] = {
    "others may write there": lambda folder: folder.chmod(0o777),
    "a group may write there": lambda folder: folder.chmod(0o720),
    "others may read there": lambda folder: folder.chmod(0o705),
    "it is a link": linked,
}


@pytest.mark.parametrize("why", [*UNTRUSTED, pytest.param("it is another user's", marks=as_root)])
def test_a_folder_that_may_be_somebody_elses_is_neither_listed_nor_gone_to_nor_removed(why: str) -> None:
    with runtime():
        folder = new_session("x.py")
        write_session_file(folder, SessionFile(folder.name, "x.py", "/", 1, 0.0, "paused"))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / CLIENT_SOCKET))
            listener.listen()
            assert [session_file.name for session_file in living_sessions()] == [folder.name]
            assert session_folder(folder.name) == folder
            UNTRUSTED.get(why, lambda one: os.chown(one, NOBODY, NOBODY))(folder)
            assert folder.name not in sessions()
            assert folder.name not in [session_file.name for session_file in living_sessions()]
            with pytest.raises(SessionError, match="not a folder of yours alone"):
                session_folder(folder.name)
            with pytest.raises(SessionError, match="not a folder of yours alone"):
                asyncio.run(HubConnection.open(folder))
            assert os.path.lexists(folder)


@as_root
def test_a_hub_of_another_user_is_not_talked_to() -> None:
    program = (
        "import os, socket, sys; os.umask(0); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); "
        "os.setuid(65534); s.listen(); print('listens', flush=True); held = [s.accept() for _ in range(2)]; "
        "print([one.recv(99) for one, _ in held])"
    )
    with runtime():
        folder = new_session("x.py")
        hub = subprocess.Popen(
            [sys.executable, "-c", program, str(folder / CLIENT_SOCKET)], stdout=subprocess.PIPE, text=True
        )
        assert hub.stdout is not None
        assert hub.stdout.readline() == "listens\n"
        assert not hub_listens(folder)
        with pytest.raises(SessionError, match="another user"):
            asyncio.run(HubConnection.open(folder))
        assert hub.communicate(timeout=deadline(30))[0] == "[b'', b'']\n"


async def test_a_hub_of_ones_own_is_talked_to() -> None:
    async with hub_here() as hub:
        assert hub_listens(hub.folder)
        await (await HubConnection.open(hub.folder)).close()


def test_a_hub_names_no_file_to_be_written_but_those_of_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    assert is_script_file(script_file("/x/mnist.py", "mnist.py"))
    for other in ("/etc/passwd", "x.toml", f"{tmp_path}/hints.toml", f"{tmp_path}/scripts/../hints.toml",
                  f"{tmp_path}/scripts/a/x.toml", f"{tmp_path}/scripts/.bashrc"):  # fmt: skip
        assert not is_script_file(Path(other)), other


def test_a_relative_runtime_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUNTIME_VARIABLE, "here")
    with pytest.raises(UsageError, match="relative path; give an absolute one"):
        runtime_folder()


@pytest.mark.parametrize(
    ("limit", "says"), [("RLIMIT_FSIZE", "File too large"), ("RLIMIT_NOFILE", "Too many open files")]
)
def test_a_session_for_which_there_is_no_room_is_refused_in_one_line_and_leaves_nothing(limit: str, says: str) -> None:
    number = getattr(resource, limit)
    before = resource.getrlimit(number)
    with runtime() as folder:
        held = []
        try:
            if limit == "RLIMIT_NOFILE":
                held = [os.open(os.devnull, os.O_RDONLY)]
                resource.setrlimit(number, (held[0] + 1, before[1]))
            else:
                resource.setrlimit(number, (0, before[1]))
            with pytest.raises(UsageError, match=f"{says}.*{RUNTIME_VARIABLE}"):
                start_hub(Launch(("true",), "true", "/"))
        finally:
            resource.setrlimit(number, before)
            for one in held:
                os.close(one)
        assert list(folder.iterdir()) == []
