//! Text out of XML.

use quick_xml::events::Event;

/// Adds the text an event stands for; `None` for an entity nobody defined.
pub(crate) fn push_text(event: &Event<'_>, text: &mut String) -> Option<()> {
    match event {
        Event::Text(part) => text.push_str(part),
        Event::CData(part) => text.push_str(part),
        Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
            Some(character) => text.push(character),
            None => text.push_str(quick_xml::escape::resolve_predefined_entity(reference)?),
        },
        _ => {}
    }
    Some(())
}
