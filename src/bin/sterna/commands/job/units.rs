//! A job for those who let systemd or cron begin it.

use std::path::PathBuf;

use sterna::{backends::location::Location, jobs::Saved};

use crate::{
    args::GlobalArgs,
    commands::print,
    config::{Environment, locate},
    exit::{Exit, Failure},
};

/// Weekdays as systemd names them; cron counts from Sunday, and has it twice.
const DAYS: [&str; 8] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// `job systemd`.
pub fn systemd(global: &GlobalArgs, job: &Saved) -> Result<Exit, Failure> {
    let timer = timer(job)?;
    let unit = format!("sterna-{}", job.name);
    print(&format!("# /etc/systemd/system/{unit}.service\n{}\n", service(&command(global, job)?, job)))?;
    print(&format!("# /etc/systemd/system/{unit}.timer\n{timer}"))?;
    Ok(Exit::Success)
}

/// `job cron`.
pub fn cron(global: &GlobalArgs, job: &Saved) -> Result<Exit, Failure> {
    let expression = match (&job.when.schedule, job.when.every.map(|every| every.as_secs())) {
        (Some(expression), _) if expression.split_whitespace().count() == 6 => {
            return Err(Failure::usage(format!("job.{}: cron knows no seconds ('{expression}')", job.name)));
        }
        (Some(expression), _) => expression.clone(),
        (None, Some(every)) => periodic(every).ok_or_else(|| {
            Failure::usage(format!("job.{}: cron has no time every {every} s; write a schedule", job.name))
        })?,
        (None, None) => return Err(no_time(job)),
    };
    let zone = job.when.zone.as_ref().map(|zone| format!("CRON_TZ={zone}\n")).unwrap_or_default();
    let words: Vec<String> = command(global, job)?.iter().map(|word| quoted(word).replace('%', "\\%")).collect();
    print(&format!("{zone}{expression} {} --quiet\n", words.join(" ")))?;
    Ok(Exit::Success)
}

fn no_time(job: &Saved) -> Failure {
    Failure::usage(format!("job.{} has no time of its own; give it a schedule or every", job.name))
}

/// Every so many seconds as a cron expression, where the hour or the day is a multiple of it.
fn periodic(seconds: u64) -> Option<String> {
    let minutes = seconds.is_multiple_of(60).then_some(seconds / 60)?;
    match minutes {
        1..60 if 60_u64.is_multiple_of(minutes) => Some(format!("*/{minutes} * * * *")),
        60.. if minutes.is_multiple_of(60) && 24_u64.is_multiple_of(minutes / 60) => {
            Some(format!("0 */{} * * *", minutes / 60))
        }
        _ => None,
    }
}

/// What begins the job: absolute paths, as neither of them has ours.
fn command(global: &GlobalArgs, job: &Saved) -> Result<Vec<String>, Failure> {
    let text = |path: PathBuf| {
        let path = std::path::absolute(path)?;
        path.into_os_string()
            .into_string()
            .map_err(|_| Failure::usage("a path that is not UTF-8 cannot stand in a unit"))
    };
    let mut words = vec![text(std::env::current_exe()?)?];
    if let Some(config) = locate(global.config.as_deref(), &Environment::of_process()).path {
        words.extend(["--config".to_owned(), text(config)?]);
    }
    words.extend(["job", "run", &job.name].map(str::to_owned));
    Ok(words)
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@:".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// As `ExecStart=` and `ReadWritePaths=` take it: systemd.service(5), "Command lines".
fn for_unit(word: &str) -> String {
    let escaped = word.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if escaped.contains([' ', '"', '\'', ';']) { format!("\"{escaped}\"") } else { escaped }
}

fn service(command: &[String], job: &Saved) -> String {
    let start: Vec<String> = command.iter().map(|word| for_unit(word)).collect();
    let local = |written: &String| match written.parse() {
        Ok(Location::Local(path)) => std::path::absolute(path).ok()?.into_os_string().into_string().ok(),
        _ => None,
    };
    let targets: Vec<String> =
        job.targets.iter().filter_map(local).map(|path| format!("-{}", for_unit(&path))).collect();
    let paths = if targets.is_empty() { String::new() } else { format!("ReadWritePaths={}\n", targets.join(" ")) };
    format!(
        "[Unit]\n\
         Description=sterna job {name}\n\
         Documentation=man:sterna-job(1)\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={start} --quiet\n\
         # A run that finds another one at work, or its budget spent, is no failure of the unit.\n\
         SuccessExitStatus=5 10 14\n\
         TimeoutStopSec=5min\n\
         # Records of the runs, the index and the locks: /var/lib/sterna.\n\
         StateDirectory=sterna\n\
         Environment=XDG_STATE_HOME=/var/lib\n\
         # Whoever may read the configuration and write local targets; secrets by LoadCredential= and {{ credential = \"NAME\" }}.\n\
         User=sterna\n\
         UMask=0022\n\
         {paths}\
         NoNewPrivileges=yes\n\
         CapabilityBoundingSet=\n\
         AmbientCapabilities=\n\
         ProtectSystem=strict\n\
         ProtectHome=read-only\n\
         PrivateTmp=yes\n\
         PrivateDevices=yes\n\
         ProtectClock=yes\n\
         ProtectHostname=yes\n\
         ProtectKernelLogs=yes\n\
         ProtectKernelModules=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectControlGroups=yes\n\
         ProtectProc=invisible\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
         RestrictNamespaces=yes\n\
         RestrictRealtime=yes\n\
         RestrictSUIDSGID=yes\n\
         LockPersonality=yes\n\
         MemoryDenyWriteExecute=yes\n\
         SystemCallArchitectures=native\n\
         SystemCallFilter=@system-service\n\
         SystemCallFilter=~@privileged @resources\n\
         SystemCallErrorNumber=EPERM\n",
        name = job.name,
        start = start.join(" "),
    )
}

fn timer(job: &Saved) -> Result<String, Failure> {
    let times = match (&job.when.schedule, job.when.every) {
        (Some(expression), _) => {
            let calendars = calendars(expression)
                .ok_or_else(|| Failure::usage(format!("job.{}: systemd has no time like '{expression}'", job.name)))?;
            let zone = job.when.zone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
            // What was missed is made up for once.
            let line = |calendar: String| format!("OnCalendar={calendar}{zone}\n");
            calendars.into_iter().map(line).collect::<String>() + "Persistent=yes\n"
        }
        (None, Some(every)) => format!("OnBootSec=1min\nOnUnitActiveSec={}s\n", every.as_secs().max(1)),
        (None, None) => return Err(no_time(job)),
    };
    let jitter = match job.when.jitter.as_secs() {
        0 => String::new(),
        seconds => format!("RandomizedDelaySec={seconds}s\nFixedRandomDelay=yes\n"),
    };
    let name = &job.name;
    Ok(format!(
        "[Unit]\nDescription=when sterna job {name} is due\n\n[Timer]\n{times}{jitter}AccuracySec=1s\n\n\
         [Install]\nWantedBy=timers.target\n"
    ))
}

/// A cron expression as systemd writes times: systemd.time(7), "Calendar events". Where both day and weekday are given cron
/// takes either, so that there are two. `None` for what only some crons know.
fn calendars(expression: &str) -> Option<Vec<String>> {
    let named = match expression {
        "@hourly" => Some("*-*-* *:00:00"),
        "@daily" | "@midnight" => Some("*-*-* 00:00:00"),
        "@weekly" => Some("Sun *-*-* 00:00:00"),
        "@monthly" => Some("*-*-01 00:00:00"),
        "@yearly" | "@annually" => Some("*-01-01 00:00:00"),
        _ => None,
    };
    if let Some(named) = named {
        return Some(vec![named.to_owned()]);
    }
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let (second, [minute, hour, day, month, weekday]) = match fields[..] {
        [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
        _ => return None,
    };
    let time = format!("{}:{}:{}", field(hour, 0, number)?, field(minute, 0, number)?, field(second, 0, number)?);
    let month_of = |word: &str| {
        let at = MONTHS.iter().position(|name| word.eq_ignore_ascii_case(name));
        at.map_or_else(|| number(word), |at| Some(format!("{:02}", at + 1)))
    };
    let (day_of, month) = (field(day, 1, number)?, field(month, 1, month_of)?);
    let of_weekday = || days(weekday);
    Some(match (day, weekday) {
        (_, "*" | "?") => vec![format!("*-{month}-{day_of} {time}")],
        ("*" | "?", _) => vec![format!("{} *-{month}-* {time}", of_weekday()?)],
        _ => vec![format!("*-{month}-{day_of} {time}"), format!("{} *-{month}-* {time}", of_weekday()?)],
    })
}

fn number(word: &str) -> Option<String> {
    word.parse::<u8>().ok().map(|number| format!("{number:02}"))
}

/// A field of numbers; `first` is the lowest.
fn field(text: &str, first: u8, name: impl Fn(&str) -> Option<String>) -> Option<String> {
    let part = |part: &str| {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step = match step {
            Some(step) => format!("/{}", step.parse::<u8>().ok().filter(|step| *step > 0)?),
            None => String::new(),
        };
        match (range, range.split_once('-')) {
            ("*" | "?", _) if step.is_empty() => Some("*".to_owned()),
            ("*", _) => Some(format!("{first:02}{step}")),
            (_, Some((from, to))) => Some(format!("{}..{}{step}", name(from)?, name(to)?)),
            (one, None) => Some(format!("{}{step}", name(one)?)),
        }
    };
    text.split(',').map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join(","))
}

/// Weekdays, each by its name: systemd takes no steps there, and its week begins on Monday.
fn days(text: &str) -> Option<String> {
    let day = |word: &str| {
        let named = DAYS[..7].iter().position(|day| word.eq_ignore_ascii_case(day));
        named.or_else(|| word.parse().ok()).filter(|day| *day <= 7)
    };
    let mut names: Vec<&str> = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, "1"), |(range, step)| (range, step));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (day(from)?, day(to)?),
            None if range == "*" => (0, 6),
            None => (day(range)?, day(range)?),
        };
        let step = step.parse().ok().filter(|step| *step > 0)?;
        let found = (from..=to).step_by(step).map(|day| DAYS[day]);
        names.extend(found.collect::<Vec<_>>());
    }
    names.dedup();
    (!names.is_empty()).then(|| names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_becomes_a_calendar() {
        for (cron, calendar) in [
            ("*/15 * * * *", vec!["*-*-* *:00/15:00"]),
            ("30 2 * * *", vec!["*-*-* 02:30:00"]),
            ("5,35 8-18/2 * * 1-5", vec!["Mon,Tue,Wed,Thu,Fri *-*-* 08..18/2:05,35:00"]),
            ("0 0 29 2 *", vec!["*-02-29 00:00:00"]),
            ("10 0 0 1 jan *", vec!["*-01-01 00:00:10"]),
            ("0 4 13 * fri", vec!["*-*-13 04:00:00", "Fri *-*-* 04:00:00"]),
            ("0 0 */10 * *", vec!["*-*-01/10 00:00:00"]),
            ("0 0 * * 0,7", vec!["Sun *-*-* 00:00:00"]),
            ("@daily", vec!["*-*-* 00:00:00"]),
        ] {
            assert_eq!(calendars(cron).unwrap(), calendar, "{cron}");
        }
        for wrong in ["0 0 L * *", "0 0 * * 5#2", "0 0 15W * *", "0 0 * *"] {
            assert_eq!(calendars(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn periods_become_cron_where_the_hour_or_the_day_is_a_multiple() {
        assert_eq!(periodic(900).as_deref(), Some("*/15 * * * *"));
        assert_eq!(periodic(3600).as_deref(), Some("0 */1 * * *"));
        assert_eq!(periodic(6 * 3600).as_deref(), Some("0 */6 * * *"));
        for seconds in [1, 90, 7 * 60, 7 * 3600, 48 * 3600] {
            assert_eq!(periodic(seconds), None, "{seconds}");
        }
    }
}
