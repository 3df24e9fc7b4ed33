//! S3 without a library between: bare HTTP towards moto, which asks for a signature and believes any. What it says of a key is what
//! the server holds, byte for byte.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use sterna_servers::S3Server;

/// A signature of the right form.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=moto-key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, \
                      Signature=0000000000000000000000000000000000000000000000000000000000000000";

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// Every byte that is not unreserved as `%XX`, slashes too unless they are kept. Dots stay: no segment is collapsed.
fn encoded(text: &str, slashes: bool) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/') {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("a String");
        }
        path
    })
}

fn request(server: &S3Server, method: &str, path_and_query: &str, body: &[u8]) -> Answer {
    let address = server.endpoint.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("a running server");
    let length = body.len();
    write!(
        stream,
        "{method} {path_and_query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {SIGNED}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    )
    .and_then(|()| stream.write_all(body))
    .expect("a server that reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("a server that answers");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: answer.split_off(end + 4) }
}

fn path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", encoded(key, true))
}

/// Puts an object.
pub fn put(server: &S3Server, bucket: &str, key: &str, body: &[u8]) {
    let answer = request(server, "PUT", &path(bucket, key), body);
    assert_eq!(answer.status, 200, "PUT {key:?}: {}", answer.head);
}

/// Puts an object in one part: it has no sum of the whole, and no time but the server's.
pub fn put_in_parts(server: &S3Server, bucket: &str, key: &str, body: &[u8]) {
    let path = path(bucket, key);
    let begun = request(server, "POST", &format!("{path}?uploads"), b"");
    let upload = element(&String::from_utf8_lossy(&begun.body), "UploadId").remove(0);
    let put = request(server, "PUT", &format!("{path}?partNumber=1&uploadId={upload}"), body);
    assert_eq!(put.status, 200, "{}", put.head);
    let etag = put.head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("etag: ").map(str::to_owned));
    let etag = etag.expect("an ETag").replace('"', "");
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let completed = request(server, "POST", &format!("{path}?uploadId={upload}"), parts.as_bytes());
    assert_eq!(completed.status, 200, "{}", String::from_utf8_lossy(&completed.body));
}

/// Reads an object; `None` where there is none.
pub fn get(server: &S3Server, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let answer = request(server, "GET", &path(bucket, key), b"");
    match answer.status {
        200 => Some(answer.body),
        404 => None,
        _ => panic!("GET {key:?}: {}", answer.head),
    }
}

/// Every key of a bucket of at most 1,000, in the order the server lists them.
pub fn keys(server: &S3Server, bucket: &str) -> Vec<String> {
    let answer = request(server, "GET", &format!("/{bucket}?list-type=2&encoding-type=url"), b"");
    assert_eq!(answer.status, 200, "{}", answer.head);
    let listed = String::from_utf8(answer.body).expect("XML");
    element(&listed, "Key").iter().map(|key| decoded(key)).collect()
}

/// The texts of all elements of that name.
fn element(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

fn decoded(key: &str) -> String {
    let mut bytes = key.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte.expect("two digits")).to_digit(16).expect("a digit");
        plain.push(match byte {
            b'%' => u8::try_from(hex(bytes.next()) * 16 + hex(bytes.next())).expect("a byte"),
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(plain).expect("a UTF-8 key")
}
