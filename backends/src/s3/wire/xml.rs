//! The XML we read ourselves: error bodies and the small answers of copies. Listings have their own reader.

use quick_xml::{Reader, events::Event};

pub(crate) use crate::web::xml::push_text;

/// What an `<Error>` says.
#[derive(Debug, Default)]
pub(crate) struct FaultBody {
    pub code: String,
    pub message: String,
    pub region: Option<String>,
    pub request_id: Option<String>,
}

/// The `<Error>` that `body` is; `None` where it is something else.
pub(crate) fn fault(body: &[u8]) -> Option<FaultBody> {
    let mut fault = FaultBody::default();
    let root = fields(body, |name, text| match name {
        "Code" => fault.code = text,
        "Message" => fault.message = text,
        "Region" => fault.region = Some(text),
        "RequestId" => fault.request_id = Some(text),
        _ => {}
    })?;
    (root == "Error").then_some(fault)
}

/// Calls `field` for each element below the root that holds text, and returns the root's name; `None` where
/// `body` is no complete XML.
pub(crate) fn fields(body: &[u8], mut field: impl FnMut(&str, String)) -> Option<String> {
    let mut reader = Reader::from_str(std::str::from_utf8(body).ok()?);
    let (mut root, mut depth, mut text) = (None, 0_usize, String::new());
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if depth == 0 {
                    root = Some(start.local_name().into_inner().to_owned());
                }
                depth += 1;
                text.clear();
            }
            Event::End(end) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return root;
                }
                field(end.local_name().into_inner(), std::mem::take(&mut text));
            }
            Event::Eof => return None,
            event => push_text(&event, &mut text)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_and_nothing_else() {
        let body = br#"<?xml version="1.0"?><Error><Code>A</Code><Message>b &lt;&#65;&gt;</Message><Region>r</Region></Error>"#;
        let read = fault(body).unwrap();
        assert_eq!((read.code.as_str(), read.message.as_str(), read.region.as_deref()), ("A", "b <A>", Some("r")));
        assert!(fault(b"<html><body>502</body></html>").is_none());
        assert!(fault(b"<Error><Code>A</Code>").is_none(), "cut off");
        assert!(fault(b"").is_none());
        assert!(fault(b"not found").is_none());
    }
}
