use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use sterna_backends::Timestamp;

use super::{Due, Schedule, ScheduleError, zone};

const SECOND: i64 = 1_000_000_000;

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn utc(expression: &str) -> Schedule {
    Schedule::cron(expression, TimeZone::UTC).unwrap()
}

/// The next times after `from` of `expression` in `place`, in UTC.
fn times(expression: &str, place: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::cron(expression, zone(place).unwrap()).unwrap();
    schedule.upcoming(at(from)).take(count).map(|time| time.to_string()).collect()
}

#[test]
fn another_implementation_names_the_same_times() {
    let table = include_str!("croniter.txt").lines().filter(|line| !line.starts_with('#'));
    let mut compared = 0;
    for line in table {
        let [expression, after, expected] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        // The last Friday of a month is `L5` there and `5#L` here.
        let expression = expression.replace("L5", "5#L");
        assert_eq!(times(&expression, "UTC", after, 3).join(" "), expected, "{expression} after {after}");
        compared += 1;
    }
    assert_eq!(compared, 104);
}

/// What cron(8) of Debian says: "jobs that would have run during the interval that was skipped [..] will be run soon after the
/// change", and "those jobs that run during the repeated time will not be re-run".
#[test]
fn a_job_of_half_past_two_runs_once_on_both_days_on_which_the_clock_changes() {
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", 3),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"],
        "02:30 is skipped: at 03:00, the first moment there is"
    );
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2026-10-24T02:00:00Z", 3),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z"],
        "02:30 comes twice: the first time only"
    );
    assert_eq!(
        times("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2),
        ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
    );
    // Half an hour, and two hours.
    assert_eq!(times("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1), ["2026-10-03T15:30:00Z"]);
    assert_eq!(times("30 1 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z", 1), ["2026-03-29T01:00:00Z"]);
    // The day before and after, nothing moves.
    assert_eq!(
        times("0 0 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
    );
}

#[test]
fn what_recurs_within_the_hour_keeps_its_distance_over_both_changes() {
    for from in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"] {
        let schedule = Schedule::cron("*/15 * * * *", zone("Europe/Berlin").unwrap()).unwrap();
        let mut last = at(from);
        for time in schedule.upcoming(last).take(48) {
            assert_eq!(time.as_nanos() - last.as_nanos(), 900 * SECOND, "{time}");
            last = time;
        }
    }
}

#[test]
fn days_that_not_every_month_or_year_has() {
    assert_eq!(
        times("0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", 2),
        ["2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"],
        "2100 is no leap year"
    );
    assert_eq!(
        times("0 0 31 * *", "UTC", "2026-01-31T00:00:00Z", 3),
        ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z"]
    );
    assert_eq!(times("0 0 L * *", "UTC", "2028-01-31T00:00:00Z", 2), ["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]);
    assert_eq!(times("@monthly", "UTC", "2026-12-15T00:00:00Z", 1), ["2027-01-01T00:00:00Z"]);
}

#[test]
fn what_is_wrong_says_which_part() {
    let field = |expression: &str| match Schedule::cron(expression, TimeZone::UTC) {
        Err(ScheduleError::Field { field, text, .. }) => format!("{field} {text}"),
        other => panic!("{expression}: {other:?}"),
    };
    for (expression, wrong) in [
        ("61 * * * *", "minute 61"),
        ("0 24 * * *", "hour 24"),
        ("0 0 32 * *", "day 32"),
        ("0 0 0 * *", "day 0"),
        ("0 0 * 13 *", "month 13"),
        ("0 0 * foo *", "month foo"),
        ("0 0 * * 8", "weekday 8"),
        ("0 0 * * Mondays", "weekday Mondays"),
        ("60 0 0 * * *", "second 60"),
        ("*/0 * * * *", "minute */0"),
        ("5-1 * * * *", "minute 5-1"),
        ("1,,2 * * * *", "minute 1,,2"),
        ("- * * * *", "minute -"),
        ("0 -1 * * *", "hour -1"),
        ("0 0 ü * *", "day ü"),
    ] {
        assert_eq!(field(expression), wrong);
    }
    let error = |expression: &str| Schedule::cron(expression, TimeZone::UTC).unwrap_err();
    assert!(matches!(error("* * * *"), ScheduleError::Fields { found: 4, .. }));
    assert!(matches!(error(""), ScheduleError::Fields { found: 0, .. }));
    assert!(matches!(error("0 0 0 1 1 * 2030"), ScheduleError::Fields { found: 7, .. }));
    assert!(matches!(error("@reboot"), ScheduleError::Nickname(_)));
    assert!(matches!(error("0 0 30 2 *"), ScheduleError::Never(_)));
    assert!(matches!(error("0 0 31 4,6,9,11 *"), ScheduleError::Never(_)));
    assert_eq!(zone("Europe/Berln").unwrap_err(), ScheduleError::Zone("Europe/Berln".to_owned()));
    assert_eq!(Schedule::every(Duration::ZERO).unwrap_err(), ScheduleError::TooOften);
    assert_eq!(
        error("0 25 * * *").to_string(),
        "the hour '25' of '0 25 * * *' is wrong; 0 to 23, a list (6,18), a range (8-17) or a step (*/4) may stand there"
    );
}

#[test]
fn it_says_itself() {
    let berlin = Schedule::cron(" 30  2 * * * ", zone("Europe/Berlin").unwrap()).unwrap();
    assert_eq!(berlin.to_string(), "30 2 * * * (Europe/Berlin)");
    let every = Schedule::every(Duration::from_secs(900)).unwrap().with_jitter(Duration::from_secs(60), "haikuports");
    assert_eq!(every.to_string(), "every 15 min 00 s, 3.0 s later");
}

#[test]
fn missed_times_are_made_up_for_once() {
    let hourly = utc("0 * * * *");
    let last = at("2026-01-01T00:00:05Z");
    assert_eq!(hourly.due(last, at("2026-01-01T00:59:59Z")), Due::At(at("2026-01-01T01:00:00Z")));
    let on_time = Due::Now { at: at("2026-01-01T01:00:00Z"), missed: false };
    assert_eq!(hourly.due(last, at("2026-01-01T01:00:00Z")), on_time);
    assert_eq!(hourly.due(last, at("2026-01-01T01:59:59.999Z")), on_time);
    let late = at("2026-01-09T12:34:56Z");
    assert_eq!(hourly.due(last, late), Due::Now { at: at("2026-01-09T12:00:00Z"), missed: true });
    assert_eq!(hourly.due(late, late), Due::At(at("2026-01-09T13:00:00Z")), "and then no more");
    let from_the_future = at("2071-01-01T00:00:00Z");
    assert_eq!(hourly.due(from_the_future, last), Due::At(at("2026-01-01T01:00:00Z")));
}

/// Expressions of every form, in zones of every kind.
fn schedules() -> impl Strategy<Value = Schedule> {
    const ZONES: [&str; 6] =
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Kathmandu"];
    let minute = prop_oneof![
        Just("*".to_owned()),
        (0..60_u8).prop_map(|at| at.to_string()),
        (1..30_u8).prop_map(|step| format!("*/{step}"))
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (0..24_u8).prop_map(|at| at.to_string()),
        (0..4_u8).prop_map(|at| format!("{at}-3"))
    ];
    let day = prop_oneof![4 => Just("*".to_owned()), 1 => (1..30_u8).prop_map(|at| at.to_string()), 1 => Just("L".to_owned())];
    let weekday = prop_oneof![4 => Just("*".to_owned()), 1 => (0..8_u8).prop_map(|at| at.to_string())];
    let cron =
        (minute, hour, day, weekday, prop::sample::select(&ZONES)).prop_map(|(minute, hour, day, weekday, place)| {
            Schedule::cron(&format!("{minute} {hour} {day} * {weekday}"), zone(place).unwrap()).unwrap()
        });
    let every = (1_u64..1_000_000).prop_map(|seconds| Schedule::every(Duration::from_secs(seconds)).unwrap());
    (prop_oneof![3 => cron, 1 => every], 0_u64..600, "[a-z]{1,8}")
        .prop_map(|(schedule, jitter, name)| schedule.with_jitter(Duration::from_secs(jitter), &name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whoever asks between two times gets the same answer, forwards and backwards; hours around a change of the clock included.
    #[test]
    fn times_stand_still(schedule in schedules(), days in 0_i64..800, nanos in 0_i64..86_400 * SECOND, between in 0.0_f64..1.0) {
        let from = Timestamp::from_nanos(at("2026-01-01T00:00:00Z").as_nanos() + days * 86_400 * SECOND + nanos);
        let next = schedule.next_after(from).unwrap();
        prop_assert!(next > from);
        prop_assert_eq!(schedule.at_or_before(next), Some(next));
        let within = Timestamp::from_nanos(from.as_nanos() + ((next.as_nanos() - from.as_nanos() - 1) as f64 * between) as i64);
        prop_assert_eq!(schedule.next_after(within), Some(next), "asked at {}", within);
        let before = schedule.at_or_before(from).unwrap();
        prop_assert!(before <= from);
        prop_assert_eq!(schedule.next_after(before), Some(next), "{} is the one before", before);
    }

    #[test]
    fn a_run_is_never_due_twice(schedule in schedules(), since in 0_i64..10_000_000, later in 0_i64..10_000_000) {
        let last = Timestamp::from_parts(1_770_000_000 + since, 0);
        let now = Timestamp::from_parts(1_770_000_000 + since + later, 7);
        match schedule.due(last, now) {
            Due::Now { at, .. } => {
                prop_assert!(at > last && at <= now);
                prop_assert!(matches!(schedule.due(now, now), Due::At(next) if next > now));
            }
            Due::At(next) => prop_assert!(next > now),
            Due::Never => prop_assert!(false),
        }
    }

    #[test]
    fn a_delay_is_shorter_than_the_jitter_and_keeps_the_distance(jitter in 1_u64..100_000, name in ".*") {
        let plain = utc("0 0 * * *");
        let late = plain.clone().with_jitter(Duration::from_secs(jitter), &name);
        let midnight = at("2026-06-01T00:00:00Z");
        let by = late.next_after(midnight).unwrap().as_nanos() - midnight.as_nanos();
        let by = if by >= 86_400 * SECOND { by - 86_400 * SECOND } else { by };
        prop_assert!(by < i64::try_from(jitter).unwrap() * SECOND);
        let two: Vec<_> = late.upcoming(midnight).take(2).collect();
        prop_assert_eq!(two[1].as_nanos() - two[0].as_nanos(), 86_400 * SECOND);
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*", fields in "[0-9*/,LW#A-Z -]{0,40}") {
        let _either = Schedule::cron(&text, TimeZone::UTC);
        let _either = Schedule::cron(&fields, TimeZone::UTC);
    }
}
