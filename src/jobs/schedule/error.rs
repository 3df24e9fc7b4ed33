//! What is wrong with a schedule, and which part of it.

/// Why a schedule cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five or six fields.
    #[error("'{expression}' has {found} fields; write five (minute hour day month weekday), or six with seconds first")]
    Fields {
        /// As it was written.
        expression: String,
        /// How many it has.
        found: usize,
    },
    /// One field is wrong.
    #[error("the {field} '{text}' of '{expression}' is wrong; {allowed}")]
    Field {
        /// Which of them.
        field: &'static str,
        /// What stands there.
        text: String,
        /// As it was written.
        expression: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// An `@name` that cron has not, or that says no time.
    #[error("'{0}' is none of @hourly, @daily, @weekly, @monthly and @yearly")]
    Nickname(String),
    /// A day that no year has.
    #[error("'{0}' never comes; no year has such a day")]
    Never(String),
    /// A time between runs of less than a second.
    #[error("a job runs once a second at most")]
    TooOften,
    /// A name that the time zone database has not.
    #[error("'{0}' is no time zone; write a name such as Europe/Berlin, or UTC")]
    Zone(String),
}
