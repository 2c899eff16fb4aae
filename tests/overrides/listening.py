"""Event streams as a client of the test reads them, by hand: exactly what came, and when."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Stream:
    """One open stream."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: dict[str, str]
    heartbeats: int = 0
    events: "asyncio.Queue[Event]" = field(default_factory=asyncio.Queue)

    async def next(self, seconds: float = 15) -> "Event":
        return await asyncio.wait_for(self.events.get(), seconds)

    async def end(self, seconds: float = 15) -> "Event":
        """The event that ends the stream, whatever comes before it."""
        while (event := await self.next(seconds)).name != "end":
            pass
        return event

    async def read(self) -> None:
        """Take what comes until the stream ends, chunk by chunk."""
        text = b""
        while size := int((await self.reader.readline()).strip() or b"0", 16):
            text += (await self.reader.readexactly(size + 2))[:-2]
            while b"\n\n" in text:
                block, _, text = text.partition(b"\n\n")
                self._take(block.decode())

    def _take(self, block: str) -> None:
        if block.startswith(":"):
            self.heartbeats += 1
            return
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if "event" in fields:
            data = json.loads(fields["data"])
            self.events.put_nowait(Event(fields["event"], fields.get("id", ""), data, time.monotonic()))


@dataclass
class Event:
    name: str
    id: str
    data: Any
    at: float


async def connect(url: str, key: str = "", **headers: str) -> Stream:
    """Open a stream; its head is read."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection("127.0.0.1", parts.port)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    sent = {"Host": "localhost", "Accept": "text/event-stream", **headers}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    lines = [f"GET {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in sent.items()), "", ""]
    writer.write("\r\n".join(lines).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return Stream(reader, writer, int(head[0].split()[1]), found)


@dataclass
class Streaming:
    """Several streams, read in the background."""

    streams: list[Stream]
    tasks: list["asyncio.Task[None]"]

    async def next(self, seconds: float = 15) -> list[Event]:
        return list(await asyncio.gather(*(each.next(seconds) for each in self.streams)))

    async def end(self, seconds: float = 15) -> list[Event]:
        return list(await asyncio.gather(*(each.end(seconds) for each in self.streams)))

    async def ended(self, seconds: float = 15) -> None:
        await asyncio.wait_for(asyncio.gather(*self.tasks), seconds)


@asynccontextmanager
async def streaming(url: str, key: str, count: int = 1, **headers: str) -> AsyncIterator[Streaming]:
    """Open so many streams, and close them in the end, whatever happens."""
    streams = list(await asyncio.gather(*(connect(url, key, **headers) for _ in range(count))))
    found = Streaming(streams, [asyncio.create_task(each.read()) for each in streams])
    try:
        yield found
    finally:
        for each in streams:
            each.writer.close()
        await asyncio.gather(*found.tasks, *(each.writer.wait_closed() for each in streams), return_exceptions=True)
