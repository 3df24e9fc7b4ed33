//! What servers tell of files: facts for machines (RFC 3659, 7), and lines for people.

use jiff::{civil, tz::TimeZone};

use crate::{
    entry::Timestamp,
    skipped::WhySkipped,
    tree::{self, Facts},
};

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    File,
    Directory,
    /// The directory itself, or the one above.
    Dot,
    Link,
    /// A socket, a device.
    Special,
}

/// What is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub what: What,
    pub size: Option<u64>,
    /// To the second; only from facts, and from `MDTM`.
    pub modified: Option<Timestamp>,
    /// About when, from lines for people: in the server's own time zone, and of a year that is guessed.
    pub about: Option<Timestamp>,
    /// Another one for each file that is there at once.
    pub unique: Option<String>,
}

impl Found {
    /// Nothing but what it is.
    pub fn of(what: What) -> Self {
        Self { what, size: None, modified: None, about: None, unique: None }
    }
}

impl Facts for Found {
    fn what(&self) -> tree::What {
        match self.what {
            What::File => tree::What::File,
            What::Directory | What::Dot => tree::What::Directory,
            What::Link => tree::What::Other(WhySkipped::Link),
            What::Special => tree::What::Other(WhySkipped::Special),
        }
    }
}

/// `fact=value;fact=value; name`.
pub(super) fn of_facts(line: &str) -> Option<(Found, &str)> {
    let (facts, name) = line.split_once(' ')?;
    let mut found = Found::of(What::File);
    for fact in facts.split_terminator(';') {
        let (fact, value) = fact.split_once('=')?;
        match fact.to_ascii_lowercase().as_str() {
            "type" => {
                found.what = match value.to_ascii_lowercase().as_str() {
                    "file" => What::File,
                    "dir" => What::Directory,
                    "cdir" | "pdir" => What::Dot,
                    // What it points at may follow.
                    link if link.starts_with("os.unix=slink") || link.starts_with("os.unix=symlink") => What::Link,
                    _ => What::Special,
                }
            }
            "size" => found.size = Some(value.parse().ok()?),
            "modify" => found.modified = Some(time(value)?),
            "unique" => found.unique = Some(value.to_owned()),
            _ => {}
        }
    }
    Some((found, name))
}

/// `YYYYMMDDHHMMSS`, with a fraction perhaps, in UTC (RFC 3659, 2.3).
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() != 14 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| whole[from..to].parse::<i8>().ok();
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    // A second of 60 is a leap second, which time stamps do not count.
    let second = part(12, 14)?.min(59);
    let date = civil::DateTime::new(
        whole[..4].parse().ok()?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        second,
        nanos,
    );
    Some(date.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().into())
}

/// As [`time`] reads it, to the second.
pub(super) fn written(time: Timestamp) -> String {
    jiff::Timestamp::from(time).strftime("%Y%m%d%H%M%S").to_string()
}

/// A line of `LIST`, as `ls -l` or as Windows writes it; `None` for what is neither. `now` gives the year where a line
/// tells none.
pub(super) fn of_line(line: &str, now: Timestamp) -> Option<(Found, &str)> {
    of_ls(line, now).or_else(|| of_dir(line))
}

/// Whether a line of `LIST` tells of no file: a total, or nothing.
pub(super) fn is_remark(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (None, ..) => true,
        (Some("total"), Some(count), None) => count.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

/// `-rw-r--r-- 1 user group 1234 Nov 5 13:46 name`; some leave out the group. What is sure is the size before the date,
/// and one space between the date and the name, which may begin with further ones.
fn of_ls(line: &str, now: Timestamp) -> Option<(Found, &str)> {
    let what = match line.as_bytes().first()? {
        b'-' => What::File,
        b'd' => What::Directory,
        b'l' => What::Link,
        b'b' | b'c' | b'p' | b's' | b'D' => What::Special,
        _ => return None,
    };
    let words = words(line);
    let at = (3..words.len().saturating_sub(3)).take_while(|at| *at < 8).find(|at| {
        let word = |further: usize| words[at + further].1;
        word(0).bytes().all(|byte| byte.is_ascii_digit()) && month(word(1)).is_some() && day(word(2)).is_some()
    })?;
    let (start, clock) = words[at + 3];
    let name = line[start + clock.len()..].strip_prefix(' ')?;
    let is_dot = matches!(name, "." | "..");
    let mut found = Found::of(if is_dot { What::Dot } else { what });
    found.size = (what == What::File).then(|| words[at].1.parse()).transpose().ok()?;
    found.about = about(month(words[at + 1].1)?, day(words[at + 2].1)?, clock, now);
    Some((found, name))
}

/// The words of a line and where they start.
fn words(line: &str) -> Vec<(usize, &str)> {
    line.split(' ')
        .scan(0, |at, word| {
            let start = *at;
            *at += word.len() + 1;
            Some((start, word))
        })
        .filter(|(_, word)| !word.is_empty())
        .collect()
}

fn month(word: &str) -> Option<i8> {
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let at = names.iter().position(|name| word.eq_ignore_ascii_case(name))?;
    i8::try_from(at + 1).ok()
}

fn day(word: &str) -> Option<i8> {
    word.parse().ok().filter(|day| (1..=31).contains(day))
}

/// `13:46` of the last months, or the year.
fn about(month: i8, day: i8, clock: &str, now: Timestamp) -> Option<Timestamp> {
    let at = |year| {
        let date = civil::Date::new(year, month, day).ok()?;
        Some(Timestamp::from(date.to_zoned(TimeZone::UTC).ok()?.timestamp()))
    };
    if !clock.contains(':') {
        return at(clock.parse().ok()?);
    }
    let year = jiff::Timestamp::from(now).to_zoned(TimeZone::UTC).year();
    let this = at(year);
    // In a zone to the east of us it is tomorrow already.
    let is_past = this.is_some_and(|this| this.seconds() <= now.seconds() + 24 * 60 * 60);
    if is_past { this } else { at(year - 1) }
}

/// `04-08-14  03:09PM       403 name`, or `<DIR>` for the size. The time is that of an unknown zone, and not used.
fn of_dir(line: &str) -> Option<(Found, &str)> {
    let is_date =
        |word: &str| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_digit() || b"-/".contains(&byte));
    let words = words(line);
    let [(_, date), (_, clock), (start, size), ..] = words[..] else { return None };
    if !is_date(date) || !clock.contains(':') {
        return None;
    }
    let rest = &line[start + size.len()..];
    if size.eq_ignore_ascii_case("<DIR>") {
        return Some((Found::of(What::Directory), rest.trim_start_matches(' '))).filter(|(_, name)| !name.is_empty());
    }
    let size = size.replace(',', "").parse().ok()?;
    let found = Found { size: Some(size), ..Found::of(What::File) };
    Some((found, rest.strip_prefix(' ')?)).filter(|(_, name)| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_parts(1_795_000_000, 0); // 2026-11-18

    #[test]
    fn facts() {
        let (found, name) =
            of_facts("modify=20010909014640.5;perm=adfrw;Size=5;TYPE=file;unique=FE00U98C2D1;UNIX.mode=0644;  lead ")
                .unwrap();
        assert_eq!(name, " lead ");
        assert_eq!((found.what, found.size), (What::File, Some(5)));
        assert_eq!(found.modified, Some(Timestamp::from_parts(1_000_000_000, 500_000_000)));
        assert_eq!(found.unique.as_deref(), Some("FE00U98C2D1"));
        assert_eq!(of_facts("Type=dir;Modify=20261122183527;Size=0; d;e=f").unwrap().1, "d;e=f");
        assert_eq!(of_facts("type=cdir; .").unwrap().0.what, What::Dot);
        assert_eq!(of_facts("type=OS.unix=slink:/x; y").unwrap().0.what, What::Link);
        for nonsense in ["", "size=5;x", "size=x; a", "modify=2001; a", "type; a"] {
            assert_eq!(of_facts(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn times_go_and_come() {
        for text in ["20010909014640", "19691231235959", "20240229120000"] {
            assert_eq!(written(time(text).unwrap()), text);
        }
        assert_eq!(time("19700101000060"), Some(Timestamp::from_parts(59, 0)));
        for nonsense in ["", "2001090901464", "20011309014640", "2001090901464x", "20010909014640.x", "é2001090901464"]
        {
            assert_eq!(time(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn lines_as_ls_writes_them() {
        let line = |line| of_line(line, NOW).map(|(found, name)| (found.what, found.size, name));
        let file = |size, name| Some((What::File, Some(size), name));
        assert_eq!(line("-rw-r--r--    1 0        0               1 Nov 22 18:35  lead"), file(1, " lead"));
        assert_eq!(line("-rw-r--r--+ 1 0 0 12 Nov  2 2019 trail "), file(12, "trail "));
        assert_eq!(line("-rw-r--r--. 1 user 3000000000 Jan 31 00:00 no group"), file(3_000_000_000, "no group"));
        assert_eq!(line("-rw-r--r-- 1 u g 7 Dec 5 13:46 1 Jan 5 2000 x"), file(7, "1 Jan 5 2000 x"));
        assert_eq!(line("drwxr-xr-x 2 1 May 4096 Nov 22 18:35 d"), Some((What::Directory, None, "d")));
        assert_eq!(line("drwxr-xr-x 2 0 0 4096 Nov 22 18:35 .."), Some((What::Dot, None, "..")));
        assert_eq!(line("lrwxrwxrwx 1 0 0 4 Nov 22 18:35 l -> x"), Some((What::Link, None, "l -> x")));
        assert_eq!(line("04-08-14  03:09PM                  403 read me.txt"), file(403, "read me.txt"));
        assert_eq!(line("10-19-2020  03:19PM       <DIR>          pub"), Some((What::Directory, None, "pub")));
        for nonsense in
            ["total 12", "", "-rw-r--r-- 1 0 0 x Nov 22 18:35 a", "-", "ls: cannot open", "10-19-20 03:19PM 4"]
        {
            assert_eq!(line(nonsense), None, "{nonsense}");
        }
        assert!(is_remark("total 12") && is_remark("") && !is_remark("total") && !is_remark("x"));
    }

    #[test]
    fn years_are_guessed() {
        let about = |line| jiff::Timestamp::from(of_line(line, NOW).unwrap().0.about.unwrap()).to_string();
        assert_eq!(about("-rw-r--r-- 1 0 0 1 Nov 19 18:35 a"), "2026-11-19T00:00:00Z");
        assert_eq!(about("-rw-r--r-- 1 0 0 1 Dec 31 18:35 a"), "2025-12-31T00:00:00Z");
        assert_eq!(about("-rw-r--r-- 1 0 0 1 Dec 31 2001 a"), "2001-12-31T00:00:00Z");
    }
}
