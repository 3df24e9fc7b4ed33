//! stub
use sterna_backends::Entry;
#[derive(Default)]
pub struct Filter;
impl Filter {
    pub fn admits(&self, _: &Entry) -> bool {
        true
    }
    pub fn enters(&self, _: &str) -> bool {
        true
    }
    pub fn is_everything(&self) -> bool {
        true
    }
    pub fn prefix(&self) -> &str {
        ""
    }
}
#[derive(Clone, Debug)]
pub struct Pattern;
impl Pattern {
    pub fn new(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
    pub fn matches(&self, _: &str) -> bool {
        true
    }
}
