//! What a request is called in price lists, read off the request itself: whoever made it, our own wire or the SDK.

use http::{Method, Request};

/// The name of a request to a bucket whose own address has the path `root`.
pub(super) fn name_of<B>(request: &Request<B>, root: &str) -> &'static str {
    let path = request.uri().path();
    let below = path.strip_prefix(root).unwrap_or_else(|| path.trim_start_matches('/'));
    let key = !below.is_empty() && path.len() > root.len();
    let query = request.uri().query().unwrap_or_default();
    let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let copies = request.headers().contains_key("x-amz-copy-source");
    match (request.method(), key) {
        (&Method::HEAD, true) => "head_object",
        (&Method::HEAD, false) => "head_bucket",
        (&Method::GET, true) if asks("uploadId") => "list_parts",
        (&Method::GET, true) if asks("tagging") => "get_object_tagging",
        (&Method::GET, true) => "get_object",
        (&Method::GET, false) if asks("uploads") => "list_multipart",
        (&Method::GET, false) if asks("versions") => "list_versions",
        (&Method::GET, false) if query.contains("x-id=ListBuckets") => "list_buckets",
        (&Method::GET, false) => "list_objects",
        (&Method::PUT, true) => match (asks("partNumber"), copies) {
            (true, true) => "upload_part_copy",
            (true, false) => "upload_part",
            (false, true) => "copy_object",
            (false, false) => "put_object",
        },
        (&Method::PUT, false) => "put_bucket",
        (&Method::POST, true) if asks("uploads") => "create_multipart",
        (&Method::POST, true) => "complete_multipart",
        (&Method::POST, false) => "delete_objects",
        (&Method::DELETE, true) if asks("uploadId") => "abort_multipart",
        (&Method::DELETE, true) => "delete_object",
        (&Method::DELETE, false) => "delete_bucket",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_their_names() {
        let named = |method: &str, path: &str, copies: bool| {
            let mut request = Request::builder().method(method).uri(format!("http://h{path}"));
            if copies {
                request = request.header("x-amz-copy-source", "b/k");
            }
            name_of(&request.body(()).unwrap(), "/b/")
        };
        for (method, path, name) in [
            ("GET", "/b/?list-type=2&max-keys=1", "list_objects"),
            ("GET", "/b?list-type=2", "list_objects"),
            ("GET", "/b/?versions&prefix=uploads", "list_versions"),
            ("GET", "/b/?uploads=&prefix=a", "list_multipart"),
            ("GET", "/b/a?uploadId=1", "list_parts"),
            ("GET", "/b/a?x-id=GetObject", "get_object"),
            ("GET", "/b//", "get_object"),
            ("GET", "/b/a?tagging", "get_object_tagging"),
            ("HEAD", "/b/a/b", "head_object"),
            ("HEAD", "/b", "head_bucket"),
            ("PUT", "/b/a", "put_object"),
            ("PUT", "/b/a?partNumber=1&uploadId=2", "upload_part"),
            ("PUT", "/b", "put_bucket"),
            ("POST", "/b/a?uploads", "create_multipart"),
            ("POST", "/b/a?uploadId=1", "complete_multipart"),
            ("POST", "/b/?delete", "delete_objects"),
            ("DELETE", "/b/a?versionId=1", "delete_object"),
            ("DELETE", "/b/a?uploadId=1", "abort_multipart"),
            ("DELETE", "/b/", "delete_bucket"),
        ] {
            assert_eq!(named(method, path, false), name, "{method} {path}");
        }
        assert_eq!(named("PUT", "/b/a", true), "copy_object");
        assert_eq!(named("PUT", "/b/a?partNumber=1&uploadId=2", true), "upload_part_copy");
    }
}
