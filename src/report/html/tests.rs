//! The page of places that try to break it.

use sterna_backends::{Key, Store, Timestamp, memory::Memory};

use super::page;
use crate::{
    report::{Comparison, Provider},
    verify::{Coverage, Holding, Pattern, State},
};

fn comparison(name: &str, key: &str) -> Comparison {
    let store = Memory::new("memory:");
    let provider = |name: &str| Provider {
        name: name.to_owned(),
        capabilities: store.capabilities().clone(),
        estimate: None,
        speed: None,
        doctor: None,
    };
    let pattern =
        Pattern { states: vec![State::Held, State::Missing], objects: 1, bytes: 5, example: Key::new(key).unwrap() };
    Comparison {
        made: Timestamp::from_nanos(0),
        version: "0".to_owned(),
        budget: None,
        price: None,
        places: vec![provider(name), provider("b:")],
        content: Coverage {
            objects: 1,
            bytes: 5,
            everywhere: 0,
            places: vec![Holding::default(); 2],
            patterns: vec![pattern],
        },
    }
}

#[test]
fn what_users_named_is_shown_and_not_obeyed() {
    let page = page(&comparison("a:\"><img src=x onerror=alert(1)>", "<script>alert('1')</script>\u{0}\u{202e}&amp;"));
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;alert('1')&lt;/script&gt;\\u{0}\\u{202e}&amp;amp;"), "{page}");
    assert!(page.contains("a:&quot;&gt;&lt;img src=x"), "{page}");
}

#[test]
fn it_asks_for_nothing() {
    let page = page(&comparison("a:", "key"));
    for word in ["http://", "https://", "url(", "@import", "src="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}
