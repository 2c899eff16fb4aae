"""A small S3-compatible store on loopback: what boto3 asks of one for exports, signatures checked, faults at will."""

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

BUCKET, ACCESS_KEY, SECRET_KEY, REGION = "evidence", "test-access", "test-secret", "eu-test-1"


@dataclass
class Store:
    """`objects` by key. `refuses`: an answer for every request from now on, such as (503, "SlowDown")."""

    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Of uploads."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: tuple[int, str] | None = None
    versioning: str = ""
    """Of the bucket: as it was never set, Enabled or Suspended."""

    @property
    def address(self) -> str:
        """As `ANSWERABLE_EXPORT_STORAGE` has it."""
        return f"s3://{BUCKET}/exports/here?endpoint=http://127.0.0.1:{self.port}&region={REGION}&path_style=yes"


@contextmanager
def store() -> Iterator[Store]:
    found = Store()

    class Handler(_Handler):
        there = found

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    there: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    # --- verbs --------------------------------------------------------------------------------------------------------
    def do_HEAD(self) -> None:
        if (key := self._admitted()) is None:
            return
        data = self.there.objects.get(key)
        self._answer(200 if data is not None else 404, length=len(data or b""), etag=data)

    def do_GET(self) -> None:
        if (key := self._admitted()) is None:
            return
        if "uploads" in self._query():
            self._answer(200, self._listed(self._query().get("prefix", "")))
            return
        if "versioning" in self._query():
            status = f"<Status>{self.there.versioning}</Status>" if self.there.versioning else ""
            self._answer(200, f"<VersioningConfiguration>{status}</VersioningConfiguration>".encode())
            return
        data = self.there.objects.get(key)
        if data is None:
            self._refuse(404, "NoSuchKey")
            return
        span = self.headers.get("Range")
        if span is None:
            self._answer(200, data, etag=data)
            return
        first, last = span.removeprefix("bytes=").split("-")
        part = data[int(first) : int(last) + 1]
        self._answer(206, part, etag=data, headers={"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def do_PUT(self) -> None:
        body = self._body()
        if (key := self._admitted()) is None:
            return
        query = self._query()
        if "uploadId" in query:
            self.there.uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            self.there.objects[key] = body
        self._answer(200, etag=body)

    def do_POST(self) -> None:
        self._body()
        if (key := self._admitted()) is None:
            return
        query = self._query()
        if "uploads" in query:
            upload = f"upload-{len(self.there.uploads)}"
            self.there.uploads[upload], self.there.keys[upload] = {}, key
            inner = f"<Bucket>{BUCKET}</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
            self._answer(200, f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>".encode())
            return
        parts = self.there.uploads.pop(query["uploadId"])
        self.there.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self._answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")

    def do_DELETE(self) -> None:
        if (key := self._admitted()) is None:
            return
        query = self._query()
        if "uploadId" in query:
            self.there.uploads.pop(query["uploadId"], None)
        else:
            self.there.objects.pop(key, None)
        self._answer(204)

    def _listed(self, prefix: str) -> bytes:
        there = [(self.there.keys[each], each) for each in self.there.uploads]
        said = [
            f"<Upload><Key>{key}</Key><UploadId>{each}</UploadId></Upload>"
            for key, each in there
            if key.startswith(prefix)
        ]
        inner = f"<Bucket>{BUCKET}</Bucket><IsTruncated>false</IsTruncated>{''.join(said)}"
        return f"<ListMultipartUploadsResult>{inner}</ListMultipartUploadsResult>".encode()

    # --- parts of the above -------------------------------------------------------------------------------------------
    def _admitted(self) -> str | None:
        """The key that is asked for; None where the request was refused."""
        self.there.asked.append((self.command, self.path))
        if self.there.refuses:
            self._refuse(*self.there.refuses)
            return None
        if not self._is_signed():
            self._refuse(403, "SignatureDoesNotMatch")
            return None
        return urlsplit(self.path).path.removeprefix(f"/{BUCKET}/")

    def _query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def _body(self) -> bytes:
        if self.headers.get("Expect") == "100-continue":
            pass  # sent by the server class already
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return _unchunked(self._chunks())
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return _unchunked(data) if "aws-chunked" in self.headers.get("Content-Encoding", "") else data

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return (
            found
            if "aws-chunked" in self.headers.get("Content-Encoding", "")
            else b"%x\r\n%s\r\n0\r\n"
            % (
                len(found),
                found,
            )
        )

    def _is_signed(self) -> bool:
        """AWS Signature Version 4 over the request as it came."""
        given = self.headers.get("Authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 "):
            return False
        fields = dict(each.strip().split("=", 1) for each in given.split(" ", 1)[1].split(","))
        access, day, region, service, _ = fields["Credential"].split("/")
        parts = urlsplit(self.path)
        query = sorted(parse_qs(parts.query, keep_blank_values=True).items())
        names = fields["SignedHeaders"].split(";")
        canonical = "\n".join(
            [
                self.command,
                parts.path,
                "&".join(f"{quote(name, safe='-_.~')}={quote(values[0], safe='-_.~')}" for name, values in query),
                *(f"{name}:{' '.join((self.headers.get(name) or '').split())}" for name in names),
                "",
                fields["SignedHeaders"],
                self.headers.get("x-amz-content-sha256", ""),
            ]
        )
        scope = f"{day}/{region}/{service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers.get('x-amz-date')}\n{scope}\n{digest}"
        key = f"AWS4{SECRET_KEY}".encode()
        for each in (day, region, service, "aws4_request"):
            key = hmac.new(key, each.encode(), "sha256").digest()
        signed = hmac.new(key, text.encode(), "sha256").hexdigest()
        return access == ACCESS_KEY and region == REGION and hmac.compare_digest(signed, fields["Signature"])

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        *,
        length: int | None = None,
        etag: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        if etag is not None:
            self.send_header("ETag", f'"{hashlib.md5(etag, usedforsecurity=False).hexdigest()}"')
            self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _unchunked(data: bytes) -> bytes:
    """Contents of chunks, with or without extensions and trailers."""
    found = b""
    while data:
        head, data = data.split(b"\r\n", 1)
        size = int(head.split(b";")[0], 16)
        if not size:
            break
        found, data = found + data[:size], data[size + 2 :]
    return found
