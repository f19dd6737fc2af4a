"""However many clients come, and whatever they do not read or say: the hub's memory is bounded, and ranks stay."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from hub.room import DEADLINE, Screen, hub_here

from stepdbg.hub.process import connections as links
from stepdbg.hub.process.connections import ClientLink, ProcessLink
from stepdbg.hub.process.server import LONGEST_FROM_CLIENT, LONGEST_HELLO, MOST_CLIENTS, Hub
from stepdbg.protocol import frames
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    AddBreakpoint,
    Breakpoint,
    ClientHello,
    RankHello,
    SendInput,
    Steer,
)
from stepdbg.protocol.page import Page
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, RANK_SOCKET
from stepdbg.testing import FakeDebuggee

HELLO = frames.encode(ClientHello(PROTOCOL_VERSION))


async def connection(hub: Hub, door: str, *said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(hub.folder / door))
    for one in said:
        writer.write(one)
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that was said, once the hub has hung up."""
    async with asyncio.timeout(DEADLINE):
        said = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 18):
                said = said[-1000:] + data
        return said


def unread(hub: Hub) -> int:
    return sum(link.unread for link in hub._links if isinstance(link, ClientLink))


async def test_of_hundreds_of_silent_clients_most_are_refused_and_training_is_stepped_as_before() -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        silent = [await connection(hub, CLIENT_SOCKET) for _ in range(300)]
        refused = [b"no more can be" in await ended(reader) for reader, _ in silent[MOST_CLIENTS:]]
        assert all(refused)
        assert sum(isinstance(link, ClientLink) for link in hub._links) <= MOST_CLIENTS
        screen.connection.send(Steer("next"))
        await screen.until_next("zero_grad")
        FakeDebuggee(hub.folder).start()  # another process of the target still is let in
        await screen.until(lambda one: len(one.session.ranks) == 2)
        for _, writer in silent:
            writer.close()


async def test_clients_that_do_not_read_are_cut_off_before_much_waits_for_all_together(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("stepdbg.hub.process.server.MOST_UNREAD", 4 * 1024 * 1024)
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        deaf = [await connection(hub, CLIENT_SOCKET, HELLO) for _ in range(10)]
        await screen.until(lambda one: one.session.clients == 11)
        for reader, _ in deaf:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
        for number in range(100):
            hub.session.notify(f"{number} " + "x" * 100_000)
            await screen.until(lambda one, number=number: one.heard[-1:] and f"{number} x" in str(one.heard[-1])[:40])
            hub._relieve()
            assert unread(hub) <= 4 * 1024 * 1024
        screen.connection.send(Steer("next"))
        await screen.until_next("zero_grad")
        assert screen.session.clients < 11
        for _, writer in deaf:
            writer.close()


async def test_a_client_that_says_more_than_a_rank_can_hear_is_cut_off_and_the_rank_is_not() -> None:
    async with hub_here() as hub:
        page = Page(hub.folder / "page-1", create=True)
        hello = RankHello(PROTOCOL_VERSION, 1, 0, 1, "page-1", "", "")
        rank, rank_writer = await connection(hub, RANK_SOCKET, frames.encode(hello))
        screen = await Screen.open(hub.folder)
        await screen.until(lambda one: one.session.ranks)
        rank._transport.pause_reading()  # type: ignore[attr-defined]
        flood = b"".join(frames.encode(AddBreakpoint(Breakpoint(0, f"phase {n}" + "x" * 900))) for n in range(490))
        reader, writer = await connection(hub, CLIENT_SOCKET, HELLO, flood)
        await ended(reader)
        assert [link.unread > links.MOST_UNHEARD for link in hub._links if isinstance(link, ProcessLink)] == [True]
        assert hub.session.ranks[0].peer is not None
        writer.close()
        rank_writer.close()
        page.close()


async def test_a_frame_is_as_long_as_what_a_client_has_to_say() -> None:
    async with hub_here() as hub:
        long_hello = (LONGEST_HELLO + 1).to_bytes(4, "big")
        long_word = (LONGEST_FROM_CLIENT + 1).to_bytes(4, "big")
        for said in ((long_hello,), (HELLO, long_word)):
            reader, writer = await connection(hub, CLIENT_SOCKET, *said)
            await ended(reader)
            writer.close()
        pasted = frames.encode(SendInput(b"x" * (LONGEST_FROM_CLIENT - 100)))
        assert len(pasted) < LONGEST_FROM_CLIENT
        await connection(hub, CLIENT_SOCKET, HELLO, pasted)


async def test_a_process_that_connects_and_says_nothing_is_let_go(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("stepdbg.hub.process.server.HELLO_SECONDS", 0.05)
    async with hub_here() as hub:
        with socket.socket(socket.AF_UNIX) as silent:
            silent.setblocking(False)
            await asyncio.get_running_loop().sock_connect(silent, str(hub.folder / RANK_SOCKET))
            async with asyncio.timeout(DEADLINE):
                assert await asyncio.get_running_loop().sock_recv(silent, 1) == b""
