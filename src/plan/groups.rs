//! Promise 5: in which order objects become visible.

use std::str::FromStr;

use sterna_backends::Key;

use crate::list::filter::Pattern;

/// Objects that become visible together: after all of every earlier group, before any of a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name, for people.
    pub name: String,
    /// What it takes, in the filter language. None: what no other group takes.
    pub patterns: Vec<Pattern>,
}

/// Groups in the order of their publication. A key is of the last group that takes it, so that what names others comes
/// late. There is always exactly one group that takes the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups(Vec<Group>);

/// Why a text or a list makes no groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroup {
    /// No `NAME=` in it.
    #[error("'{0}' has no name; write 'NAME=PATTERN', or 'NAME=' for what no other group takes")]
    NoName(String),
    /// The pattern is none.
    #[error("group {name}: pattern '{pattern}': {why}")]
    Pattern {
        /// Of which group.
        name: String,
        /// As written.
        pattern: String,
        /// What is wrong.
        why: String,
    },
    /// Two groups take the rest.
    #[error("the groups {0} and {1} both take what no other group takes; give one of them a pattern")]
    TwoRests(String, String),
    /// A profile that does not exist.
    #[error("there is no profile '{0}'; there are {known}", known = Groups::profiles().collect::<Vec<_>>().join(", "))]
    NoProfile(String),
}

/// The rest, where no group is made for it.
const REST: &str = "other";

/// A profile: its name, and its groups with their patterns.
type Profile = (&'static str, &'static [(&'static str, &'static [&'static str])]);

/// What is known of the usual kinds of mirrors.
const PROFILES: &[Profile] = &[
    // Redirectors take a version for complete as soon as a file stands beside `packages/`; pkgman reads `repo.sha256`, then
    // `repo`, then packages.
    (
        "haiku-repo",
        &[
            ("packages", &["packages/**"]),
            ("other", &[]),
            ("info", &["repo.info"]),
            ("index", &["repo"]),
            ("proof", &["repo.sha256", "repo.minisig", "package.list"]),
        ],
    ),
    // The two stages of Debian's ftpsync, and the signed file that names all others of a suite after them.
    (
        "debian",
        &[
            ("pool", &[]),
            ("indexes", &["dists/**", "Packages", "Packages.*", "Sources", "Sources.*", "ls-lR*"]),
            ("release", &["Release", "Release.gpg", "InRelease"]),
            ("trace", &["project/trace/**"]),
        ],
    ),
    // `repomd.xml` names the other files of `repodata/` by their digests.
    (
        "rpm",
        &[
            ("packages", &[]),
            ("indexes", &["repodata/**"]),
            ("repomd", &["repodata/repomd.xml", "repodata/repomd.xml.asc", "repodata/repomd.xml.key"]),
        ],
    ),
    (
        "website",
        &[
            ("assets", &[]),
            ("pages", &["*.html", "*.htm"]),
            ("entry", &["/index.html", "sitemap*.xml", "atom.xml", "rss.xml", "feed.xml"]),
        ],
    ),
    (
        "images",
        &[
            ("images", &[]),
            ("beside", &["*.{sha256,sha512,md5,minisig,sig,asc,torrent,meta4}"]),
            ("lists", &["*SUMS", "*SUMS.*", "index.html", "atom.xml", "rss.xml"]),
        ],
    ),
];

impl Default for Groups {
    /// One group, in no order.
    fn default() -> Self {
        Self(vec![Group { name: REST.to_owned(), patterns: Vec::new() }])
    }
}

impl Groups {
    /// `groups`, in their order; where none takes the rest, the rest comes first.
    ///
    /// # Errors
    /// [`InvalidGroup::TwoRests`].
    pub fn new(mut groups: Vec<Group>) -> Result<Self, InvalidGroup> {
        let rests: Vec<&Group> = groups.iter().filter(|group| group.patterns.is_empty()).collect();
        match rests.as_slice() {
            [] => groups.insert(0, Group { name: REST.to_owned(), patterns: Vec::new() }),
            [_] => {}
            [one, other, ..] => return Err(InvalidGroup::TwoRests(one.name.clone(), other.name.clone())),
        }
        Ok(Self(groups))
    }

    /// From `NAME=PATTERN` or `NAME=`; a name that comes again adds a pattern to its group.
    ///
    /// # Errors
    /// [`InvalidGroup`] for the first text that is none.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidGroup> {
        let mut groups: Vec<Group> = Vec::new();
        for text in texts {
            let (name, pattern) = text
                .split_once('=')
                .filter(|(name, _)| !name.trim().is_empty())
                .ok_or_else(|| InvalidGroup::NoName(text.to_owned()))?;
            let (name, pattern) = (name.trim(), pattern.trim());
            let pattern = (!pattern.is_empty()).then(|| compiled(name, pattern)).transpose()?;
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.patterns.extend(pattern),
                None => groups.push(Group { name: name.to_owned(), patterns: pattern.into_iter().collect() }),
            }
        }
        Self::new(groups)
    }

    /// The names of the profiles.
    pub fn profiles() -> impl Iterator<Item = &'static str> {
        PROFILES.iter().map(|(name, _)| *name)
    }

    /// The number of the group that takes `key`, from 0.
    #[must_use]
    pub fn of(&self, key: &Key) -> usize {
        let takes = |group: &Group| group.patterns.iter().any(|pattern| pattern.matches(key));
        let rest = || self.0.iter().position(|group| group.patterns.is_empty());
        self.0.iter().rposition(takes).or_else(rest).unwrap_or_default()
    }

    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the order matters at all.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.0.len() > 1
    }

    /// Their names, in their order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|group| group.name.clone()).collect()
    }
}

/// A profile by its name.
impl FromStr for Groups {
    type Err = InvalidGroup;

    fn from_str(name: &str) -> Result<Self, InvalidGroup> {
        let (_, groups) = PROFILES
            .iter()
            .find(|profile| profile.0 == name)
            .ok_or_else(|| InvalidGroup::NoProfile(name.to_owned()))?;
        let group = |(name, patterns): &(&str, &[&str])| {
            let patterns = patterns.iter().map(|pattern| compiled(name, pattern)).collect::<Result<_, _>>()?;
            Ok(Group { name: (*name).to_owned(), patterns })
        };
        Self::new(groups.iter().map(group).collect::<Result<_, _>>()?)
    }
}

fn compiled(name: &str, pattern: &str) -> Result<Pattern, InvalidGroup> {
    Pattern::new(pattern).map_err(|error| InvalidGroup::Pattern {
        name: name.to_owned(),
        pattern: pattern.to_owned(),
        why: error.reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(groups: &Groups, keys: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let names = groups.names();
        keys.into_iter().map(|key| names[groups.of(&Key::new(key).unwrap())].clone()).collect()
    }

    #[test]
    fn promise_5_profiles_put_what_names_others_last() {
        let groups: Groups = "haiku-repo".parse().unwrap();
        let keys = [
            "packages/a-1.0-1-x86_64.hpkg",
            "packages/.obsolete/a.hpkg",
            "master/x86_64/current/packages/a.hpkg",
            "notes.txt",
            "repo.info",
            "master/x86_64/current/repo",
            "repo.sha256",
            "repo.minisig",
            "package.list",
        ];
        let found = names(&groups, keys);
        assert_eq!(found, ["packages", "packages", "packages", "other", "info", "index", "proof", "proof", "proof"]);
        let debian: Groups = "debian".parse().unwrap();
        let keys = ["pool/a.deb", "dists/sid/main/Packages.xz", "dists/sid/InRelease", "project/trace/x"];
        assert_eq!(names(&debian, keys), ["pool", "indexes", "release", "trace"]);
        let rpm: Groups = "rpm".parse().unwrap();
        let keys = ["a.rpm", "repodata/1-primary.xml.gz", "9/repodata/repomd.xml"];
        assert_eq!(names(&rpm, keys), ["packages", "indexes", "repomd"]);
        let images: Groups = "images".parse().unwrap();
        assert_eq!(names(&images, ["a.iso", "a.iso.sha256", "x/SHA256SUMS"]), ["images", "beside", "lists"]);
        let website: Groups = "website".parse().unwrap();
        assert_eq!(names(&website, ["a.css", "b/index.html", "index.html"]), ["assets", "pages", "entry"]);
    }

    #[test]
    fn own_groups_are_read_in_their_order() {
        let groups = Groups::from_texts(["index=repo", "index=*.idx", "sum=*.sha256"]).unwrap();
        assert_eq!(groups.names(), ["other", "index", "sum"]);
        assert_eq!(names(&groups, ["x", "repo", "a.idx", "repo.sha256"]), ["other", "index", "index", "sum"]);
        let groups = Groups::from_texts(["data=data/**", "rest=", "last=last"]).unwrap();
        assert_eq!(names(&groups, ["last", "x", "data/last", "data/x"]), ["last", "rest", "last", "data"]);
        assert!(!Groups::default().is_ordered());
        for wrong in ["x", "=x", "a=[b"] {
            assert!(Groups::from_texts([wrong]).is_err(), "{wrong}");
        }
        assert_eq!(Groups::from_texts(["a=", "b="]), Err(InvalidGroup::TwoRests("a".into(), "b".into())));
        assert!("haikurepo".parse::<Groups>().unwrap_err().to_string().contains("haiku-repo"));
    }
}
