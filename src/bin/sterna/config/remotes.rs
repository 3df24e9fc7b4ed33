//! The configuration, read and checked by name; its remotes, made when they are asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use sterna::{
    jobs::Saved,
    price::{Book, BookProblem},
};
use sterna_backends::{
    Algorithm,
    location::Location,
    registry::{FAMILIES, Family, Holds, Remote, Value, nearest},
};

use super::{
    Families,
    budget::Budget,
    environment::{self, Environment, in_capitals, variable},
    error::{ConfigError, ConfigErrorKind, Origin},
    file::{self, Section},
    given::{Given, Setting},
    job,
    locate::{Located, locate},
    prices::OwnPrices,
    specs,
};

/// What the file and the environment say, every name in it checked, no text had from elsewhere yet.
#[derive(Debug)]
pub struct Config {
    pub(super) located: Located,
    /// Whether there was a file.
    pub(super) found: bool,
    pub(super) remotes: BTreeMap<String, Configured>,
    /// Variables of the environment that speak of no remote there is.
    pub(super) stray: Vec<String>,
    budgets: Vec<Budget>,
    /// The same, as they are written.
    pub(super) budget_tables: Vec<Section>,
    pub(super) prices: Option<OwnPrices>,
    jobs: Vec<Saved>,
    environment: Environment,
    families: Families,
}

/// One remote, as it will be used.
#[derive(Debug)]
pub(super) struct Configured {
    pub(super) family: &'static Family,
    /// Where its `type` stands.
    pub(super) typed: Setting,
    /// Every option that was given, by a name the family has.
    pub(super) settings: BTreeMap<String, Setting>,
}

impl Config {
    /// Reads the configuration: the file `path`, else the one [`locate`] finds, and `environment` over it.
    /// Where nobody named a file and the usual place holds none, the environment stands alone.
    ///
    /// # Errors
    /// The first mistake of the file, with its line and column, or of the environment, with its variable;
    /// `Exposed` where others may read a secret that stands in the file.
    pub fn load(path: Option<&Path>, environment: Environment) -> Result<Self, ConfigError> {
        Self::load_of(FAMILIES, path, environment)
    }

    pub(super) fn load_of(
        families: Families,
        path: Option<&Path>,
        environment: Environment,
    ) -> Result<Self, ConfigError> {
        let located = locate(path, &environment);
        let contents = located.read()?;
        let (mut sections, mut budget_tables, mut jobs, mut prices) = (Vec::new(), Vec::new(), Vec::new(), None);
        if let (Some(path), Some(contents)) = (&located.path, &contents) {
            sections = file::parse(path, &contents.text)?;
            budget_tables = file::budgets(path, &contents.text)?;
            jobs = file::jobs(path, &contents.text, job::read)?;
            prices = OwnPrices::of(path, &contents.text);
            if contents.open_to_others {
                refuse_exposed(path, &sections, families)?;
            }
        }
        let stray = environment::apply(&environment, &mut sections, families)?;
        let remotes = sections
            .into_iter()
            .map(|section| Ok((section.name.clone(), configured(section, families)?)))
            .collect::<Result<_, ConfigError>>()?;
        let budgets = budget_tables.iter().map(Budget::read).collect::<Result<_, _>>()?;
        let found = contents.is_some();
        Ok(Self { located, found, remotes, stray, budgets, budget_tables, jobs, prices, environment, families })
    }

    /// The environment it was read with.
    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The names of the remotes, in byte order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.remotes.keys().map(String::as_str)
    }

    /// Digests by which remotes other than `not` tell large objects.
    pub fn digests(&self, not: Option<&str>) -> Vec<Algorithm> {
        let others = self.remotes.iter().filter(|(name, _)| Some(name.as_str()) != not);
        let told: BTreeSet<Algorithm> = others.flat_map(|(_, remote)| remote.family.digests).copied().collect();
        told.into_iter().collect()
    }

    /// What the remotes may be spent.
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// `book` with the prices of `[prices]` over it.
    ///
    /// # Errors
    /// The first mistake in them, an unknown field included.
    pub fn priced(&self, book: Book) -> Result<Book, BookProblem> {
        match &self.prices {
            Some(prices) => prices.over(book),
            None => Ok(book),
        }
    }

    /// The saved jobs, in byte order of their names.
    pub fn jobs(&self) -> &[Saved] {
        &self.jobs
    }

    /// The saved job of that name.
    ///
    /// # Errors
    /// `NoSuchJob`, naming the nearest.
    pub fn job(&self, name: &str) -> Result<&Saved, ConfigError> {
        self.jobs.iter().find(|job| job.name == name).ok_or_else(|| {
            let looked = self.looked();
            let error = ConfigError::new(ConfigErrorKind::NoSuchJob, format!("there is no job '{name}' {looked}"));
            match nearest(name, self.jobs.iter().map(|job| job.name.as_str())) {
                Some(near) => error.remedy(format!("did you mean '{near}'?")),
                None => error.remedy(format!("write [job.{name}] with its source and targets")),
            }
        })
    }

    /// The remote of that name, its texts had from wherever they are; may run commands and wait for them.
    ///
    /// # Errors
    /// `NoSuchRemote`; `Unobtainable` for a text that could not be had.
    pub fn remote(&self, name: &str) -> Result<Remote, ConfigError> {
        let (_, configured) = self.find(name)?;
        let mut options = BTreeMap::new();
        for (option, setting) in &configured.settings {
            let secret = setting.obtain(&self.environment)?;
            let is_secret = specs(configured.family).any(|spec| spec.name == option && spec.holds == Holds::Secret);
            let value = if is_secret { Value::Secret(secret) } else { Value::Text(secret.reveal().to_owned()) };
            options.insert(option.clone(), value);
        }
        make(name, configured.family, options)
    }

    /// The family of that remote, and the texts of some of its options: no other text is had for it, no secret and no
    /// command's.
    ///
    /// # Errors
    /// As [`Config::remote`].
    pub fn options<const N: usize>(
        &self,
        name: &str,
        options: [&str; N],
    ) -> Result<(&'static Family, [Option<String>; N]), ConfigError> {
        let (_, configured) = self.find(name)?;
        let mut texts = [const { None }; N];
        for (text, option) in texts.iter_mut().zip(options) {
            let setting = configured.settings.get(option);
            let had = setting.map(|setting| setting.obtain(&self.environment)).transpose()?;
            *text = had.map(|text| text.reveal().to_owned());
        }
        Ok((configured.family, texts))
    }

    /// The remote of that name, or the one the environment alone makes: that one has a name without capitals and
    /// signs.
    fn find(&self, name: &str) -> Result<(&str, &Configured), ConfigError> {
        let in_small = in_capitals(name).to_ascii_lowercase();
        self.remotes
            .get_key_value(name)
            .or_else(|| {
                let made = |configured: &Configured| matches!(configured.typed.origin, Origin::Variable(_));
                self.remotes.get_key_value(&in_small).filter(|(_, configured)| made(configured))
            })
            .map(|(name, configured)| (name.as_str(), configured))
            .ok_or_else(|| self.no_such(name))
    }

    /// Every remote, or the one that is meant.
    pub(super) fn chosen(&self, only: Option<&str>) -> Result<Vec<(&str, &Configured)>, ConfigError> {
        match only {
            Some(name) => Ok(vec![self.find(name)?]),
            None => Ok(self.remotes.iter().map(|(name, configured)| (name.as_str(), configured)).collect()),
        }
    }

    /// Who speaks for `location`, and the path to open of it: for a local path the family `local`, for a URL
    /// its family with no option given (the remote is called like the scheme), else the configured remote.
    ///
    /// # Errors
    /// `Unknown` for a scheme no family has; `BadPlace` for a local path that is not UTF-8; as
    /// [`Config::remote`].
    pub fn place(&self, location: &Location) -> Result<(Remote, String), ConfigError> {
        match location {
            Location::Local(path) => {
                let family = self.family("local").ok_or_else(|| self.no_scheme("local"))?;
                let text = path.to_str().ok_or_else(|| {
                    let what = format!("the path '{}' is not UTF-8", path.display());
                    ConfigError::new(ConfigErrorKind::BadPlace, what)
                })?;
                Ok((make("local", family, BTreeMap::new())?, text.to_owned()))
            }
            Location::Remote { name, path } => Ok((self.remote(name)?, path.clone())),
            Location::Url { scheme, path } => {
                let family = self.family(scheme).ok_or_else(|| self.no_scheme(scheme))?;
                Ok((make(scheme, family, BTreeMap::new())?, path.clone()))
            }
        }
    }

    /// The schemes that URLs may have.
    pub(super) fn schemes(&self) -> impl Iterator<Item = &str> {
        self.families.iter().flat_map(|family| family.schemes).copied()
    }

    fn family(&self, name: &str) -> Option<&'static Family> {
        self.families.iter().copied().find(|family| family.name == name || family.schemes.contains(&name))
    }

    fn no_scheme(&self, scheme: &str) -> ConfigError {
        let mut known: Vec<_> = self.families.iter().flat_map(|family| family.schemes).copied().collect();
        known.sort_unstable();
        let error = ConfigError::new(ConfigErrorKind::Unknown, format!("no type of store has URLs '{scheme}://'"));
        match nearest(scheme, known.iter().copied()) {
            Some(near) => error.remedy(format!("did you mean '{near}://'?")),
            None => error.remedy(format!("known are {}", known.join(", "))),
        }
    }

    /// Where something was looked for.
    fn looked(&self) -> String {
        match (&self.located.path, self.found) {
            (Some(path), true) => format!("in '{}'", path.display()),
            (Some(path), false) => format!("('{}' does not exist)", path.display()),
            (None, _) => "(no home directory to look for a configuration in)".to_owned(),
        }
    }

    fn no_such(&self, name: &str) -> ConfigError {
        let looked = self.looked();
        let what = format!("there is no remote '{name}' {looked}");
        let error = ConfigError::new(ConfigErrorKind::NoSuchRemote, what);
        if let Some(near) = nearest(name, self.names()) {
            return error.remedy(format!("did you mean '{near}:'?"));
        }
        let file = self
            .located
            .path
            .as_ref()
            .map_or_else(|| "a file and name it with --config".to_owned(), |path| path.display().to_string());
        let url = self
            .families
            .iter()
            .find(|family| family.schemes.contains(&name))
            .map_or_else(String::new, |_| format!("; or write '{name}://…' to use the environment's credentials"));
        error.remedy(format!(
            "to add it write [remote.{name}] with its type into {file}, or set {}{url}; a local file is written './{name}:…'",
            variable(name, "type"),
        ))
    }
}

fn make(name: &str, family: &'static Family, options: BTreeMap<String, Value>) -> Result<Remote, ConfigError> {
    Remote::new(name, family, options)
        .map_err(|error| ConfigError::new(ConfigErrorKind::Unknown, format!("remote '{name}'")).because(error))
}

/// The family whose `type` is `word`.
pub(super) fn family_called(families: Families, word: &str) -> Option<&'static Family> {
    families.iter().copied().find(|family| family.name == word)
}

/// Checks the names in `section` against its family.
fn configured(section: Section, families: Families) -> Result<Configured, ConfigError> {
    let Section { name, origin, mut settings } = section;
    let types = || families.iter().map(|family| family.name);
    let typed = settings.remove("type").ok_or_else(|| {
        let known = types().collect::<Vec<_>>().join(", ");
        ConfigError::new(ConfigErrorKind::Missing, format!("remote '{name}' has no type"))
            .at(&origin)
            .remedy(format!("add type = \"…\", one of {known}"))
    })?;
    let Given::Literal(word) = &typed.given else {
        let what = format!("the type of remote '{name}' must be written out");
        return Err(ConfigError::new(ConfigErrorKind::WrongType, what).at(&typed.origin));
    };
    let word = word.reveal();
    let family = family_called(families, word).ok_or_else(|| {
        let error = ConfigError::new(ConfigErrorKind::Unknown, format!("there is no type '{word}'")).at(&typed.origin);
        match nearest(word, types()) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None => error.remedy(format!("known are {}", types().collect::<Vec<_>>().join(", "))),
        }
    })?;
    for (option, setting) in &settings {
        check_option(family, option, setting)?;
    }
    Ok(Configured { family, typed, settings })
}

fn check_option(family: &'static Family, option: &str, setting: &Setting) -> Result<(), ConfigError> {
    let Some(spec) = specs(family).find(|spec| spec.name == option) else {
        let what = format!("type '{}' has no option '{option}'", family.name);
        let error = ConfigError::new(ConfigErrorKind::Unknown, what).at(&setting.origin);
        return Err(match nearest(option, specs(family).map(|spec| spec.name)) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None => error
                .remedy(format!("known are {}", specs(family).map(|spec| spec.name).collect::<Vec<_>>().join(", "))),
        });
    };
    if let (Holds::Bool, Given::Literal(text)) = (spec.holds, &setting.given)
        && !matches!(text.reveal(), "true" | "false" | "1" | "0" | "yes" | "no")
    {
        let what = format!("'{option}' is neither true nor false");
        return Err(ConfigError::new(ConfigErrorKind::WrongType, what).at(&setting.origin));
    }
    Ok(())
}

/// Refuses a file open to others in which a secret stands.
fn refuse_exposed(path: &Path, sections: &[Section], families: Families) -> Result<(), ConfigError> {
    for section in sections {
        let word = match section.settings.get("type").map(|setting| &setting.given) {
            Some(Given::Literal(word)) => word.reveal(),
            _ => "",
        };
        // A type that is not known yet may be set right by the environment: then any family's secrets count.
        let meant: Vec<_> = family_called(families, word).map_or_else(|| families.to_vec(), |family| vec![family]);
        for (option, setting) in &section.settings {
            let mut named = meant.iter().flat_map(|family| specs(family)).filter(|spec| spec.name == option);
            if named.any(|spec| setting.is_literal_secret(spec.holds)) {
                let what = format!("'{option}' of remote '{}' stands in a file that others may read", section.name);
                return Err(ConfigError::new(ConfigErrorKind::Exposed, what)
                    .at(&setting.origin)
                    .remedy(format!("run: chmod 600 {}", shell_quoted(path))));
            }
        }
    }
    Ok(())
}

fn shell_quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+,@%".contains(&byte)) && !text.starts_with('-') {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
