"""Frames and the shared page: what one side writes the other reads, and nonsense ends in a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdbg.errors import ProtocolError
from stepdbg.protocol import frames
from stepdbg.protocol import messages as m
from stepdbg.protocol.messages import version
from stepdbg.protocol.page import NAME_BYTES, PHASE_NAMES, RING, Page, padded, unpadded


@given(st.lists(st.integers(1, 40), max_size=8))
def test_messages_survive_any_cutting_of_the_stream(cuts: list[int]) -> None:
    sent = [m.Ask(number, m.LookAt("model.weight", rows=number)) for number in range(4)]
    stream = b"".join(frames.encode(message) for message in sent)
    splitter, found, start = frames.Splitter("FromClient"), [], 0
    for cut in [*cuts, len(stream)]:
        found += splitter.feed(stream[start : start + cut])
        start += cut
    assert found == sent


@given(st.binary(max_size=200))
def test_hostile_bytes_end_in_a_protocol_error_or_wait_for_more(data: bytes) -> None:
    splitter = frames.Splitter("ToRank")
    complete = len(data) >= 4 and len(data) - 4 >= int.from_bytes(data[:4], "big")
    if complete or (len(data) >= 4 and int.from_bytes(data[:4], "big") > frames.MAX_FRAME):
        with pytest.raises(ProtocolError):
            splitter.feed(data)
    else:
        assert splitter.feed(data) == []


def test_a_frame_over_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(ProtocolError, match="over the limit"):
        frames.Splitter("ToRank").feed(b"\xff\xff\xff\xff")


def test_an_unknown_field_is_refused() -> None:
    import msgspec

    body = msgspec.msgpack.encode({"type": "Pause", "extra": 1})
    with pytest.raises(ProtocolError, match="malformed"):
        frames.decode("ToRank", body)


def test_no_frame_begins_like_a_line_of_json() -> None:
    assert frames.encode(m.Pause())[0] < 0x04


def test_the_page_carries_status_losses_and_the_bell(tmp_path: Path) -> None:
    ours = Page(tmp_path / "page", create=True)
    theirs = Page(tmp_path / "page")
    assert theirs.losses_since(0) == (0, [])
    ours.enter(123, "backward")
    ours.progress(3, None)
    ours.add_loss(3, 0, 0.5)
    assert theirs.losses_since(0) == (1, [(3, 0, 0.5)])
    assert theirs.status() == (3, None, 123, 0.5, "backward")
    ours.name_loss(0, "loss")
    assert theirs.loss_names() == ("loss",)
    assert not ours.bell()
    theirs.ring_bell()
    assert ours.bell()
    ours.clear_bell()
    assert not ours.bell()


def test_the_ring_keeps_the_newest_losses(tmp_path: Path) -> None:
    page = Page(tmp_path / "page", create=True)
    for update in range(RING + 10):
        page.add_loss(update, 0, float(update))
    sequence, points = page.losses_since(5)
    assert sequence == RING + 10
    assert [update for update, _, _ in points] == list(range(10, RING + 10))
    assert page.losses_since(sequence) == (sequence, [])


def test_whatever_the_phases_are_called_the_page_tells_the_one_that_began_last(tmp_path: Path) -> None:
    ours = Page(tmp_path / "page", create=True)
    theirs = Page(tmp_path / "page")
    assert theirs.status().phase == ""
    names = ["backward", *(f"fold {number}" for number in range(2 * PHASE_NAMES)), "fold 3", "backward", "ä" * 40]
    for now, name in enumerate(names, 1):
        ours.enter(now, name)
        status = theirs.status()
        assert (status.phase, status.since_ns) == (unpadded(padded(name)), now)


@given(st.text(max_size=80))
def test_a_padded_name_has_one_length_and_whole_characters(name: str) -> None:
    raw = padded(name)
    assert len(raw) == NAME_BYTES
    assert name.replace("\0", "").startswith(unpadded(raw).replace("\0", "")) or "\0" in name


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=8))
def test_text_that_is_no_utf8_travels_with_its_bytes_written_out(text: str) -> None:
    (notice,) = frames.Splitter("ToClient").feed(frames.encode(m.Notice(f"a{text}", "warning")))
    assert notice.text == f"a{text}".encode("utf-8", "backslashreplace").decode()


def test_tensor_bytes_stay_bytes_beside_text_that_is_no_utf8() -> None:
    (output,) = frames.Splitter("FromClient").feed(frames.encode(m.SendInput(b"\xff\x00")))
    assert output == m.SendInput(b"\xff\x00")
    assert frames.as_utf8({"caf\udce9": [b"\xff", ("\ud800", 1)]}) == {"caf\\udce9": [b"\xff", ["\\ud800", 1]]}


def test_a_question_of_any_file_travels_and_a_further_one_makes_another_version() -> None:
    asked, answered = m.Ask(3, m.ReadGraph("loss")), m.Answer(3, m.Refusal("no"))
    assert frames.decode("FromClient", frames.encode(asked)[4:]) == asked
    assert frames.decode("FromRank", frames.encode(answered)[4:]) == answered
    before = version.shapes()

    class Weigh(m.Question, frozen=True):
        """What a tensor weighs."""

        object: str

    assert version.shapes() != before
    with pytest.raises(ProtocolError, match="malformed"):  # the other side does not know it
        frames.decode("FromClient", frames.encode(m.Ask(4, Weigh("loss")))[4:])
