//! The files this program comes with.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::{Book, BookProblem, Fx, Record};
use crate::price::{
    Figure, Offer, RequestClass, Stock,
    toml_file::{Path, Step, TomlFile, path},
};

/// One file for each provider; `book.toml` says what holds for all, `sources.toml` where figures come from.
const TABLES: &[(&str, &str)] = &[
    ("aws.toml", include_str!("../tables/aws.toml")),
    ("wasabi.toml", include_str!("../tables/wasabi.toml")),
    ("backblaze.toml", include_str!("../tables/backblaze.toml")),
    ("cloudflare.toml", include_str!("../tables/cloudflare.toml")),
    ("digitalocean.toml", include_str!("../tables/digitalocean.toml")),
    ("bunny.toml", include_str!("../tables/bunny.toml")),
    ("dreamhost.toml", include_str!("../tables/dreamhost.toml")),
    ("google.toml", include_str!("../tables/google.toml")),
    ("azure.toml", include_str!("../tables/azure.toml")),
    ("hetzner.toml", include_str!("../tables/hetzner.toml")),
    ("ovhcloud.toml", include_str!("../tables/ovhcloud.toml")),
    ("scaleway.toml", include_str!("../tables/scaleway.toml")),
    ("akamai.toml", include_str!("../tables/akamai.toml")),
    ("vultr.toml", include_str!("../tables/vultr.toml")),
    ("idrive.toml", include_str!("../tables/idrive.toml")),
    ("storj.toml", include_str!("../tables/storj.toml")),
    ("tigris.toml", include_str!("../tables/tigris.toml")),
    ("oracle.toml", include_str!("../tables/oracle.toml")),
    ("exoscale.toml", include_str!("../tables/exoscale.toml")),
    ("rsyncnet.toml", include_str!("../tables/rsyncnet.toml")),
];

/// What `book.toml` says.
#[derive(Deserialize)]
struct Preface {
    schema: String,
    book_version: String,
    default_max_age_days: u32,
    fx: Fx,
}

impl Book {
    /// The book this program comes with.
    #[must_use]
    pub fn shipped() -> Self {
        let sources = ("sources.toml", include_str!("../tables/sources.toml"));
        Self::of(("book.toml", include_str!("../tables/book.toml")), sources, TABLES)
            .expect("a test reads the files this program comes with")
    }

    /// A book of a preface, sources, and files of offers; a field nobody knows is an error.
    ///
    /// # Errors
    /// The first mistake, with file, line and field.
    pub(super) fn of(
        preface: (&str, &str),
        sources: (&str, &str),
        tables: &[(&str, &str)],
    ) -> Result<Self, BookProblem> {
        let preface: Preface = whole(preface)?;
        let sources: SourceFile = whole(sources)?;
        debug_assert_eq!(preface.schema, "sync-pricebook/1");
        let mut book = Self {
            records: Vec::new(),
            own: Vec::new(),
            sources: sources.source,
            fx: preface.fx,
            version: preface.book_version,
            max_age_days: preface.default_max_age_days,
        };
        for (file, text) in tables {
            let (source, mut table) = TomlFile::parse(file, text)?;
            let unknown = book.add_offers(&source, table.remove("offer"))?;
            let stray = table
                .keys()
                .next()
                .map(|key| source.problem(&path([key]), &Vec::new(), key, "only [[offer]] stands here"));
            if let Some(problem) = unknown.into_iter().next().or(stray) {
                return Err(problem);
            }
        }
        Ok(book)
    }

    /// Takes `[[offer]]` tables up; gives the fields nobody knows.
    pub(super) fn add_offers(
        &mut self,
        source: &TomlFile<'_>,
        offers: Option<Value>,
    ) -> Result<Vec<BookProblem>, BookProblem> {
        let mut unknown = Vec::new();
        let offers = match offers {
            None => Vec::new(),
            Some(Value::Array(offers)) => offers,
            Some(_) => {
                return Err(source.problem(&path(["offer"]), &Vec::new(), "offer", "offers are written [[offer]]"));
            }
        };
        for (index, value) in offers.into_iter().enumerate() {
            let at = vec![Step::Key("offer".to_owned()), Step::Index(index)];
            let name = match value.get("id").and_then(Value::as_str) {
                Some(id) => format!("offer \"{id}\""),
                None => format!("offer[{index}]"),
            };
            let Value::Table(raw) = value else {
                return Err(source.problem(&at, &Vec::new(), &name, "not a table"));
            };
            let (offer, more) = source.typed::<Offer>(Value::Table(raw.clone()), &at, &name)?;
            unknown.extend(more);
            check(&offer).map_err(|(field, what)| source.problem(&at, &field, &name, &what))?;
            if let Some(other) = self.records.iter().map(|record| &record.offer).find(|other| other.overlaps(&offer)) {
                let from = other.effective_from.map_or("the beginning".to_owned(), |day| day.to_string());
                let what = format!("this id has a price from {from} already; end that one, or override it");
                return Err(source.problem(&at, &path(["id"]), &name, &what));
            }
            self.records.push(Record { offer, raw });
        }
        Ok(unknown)
    }
}

#[derive(Deserialize)]
struct SourceFile {
    source: BTreeMap<String, super::Source>,
}

/// A whole file as one value, strictly.
fn whole<T: serde::de::DeserializeOwned>((file, text): (&str, &str)) -> Result<T, BookProblem> {
    let (source, table) = TomlFile::parse(file, text)?;
    let (value, unknown) = source.typed(Value::Table(table), &Vec::new(), "")?;
    unknown.into_iter().next().map_or(Ok(value), Err)
}

impl Offer {
    /// Whether both are prices of one thing on one day.
    fn overlaps(&self, other: &Self) -> bool {
        let before =
            |a: &Self, b: &Self| a.effective_to.is_some_and(|to| b.effective_from.is_some_and(|from| to <= from));
        self.id == other.id && !before(self, other) && !before(other, self)
    }
}

/// What types cannot say: the field and what is wrong with it.
pub(super) fn check(offer: &Offer) -> Result<(), (Path, String)> {
    let wrong =
        |keys: &[&str], what: String| Err((keys.iter().map(|key| Step::Key((*key).to_owned())).collect(), what));
    for (field, unit) in [
        ("storage_unit_bytes", offer.meter.storage_unit_bytes),
        ("transfer_unit_bytes", offer.meter.transfer_unit_bytes),
    ] {
        if unit < 1_000_000 {
            return wrong(&["meter", field], format!("{unit} bytes are no unit; a GB is 1000000000 or 1073741824"));
        }
    }
    if offer.meter.month_hours == 0 {
        return wrong(&["meter", "month_hours"], "a month has hours".to_owned());
    }
    if let Some(storage) = &offer.storage {
        if storage.min_object_bytes > Stock::LARGE {
            return wrong(
                &["storage", "min_object_bytes"],
                format!("larger than {}, where sizes are told apart", Stock::LARGE),
            );
        }
        if let Some(what) = unsteady(&storage.tiers) {
            return wrong(&["storage", "tiers"], what);
        }
    }
    if let Some(what) = unsteady(&offer.egress.tiers) {
        return wrong(&["egress", "tiers"], what);
    }
    for (at, RequestClass { per, class, .. }) in offer.requests.iter().enumerate() {
        let field = |name: &str| vec![Step::Key("request".to_owned()), Step::Index(at), Step::Key(name.to_owned())];
        if *per == 0 {
            return Err((field("per"), "a price for no requests".to_owned()));
        }
        if offer.requests[..at].iter().any(|other| other.class == *class) {
            return Err((field("class"), format!("'{class}' stands twice")));
        }
    }
    if offer.monitoring.as_ref().is_some_and(|monitoring| monitoring.per == 0) {
        return wrong(&["monitoring", "per"], "a price for no objects".to_owned());
    }
    Ok(())
}

/// Bounds must rise, and only the last may be open; and it must be.
fn unsteady(tiers: &[crate::price::Tier]) -> Option<String> {
    let mut low = Figure::default();
    for (at, tier) in tiers.iter().enumerate() {
        match tier.upto {
            None if at + 1 < tiers.len() => return Some("a step without 'upto' is not the last".to_owned()),
            Some(upto) if upto <= low => return Some(format!("the bound {upto} is not above {low}")),
            Some(_) if at + 1 == tiers.len() => return Some("the last step must have no 'upto'".to_owned()),
            Some(upto) => low = upto,
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::offer::AsOf;

    #[test]
    fn every_priced_section_of_the_shipped_files_has_a_date_and_sources_that_exist() {
        let book = Book::shipped();
        assert_eq!(book.records().count(), 36);
        for offer in book.records() {
            let mut sections: Vec<(&[String], AsOf)> = vec![(&offer.egress.src, offer.egress.as_of)];
            sections.extend(offer.base.iter().map(|base| (base.src.as_slice(), base.as_of)));
            sections.extend(offer.storage.iter().map(|storage| (storage.src.as_slice(), storage.as_of)));
            sections.extend(offer.plans.iter().map(|plans| (plans.src.as_slice(), plans.as_of)));
            sections.extend(offer.requests.iter().map(|class| (class.src.as_slice(), class.as_of)));
            sections.extend(offer.retrieval.iter().map(|retrieval| (retrieval.src.as_slice(), retrieval.as_of)));
            sections.extend(offer.monitoring.iter().map(|monitoring| (monitoring.src.as_slice(), monitoring.as_of)));
            sections.extend(offer.buckets.iter().map(|buckets| (buckets.src.as_slice(), buckets.as_of)));
            for (src, _) in sections {
                assert!(!src.is_empty(), "{}: a section without a source", offer.id);
                for id in src {
                    assert!(book.sources.contains_key(id), "{}: no source '{id}'", offer.id);
                }
            }
            assert!(offer.enabled || offer.egress.tiers.is_empty(), "{}", offer.id);
            assert_ne!(offer.meter.sampling, "", "{}", offer.id);
        }
    }
}
