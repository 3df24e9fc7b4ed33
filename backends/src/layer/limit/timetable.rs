//! Rates by the time of the week, as rclone's `--bwlimit` writes them (<https://rclone.org/docs/#bwlimit-bwtimetable>).

use std::{fmt, str::FromStr};

use jiff::civil::{DateTime, Weekday};

const MINUTES_A_DAY: u16 = 24 * 60;

/// Bytes per second each way; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// To the store.
    pub up: Option<u64>,
    /// From the store.
    pub down: Option<u64>,
}

/// Which rate holds when.
///
/// `10M` holds always; `10M:100k` is up and down; `08:00,512k 19:00,10M 23:00,off` changes each day, and
/// `Mon-00:00,512 Fri-23:59,10M` in the week. Before the first time of the week the last one still holds. A bare
/// number counts KiB, `B K M G T P` count powers of 1024, with or without `iB`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// Minute of the week, from Monday 00:00, and the rate from then on; sorted, not empty.
    slots: Vec<(u16, Rate)>,
}

/// Why a text is no timetable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimetable {
    /// Nothing was written.
    #[error("a bandwidth cannot be empty; write 'off' for no limit")]
    Empty,
    /// That is no number of bytes.
    #[error("'{0}' is no bandwidth; write such as 10M, 512k or off")]
    Bandwidth(String),
    /// That is no time.
    #[error("'{0}' is no time of day or week; write such as 08:00 or Mon-08:00")]
    Time(String),
}

impl Timetable {
    /// No limit, ever.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::always(Rate::default())
    }

    /// One rate for all times.
    #[must_use]
    pub fn always(rate: Rate) -> Self {
        Self { slots: vec![(0, rate)] }
    }

    /// The rate that holds at that local time.
    #[must_use]
    pub fn at(&self, time: DateTime) -> Rate {
        let minute = minute_of_week(time.weekday(), time.hour(), time.minute());
        let begun = self.slots.partition_point(|(from, _)| *from <= minute);
        let slot = begun.checked_sub(1).unwrap_or(self.slots.len() - 1);
        self.slots[slot].1
    }

    /// Whether there is a limit at any time: up, down.
    #[must_use]
    pub fn limits(&self) -> (bool, bool) {
        let any = |way: fn(&Rate) -> Option<u64>| self.slots.iter().any(|(_, rate)| way(rate).is_some());
        (any(|rate| rate.up), any(|rate| rate.down))
    }
}

impl FromStr for Timetable {
    type Err = InvalidTimetable;

    fn from_str(text: &str) -> Result<Self, InvalidTimetable> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [] => Err(InvalidTimetable::Empty),
            [rate] if !rate.contains(',') => Ok(Self::always(rate.parse()?)),
            _ => {
                let mut slots = Vec::new();
                for word in words {
                    let (time, rate) = word.split_once(',').ok_or_else(|| InvalidTimetable::Time(word.to_owned()))?;
                    let rate = rate.parse()?;
                    slots.extend(minutes(time)?.into_iter().map(|minute| (minute, rate)));
                }
                slots.sort_by_key(|(minute, _)| *minute);
                Ok(Self { slots })
            }
        }
    }
}

impl FromStr for Rate {
    type Err = InvalidTimetable;

    fn from_str(text: &str) -> Result<Self, InvalidTimetable> {
        let (up, down) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { up: bytes(up)?, down: bytes(down)? })
    }
}

/// `up:down` in bytes per second, as it is parsed.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |rate: Option<u64>| rate.map_or_else(|| "off".to_owned(), |bytes| format!("{bytes}B"));
        write!(f, "{}:{}", way(self.up), way(self.down))
    }
}

fn bytes(text: &str) -> Result<Option<u64>, InvalidTimetable> {
    let wrong = || InvalidTimetable::Bandwidth(text.to_owned());
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let power = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "b" => 0,
        "" | "k" | "ki" | "kib" => 1,
        "m" | "mi" | "mib" => 2,
        "g" | "gi" | "gib" => 3,
        "t" | "ti" | "tib" => 4,
        "p" | "pi" | "pib" => 5,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number * 1024_f64.powi(power);
    if !(0.0..9e18).contains(&bytes) {
        return Err(wrong());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
    let bytes = bytes as u64;
    // rclone: 0 is no limit.
    Ok((bytes > 0).then_some(bytes))
}

/// The minutes of the week that `HH:MM` (every day) or `Day-HH:MM` means.
fn minutes(text: &str) -> Result<Vec<u16>, InvalidTimetable> {
    const WEEK: [(Weekday, &str); 7] = [
        (Weekday::Monday, "monday"),
        (Weekday::Tuesday, "tuesday"),
        (Weekday::Wednesday, "wednesday"),
        (Weekday::Thursday, "thursday"),
        (Weekday::Friday, "friday"),
        (Weekday::Saturday, "saturday"),
        (Weekday::Sunday, "sunday"),
    ];
    let wrong = || InvalidTimetable::Time(text.to_owned());
    let (day, time) = text.split_once('-').map_or((None, text), |(day, time)| (Some(day), time));
    let (hour, minute) = time.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str, end: i8| {
        let number = digits.parse::<i8>().ok().filter(|number| (0..end).contains(number));
        number.filter(|_| digits.len() == 2).ok_or_else(wrong)
    };
    let (hour, minute) = (number(hour, 24)?, number(minute, 60)?);
    let day = day.map(str::to_ascii_lowercase);
    let meant = |name: &str| day.as_deref().is_none_or(|day| day == name || day == &name[..3]);
    let minutes: Vec<u16> = WEEK
        .into_iter()
        .filter(|(_, name)| meant(name))
        .map(|(weekday, _)| minute_of_week(weekday, hour, minute))
        .collect();
    if minutes.is_empty() { Err(wrong()) } else { Ok(minutes) }
}

fn minute_of_week(day: Weekday, hour: i8, minute: i8) -> u16 {
    let positive = |number: i8| u16::try_from(number).expect("days, hours and minutes are not negative");
    positive(day.to_monday_zero_offset()) * MINUTES_A_DAY + positive(hour) * 60 + positive(minute)
}
