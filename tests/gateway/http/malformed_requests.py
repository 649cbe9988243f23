"""Requests that are not HTTP, or ambiguous."""

from gateway.http.incoming import HEADER_BYTES_MAX, HEADERS_MAX, LINE_BYTES_MAX

GET = b"GET /v1/wallets HTTP/1.1\r\nHost: x\r\n"

HEADS = {
    "no version": (b"GET /v1/wallets\r\n\r\n", 400, "bad_request"),
    "unknown version": (b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    "method in small letters": (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "method of control characters": (b"G\x00T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "target that is not ASCII": (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "target without a slash": (b"GET v1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "target of half an address": (b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad_request"),
    "bare line feed": (b"GET / HTTP/1.1\nHost: x\n\n", 400, "bad_request"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n\r\n", 400, "bad_request"),
    "line too long": (b"GET /" + b"a" * LINE_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
    "line without end": (b"GET /" + b"a" * 300_000, 414, "uri_too_long"),
    "obsolete folding": (GET + b"X-A: 1\r\n 2\r\n\r\n", 400, "bad_request"),
    "folded first": (GET + b" folded: 1\r\n\r\n", 400, "bad_request"),
    "header without a name": (GET + b": 1\r\n\r\n", 400, "bad_request"),
    "header without a colon": (GET + b"Authorization\r\n\r\n", 400, "bad_request"),
    "blank before the colon": (GET + b"X-A : 1\r\n\r\n", 400, "bad_request"),
    "NUL in a header": (GET + b"X-A: a\x00b\r\n\r\n", 400, "bad_request"),
    "two hosts": (GET + b"Host: y\r\n\r\n", 400, "bad_request"),
    "header too long": (GET + b"X-A: " + b"a" * HEADER_BYTES_MAX + b"\r\n\r\n", 431, "headers_too_large"),
    "header without end": (GET + b"X-A: " + b"a" * 1_000_000, 431, "headers_too_large"),
    "too many headers": (GET + b"X-A: 1\r\n" * HEADERS_MAX + b"\r\n", 431, "headers_too_large"),
    "strange expectation": (GET + b"Expect: 200-ok\r\n\r\n", 417, "expectation_failed"),
    "two lengths": (GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, "bad_request"),
    "lengths in a list": (GET + b"Content-Length: 1, 1\r\n\r\nx", 400, "bad_request"),
    "length of 5000 digits": (GET + b"Content-Length: " + b"1" * 5_000 + b"\r\n\r\n", 400, "bad_request"),
    "negative length": (GET + b"Content-Length: -1\r\n\r\n", 400, "bad_request"),
    "length and chunks": (
        GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "bad_request",
    ),
    "chunks in HTTP/1.0": (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
    "chunked twice": (GET + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "bad_request"),
    "gzip alone": (GET + b"Transfer-Encoding: gzip\r\n\r\nx", 400, "bad_request"),
    "identity alone": (GET + b"Transfer-Encoding: identity\r\n\r\n", 400, "bad_request"),
    "gzip in chunks": (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "transfer_coding_unsupported"),
    "identity in chunks": (
        GET + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
        "transfer_coding_unsupported",
    ),
    "unknown coding": (GET + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "transfer_coding_unsupported"),
}  # fmt: skip

BODIES = {
    "size that is none": b"zz\r\n{}\r\n0\r\n\r\n",
    "size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "size with an underscore": b"0_2\r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n\r\n",
    "empty line": b"2\r\n{}\r\n\r\n0\r\n\r\n",
    "chunk longer than its size": b"1\r\n{}\r\n0\r\n\r\n",
    "chunk ended by a line feed": b"2\r\n{}\n0\r\n\r\n",
    "broken extension": b'2;a="\r\n{}\r\n0\r\n\r\n',
    "carriage return in an extension": b"2;a\rb\r\n{}\r\n0\r\n\r\n",
    "size line without end": b"2;" + b"a" * 20_000,
    "forbidden trailer": b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    "malformed trailer": b"2\r\n{}\r\n0\r\nX-A\r\n\r\n",
}

ENDED = {
    "nothing": b"",
    "half a chunk": b"5\r\n{",
    "no last chunk": b"2\r\n{}\r\n",
    "half a trailer": b"2\r\n{}\r\n0\r\n",
}
