"""Whatever a peer sends ends that one connection, and the session goes on."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from harness.deadline import deadline
from hub.room import Screen, hub_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdbg.errors import ProtocolError, SessionError
from stepdbg.hub.process.connections import ProcessDecoder
from stepdbg.protocol import frames
from stepdbg.protocol.messages import PROTOCOL_VERSION, ClientHello, LossPoint, Notice, RankHello, Steer, Welcome
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, RANK_SOCKET
from stepdbg.testing import FakeDebuggee

HELLO = frames.encode(ClientHello(PROTOCOL_VERSION))
HOSTILE = {
    "noise": b"\xff" * 100,
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n",
    "a frame of four gigabytes": b"\xff\xff\xff\xff",
    "a frame that is no message": b"\x00\x00\x00\x01\xc1",
    "no hello first": frames.encode(Steer("next")),
    "a message of the other direction": HELLO + frames.encode(Welcome(1, None)),  # type: ignore[arg-type]
    "nested lists without end": b"\x00\x01\x00\x00" + b"\x91" * 65536,
    "a second hello": HELLO + HELLO,
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("door", [CLIENT_SOCKET, RANK_SOCKET])
async def test_hostile_bytes_end_their_own_connection_only(what: str, door: str) -> None:
    async with hub_here() as hub:
        FakeDebuggee(hub.folder).start()
        screen = await Screen.open(hub.folder)
        await screen.until_next("data")
        reader, writer = await asyncio.open_unix_connection(str(hub.folder / door))
        writer.write(HOSTILE[what])
        async with asyncio.timeout(deadline(10)):
            while await reader.read(1 << 16):
                pass
        writer.close()
        screen.connection.send(Steer("next"))
        await screen.until_next("zero_grad")


async def test_a_client_of_another_version_is_told_so() -> None:
    async with hub_here() as hub:
        reader, writer = await asyncio.open_unix_connection(str(hub.folder / CLIENT_SOCKET))
        writer.write(frames.encode(ClientHello(PROTOCOL_VERSION + 1)))
        splitter = frames.Splitter("ToClient")
        (message,) = splitter.feed(await reader.read(1 << 16))
        assert isinstance(message, Notice)
        assert "version" in message.text
        writer.close()


async def test_a_rank_whose_page_lies_elsewhere_is_refused() -> None:
    async with hub_here() as hub:
        reader, writer = await asyncio.open_unix_connection(str(hub.folder / RANK_SOCKET))
        writer.write(frames.encode(RankHello(PROTOCOL_VERSION, 1, 0, 1, "../../etc/passwd", "", "")))
        async with asyncio.timeout(deadline(10)):
            assert await reader.read() == b""
        writer.close()
        assert hub.session.ranks == {}


async def test_a_hub_that_is_not_there_is_a_session_error() -> None:
    async with hub_here() as hub:
        with pytest.raises(SessionError, match="has ended"):
            await Screen.open(hub.folder / "nowhere")


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=10))
def test_any_bytes_are_words_or_a_protocol_error(data: bytes, cuts: list[int]) -> None:
    words = ProcessDecoder()
    position = 0
    try:
        for cut in [*cuts, len(data)]:
            for word in words.feed(data[position : position + cut]):
                assert isinstance(word, dict | msgspec.Struct)
            position += cut
    except ProtocolError:
        pass


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.text(max_size=20), st.integers(0, 9)), max_size=8), st.integers(1, 40))
def test_lines_and_frames_come_out_as_they_went_in_however_they_are_cut(said: list[object], size: int) -> None:
    stream = b""
    expected: list[object] = []
    for item in said:
        if isinstance(item, str):
            stream += json.dumps({"word": item}).encode() + b"\n"
            expected.append({"word": item})
        else:
            stream += frames.encode(Notice(str(item)))
            expected.append(Notice(str(item)))
    words = ProcessDecoder()
    found: list[object] = []
    for start in range(0, len(stream), size):
        found += words.feed(stream[start : start + size])
    assert found == expected


def test_a_loss_point_is_small_on_the_wire() -> None:
    assert len(msgspec.msgpack.encode(LossPoint(1000, 0, 0.5))) <= 14
