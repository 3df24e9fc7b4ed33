//! What to do about a failure, by its kind. Pure.

use sterna_backends::ErrorKind;

use super::Failure;

impl Failure {
    /// With what is usually to be done about its kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), advice: advice(kind).map(str::to_owned) }
    }

    /// With that advice instead.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

const fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotFound => Some("look whether the place in the configuration is written as the store has it"),
        ErrorKind::NoSuchContainer => Some("make the bucket or folder ('sterna mkdir'), or correct its name"),
        ErrorKind::Denied => {
            Some("look whether the keys are still valid and allow it: 'sterna config check' tries every remote")
        }
        ErrorKind::Throttled => Some("nothing, if it is rare; else lower limits.transfers or requests_per_second"),
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Unreachable => {
            Some("nothing, if the next run succeeds; else look whether the store can be reached from this machine")
        }
        ErrorKind::Integrity => Some(
            "run it again; if it stays, what lies at the source or on the way is damaged: 'sterna check --download'",
        ),
        ErrorKind::Full => Some("make room at the target, or raise its quota"),
        ErrorKind::Capped => Some("raise the cap in the account's settings, or wait until it is over"),
        ErrorKind::Changed | ErrorKind::Precondition => {
            Some("nothing: it was changed meanwhile, and the next run takes it as it is then")
        }
        ErrorKind::Config => Some("correct the configuration: 'sterna config check'"),
        ErrorKind::BadRequest | ErrorKind::Unsupported => {
            Some("look what the store can hold: 'sterna doctor' tries it")
        }
        _ => None,
    }
}
