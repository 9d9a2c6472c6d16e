use super::*;

#[test]
fn requests_print_and_parse() {
    let mut request = Request::new("POST", "/cart?x=1");
    request.headers.push("Host", "web.shop");
    request.headers.push("X-User", "ana");
    request.body = b"hello".to_vec();
    let bytes = request.to_bytes();
    assert_eq!(
        bytes,
        b"POST /cart?x=1 HTTP/1.1\r\nHost: web.shop\r\nX-User: ana\r\nContent-Length: 5\r\n\r\nhello"
    );
    let (parsed, taken) = Request::parse(&bytes).unwrap().unwrap();
    assert_eq!(taken, bytes.len());
    assert_eq!(
        (parsed.path(), parsed.query(), parsed.body.as_slice()),
        ("/cart", "x=1", b"hello".as_slice())
    );
    assert_eq!(parsed.headers.first("x-user"), Some("ana"));
    for end in 0..bytes.len() {
        assert_eq!(
            Request::parse(&bytes[..end]),
            Ok(None),
            "{end} bytes are not yet a request"
        );
    }
}

#[test]
fn responses_by_length_chunks_and_close() {
    let cases: [(&[u8], bool, bool, &[u8]); 5] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, false, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, false, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", false, false, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: 1\r\n\r\n", false, false, b"abcde"),
        (b"HTTP/1.0 200 OK\r\n\r\nall of it", false, true, b"all of it"),
    ];
    for (bytes, to_head, closed, body) in cases {
        let text = String::from_utf8_lossy(bytes);
        let (response, taken) = Response::parse(bytes, to_head, closed)
            .unwrap()
            .unwrap_or_else(|| panic!("{text}"));
        assert_eq!((response.body.as_slice(), taken), (body, bytes.len()), "{text}");
        if !closed {
            assert!(response_is_whole(bytes, to_head));
            assert!(!response_is_whole(&bytes[..bytes.len() - 1], to_head), "{text}");
        }
    }
}

#[test]
fn malformed_messages_are_refused() {
    for (bytes, error) in [
        ("GET\r\n\r\n", NotHttp::StartLine),
        ("GET / HTTP/2\r\n\r\n", NotHttp::StartLine),
        ("G\u{1}T / HTTP/1.1\r\n\r\n", NotHttp::StartLine),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", NotHttp::Header),
        ("GET / HTTP/1.1\r\nA : b\r\n\r\n", NotHttp::Header),
        ("GET / HTTP/1.1\r\n folded: x\r\n\r\n", NotHttp::Header),
        (
            "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            NotHttp::Length,
        ),
        ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", NotHttp::Length),
        (
            "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            NotHttp::Length,
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            NotHttp::Chunk,
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            NotHttp::Chunk,
        ),
    ] {
        assert_eq!(Request::parse(bytes.as_bytes()), Err(error), "{bytes:?}");
    }
    let long = format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(HEAD_LIMIT_BYTES));
    assert_eq!(Request::parse(long.as_bytes()), Err(NotHttp::TooLong));
}

#[test]
fn a_value_cannot_end_its_line() {
    let mut response = Response::new(200).body("text/plain", "x");
    response.headers.push("X", "a\r\nSet-Cookie: b");
    let bytes = response.to_bytes();
    let (parsed, _) = Response::parse(&bytes, false, false).unwrap().unwrap();
    assert_eq!(parsed.headers.first("Set-Cookie"), None);
}

#[test]
fn hostile_bytes_never_panic() {
    let good = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    for end in 0..good.len() {
        for value in [0, b'\n', b'\r', b' ', b':', 0xff] {
            let mut bad = good.to_vec();
            bad[end] = value;
            let _ = Request::parse(&bad);
            let _ = Response::parse(&bad, false, true);
            let _ = Request::begins(&bad[end..]);
        }
    }
}

#[test]
fn what_begins_like_http() {
    for (bytes, expected) in [
        ("GET / HTTP/1.1\r\n", true),
        ("GET /x HTTP/1.0", true),
        ("GET / HTTP/2", false),
        ("hello world again", false),
        ("PRI * HTTP/2.0\r\n", false),
        ("", false),
    ] {
        assert_eq!(Request::begins(bytes.as_bytes()), expected, "{bytes}");
    }
}
