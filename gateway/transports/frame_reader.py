"""Reads WebSocket messages from a client's byte stream. Pure.

Small whole text frames, which is nearly all that phoenix.js sends, are read here. Every other frame (ping, close,
binary, fragments, reserved bits, no mask, long ones) is judged by the sans-I/O core of the websockets library. That is
made when such a frame comes and dropped when no message is open: kept, it would take 1.5 kB a client.
"""

import codecs
import struct
from math import inf
from typing import Final

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from roost.shared.deflate import BadDeflate, TooLarge, inflate
from roost.shared.frames import CloseCode, Control

try:
    from websockets.speedups import apply_mask
except ImportError:  # a wheel without the compiled part
    from websockets.utils import apply_mask

MAX_MESSAGE_BYTES: Final = 10_000_000
"""A longer message, in one frame or in several, ends the connection with 1009; unless another limit is given."""
MAX_TAIL_BYTES: Final = 4096
"""A frame of which part has arrived is kept here up to this size; a larger one is the library's to collect."""

LARGE_INFLATED_BYTES: Final = 64 * 1024
"""A compressed message that becomes larger than this is the last one that `feed` reads: few bytes can become many."""

_utf8: Final = codecs.getincrementaldecoder("utf-8")
_WHOLE_TEXT: Final = 0x81
_COMPRESSED: Final = 0x40
"""RSV1: the first frame of a compressed message (RFC 7692, section 6)."""
_OPCODE: Final = 0x0F
_DATA: Final = (Opcode.TEXT, Opcode.BINARY)
_MASKED: Final = 0x80
_MEDIUM: Final = 126
_LONG: Final = 127
_HEAD: Final = 6
"""Bytes before the payload of a short masked frame: two, and the mask."""


class BinaryMessage(bytes):
    """The payload of a binary message; text messages are plain bytes."""

    __slots__ = ()


class ControlMessage(bytes):
    """The payload of a ping or a pong, for a handler that wants to see it."""

    kind: Control


class FrameReader:
    """One client's stream: bytes in, messages out, and what the protocol itself wants answered in `outgoing`."""

    __slots__ = (
        "_compressed_text",
        "_deflated",
        "_library",
        "_max_message_bytes",
        "_message",
        "_owed",
        "_tail",
        "controls",
        "finished",
        "outgoing",
        "unread",
    )

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES, *, inflates: bool = False) -> None:
        """`inflates`: whether the client may send compressed messages."""
        self._max_message_bytes = max_message_bytes
        self._compressed_text = _WHOLE_TEXT | _COMPRESSED if inflates else _WHOLE_TEXT
        """How a whole text frame may begin besides _WHOLE_TEXT."""
        self._deflated = False
        """Whether the frame that the library is given begins a compressed message."""
        self.controls = False
        """Whether pings and pongs are among what `feed` answers."""
        self._tail = b""
        self._library: ServerProtocol | None = None
        self._owed = 0
        """Bytes of the current frame that the library has not seen yet."""
        self._message: _Message | None = None
        """What has come of a message in several frames."""
        self.unread = False
        """Whether `feed` stopped at its limit: whole frames may be left."""
        self.outgoing = b""
        """Pongs and close frames to be sent; the reader's owner takes them."""
        self.finished = False
        """Whether the closing handshake is over: the connection is to be closed when `outgoing` is sent."""

    @property
    def closing(self) -> bool:
        """Whether a close frame was sent, which is the last frame a client may be sent (RFC 6455, section 5.5.1)."""
        return self._library is not None and self._library.state is not OPEN

    @property
    def closed_with(self) -> int | None:
        """The code with which we have ended the connection; None if the client did, or broke the protocol."""
        library = self._library
        if library is None or library.close_sent is None or library.close_rcvd_then_sent or library.parser_exc:
            return None
        return library.close_sent.code

    def feed(self, data: bytes, limit: float = inf) -> list[bytes]:
        """The messages that are whole with these bytes. Text is valid UTF-8 (RFC 6455, section 8.1).

        At most so many frames are read, and none after a compressed message that is large; the next call goes on.
        """
        if self._tail:
            data = self._tail + data
            self._tail = b""
        self.unread = False
        size = len(data)
        if (
            _HEAD <= size < _MEDIUM
            and data[1] == _MASKED + size - _HEAD
            and data[0] == _WHOLE_TEXT
            and self._library is None
            and limit > 0
            and size <= self._max_message_bytes
        ):  # One short text and nothing else, as nearly every read is.
            payload = apply_mask(data[_HEAD:], data[2:_HEAD])
            if payload.isascii():
                return [payload]
        return self._read_frames(data, limit)

    def _read_frames(self, data: bytes, limit: float) -> list[bytes]:
        """The messages of any bytes: frames in parts, several at once, and whatever the library is to judge."""
        at, end = 0, len(data)
        messages: list[bytes] = []
        while at < end:
            if limit <= 0 or self.unread:
                self._tail = data[at:]
                self.unread = True
                break
            limit -= 1
            if self._library is not None:
                at = self._feed_library(self._library, data, at, messages)
                continue
            if end - at < _HEAD:
                if _looks_usual(data, at, end):
                    self._tail = data[at:]
                    break
                self._library = self._make_library()
                continue
            length = data[at + 1] & 0x7F
            head = _HEAD
            if length >= _MEDIUM:
                length = data[at + 2] << 8 | data[at + 3] if length == _MEDIUM else MAX_MESSAGE_BYTES
                head = 8
            stop = at + head + length
            if (
                (data[at] != _WHOLE_TEXT and data[at] != self._compressed_text)
                or data[at + 1] < _MASKED
                or (stop > end and length > MAX_TAIL_BYTES)
                or length > self._max_message_bytes
            ):
                self._library = self._make_library()
                continue
            if stop > end:
                self._tail = data[at:]
                break
            unmasked = apply_mask(data[at + head : stop], data[at + head - 4 : at + head])
            payload = unmasked if data[at] == _WHOLE_TEXT else self._inflate(unmasked)
            if payload is None or (not payload.isascii() and not self._is_text(payload)):
                break
            messages.append(payload)
            at = stop
        return messages

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; what the client still sends is read and dropped."""
        library = self._library or self._make_library()
        self._library = library
        if library.state is OPEN:
            library.send_close(code, reason)
            library.receive_data(self._tail)
            library.events_received()
            self._tail = b""
            self.unread = False
            self._collect(library)

    def _feed_library(self, library: ServerProtocol, data: bytes, at: int, messages: list[bytes]) -> int:
        """Give the library what belongs to the current frame; answers where the next one begins."""
        if library.state is not OPEN:
            library.receive_data(data[at:])
            library.events_received()  # or they would be kept
            self._collect(library)
            return len(data)
        if not self._owed:
            size = _frame_size(data, at)
            if size is None:
                self._tail = data[at:]
                return len(data)
            self._owed = size
            at = self._begin_frame(library, data, at)
        stop = min(at + self._owed, len(data))
        self._owed -= stop - at
        library.receive_data(data[at:stop])
        for event in library.events_received():
            assert isinstance(event, Frame)
            self._take(event, messages)
        self._collect(library)
        if not self._owed and self._message is None and library.state is OPEN:
            self._library = None
        return stop

    def _begin_frame(self, library: ServerProtocol, data: bytes, at: int) -> int:
        """Hide from the library, which knows nothing of it, that a message is compressed."""
        first = data[at]
        self._deflated = self._compressed_text != _WHOLE_TEXT and first & _COMPRESSED > 0 and first & _OPCODE in _DATA
        if not self._deflated:
            return at
        library.receive_data(bytes((first & ~_COMPRESSED,)))
        self._owed -= 1
        return at + 1

    def _take(self, frame: Frame, messages: list[bytes]) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._message = _Message(
                binary=frame.opcode is Opcode.BINARY, fragmented=not frame.fin, deflated=self._deflated
            )
        elif frame.opcode is not Opcode.CONT:
            if self.controls and frame.opcode is not Opcode.CLOSE:
                control = ControlMessage(frame.data)
                control.kind = Control.PING if frame.opcode is Opcode.PING else Control.PONG
                messages.append(control)
            return
        message = self._message
        if message is None:
            return
        message.payload += frame.data
        if message.decoder is not None and not self._may_become_text(message.decoder, frame):
            return
        if frame.fin:
            self._message = None
            whole = bytes(message.payload)
            payload = self._inflate(whole) if message.deflated else whole
            if payload is None:
                return
            if message.binary:
                messages.append(BinaryMessage(payload))
            elif self._is_text(payload):
                messages.append(payload)

    def _may_become_text(self, decoder: codecs.IncrementalDecoder, frame: Frame) -> bool:
        """Whether a text's fragments are valid so far: a client need not end its message to hear that they are not."""
        try:
            decoder.decode(frame.data)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
            return False
        return True

    def _is_text(self, payload: bytes) -> bool:
        try:
            payload.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
            return False
        return True

    def _inflate(self, payload: bytes) -> bytes | None:
        """A compressed message; None if it ends the connection."""
        try:
            inflated = inflate(payload, self._max_message_bytes)
        except BadDeflate:
            self._fail(CloseCode.INVALID_DATA)
            return None
        except TooLarge:
            self._fail(CloseCode.TOO_BIG)
            return None
        self.unread |= len(inflated) > LARGE_INFLATED_BYTES
        return inflated

    def _fail(self, code: CloseCode) -> None:
        self._message = None
        library = self._library or self._make_library()
        self._library = library
        library.fail(code)
        self._collect(library)

    def _make_library(self) -> ServerProtocol:
        return ServerProtocol(state=OPEN, max_size=self._max_message_bytes)

    def _collect(self, library: ServerProtocol) -> None:
        for data in library.data_to_send():
            if data:
                self.outgoing += data
            else:
                self.finished = True


class _Message:
    """A message whose frames are still coming: its bytes, for its frames may be many and empty."""

    __slots__ = ("binary", "decoder", "deflated", "payload")

    def __init__(self, *, binary: bool, fragmented: bool, deflated: bool) -> None:
        self.binary = binary
        self.deflated = deflated
        self.decoder = _utf8() if fragmented and not binary and not deflated else None
        self.payload = bytearray()


def _looks_usual(data: bytes, at: int, end: int) -> bool:
    """Whether what has arrived of a frame's head may be that of a whole text frame."""
    return data[at] == _WHOLE_TEXT and (end - at < 2 or data[at + 1] >= _MASKED)


def _frame_size(data: bytes, at: int) -> int | None:
    """The size of the frame that begins here, head included; None while too little of the head has arrived.

    A frame that the library refuses by its head may be told short; the library is not OPEN after that.
    """
    if len(data) - at < 2:
        return None
    length = data[at + 1] & 0x7F
    head = 6 if data[at + 1] & _MASKED else 2
    if length == _MEDIUM:
        if len(data) - at < 4:
            return None
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        head += 2
    elif length == _LONG:
        if len(data) - at < 10:
            return None
        (length,) = struct.unpack_from(">Q", data, at + 2)
        head += 8
    return head + length
