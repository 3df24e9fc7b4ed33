//! Timetables as rclone's documentation writes them, and rates on a paused clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::civil::{DateTime, date};
use tokio::time::Instant;

use super::{Bandwidth, Limit, Rate, Timetable};
use crate::{
    body::Body,
    entry::Key,
    memory::{Behaviour, Memory},
    store::{PutRequest, Store, StoreExt},
};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// 2024-01-01 was a Monday.
fn week(day: i8, hour: i8, minute: i8) -> DateTime {
    date(2024, 1, day).at(hour, minute, 0, 0)
}

fn both(rate: u64) -> Rate {
    Rate { up: Some(rate), down: Some(rate) }
}

fn parse(text: &str) -> Timetable {
    text.parse().unwrap()
}

#[test]
fn sizes_are_read_as_rclone_reads_them() {
    for (text, rate) in [
        ("10M", both(10 * MIB)),
        ("10MiB", both(10 * MIB)),
        ("512", both(512 * KIB)),
        ("1.5k", both(1536)),
        ("100B", both(100)),
        ("10M:100k", Rate { up: Some(10 * MIB), down: Some(100 * KIB) }),
        ("off:100k", Rate { up: None, down: Some(100 * KIB) }),
        ("10M:off", Rate { up: Some(10 * MIB), down: None }),
        ("off", Rate::default()),
        ("0", Rate::default()),
    ] {
        assert_eq!(parse(text).at(week(1, 0, 0)), rate, "{text}");
        assert_eq!(parse(&rate.to_string()).at(week(1, 0, 0)), rate, "{rate}");
    }
}

#[test]
fn nonsense_is_refused() {
    for text in [
        "",
        " ",
        "fast",
        "10Q",
        "-1M",
        "nanM",
        "infM",
        "10M,08:00",
        "8:00,10M",
        "24:00,10M",
        "08:60,10M",
        "Moo-08:00,10M",
        "08:00,",
        "10M 20M",
        "08:00,10M 12:00",
        "-08:00,1M",
    ] {
        assert!(text.parse::<Timetable>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn each_day_has_its_times() {
    let table = parse("08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off");
    for day in 1..=7 {
        assert_eq!(table.at(week(day, 7, 59)), Rate::default());
        assert_eq!(table.at(week(day, 8, 0)), both(512 * KIB));
        assert_eq!(table.at(week(day, 12, 30)), both(10 * MIB));
        assert_eq!(table.at(week(day, 13, 0)), both(512 * KIB));
        assert_eq!(table.at(week(day, 22, 59)), both(30 * MIB));
        assert_eq!(table.at(week(day, 23, 0)), Rate::default());
    }
}

#[test]
fn the_week_has_its_times_and_goes_round() {
    let table = parse("Mon-00:00,512 Fri-23:59,10M Sat-10:00,1M Sun-20:00,off");
    assert_eq!(table.at(week(1, 0, 0)), both(512 * KIB));
    assert_eq!(table.at(week(5, 23, 58)), both(512 * KIB));
    assert_eq!(table.at(week(5, 23, 59)), both(10 * MIB));
    assert_eq!(table.at(week(6, 10, 0)), both(MIB));
    assert_eq!(table.at(week(7, 20, 0)), Rate::default());
    let late = parse("wednesday-12:00,1M Friday-12:00,2M:3M");
    assert_eq!(late.at(week(1, 9, 0)), Rate { up: Some(2 * MIB), down: Some(3 * MIB) });
    assert_eq!(late.at(week(3, 12, 0)), both(MIB));
    assert_eq!(late.limits(), (true, true));
    assert_eq!(parse("off:1M").limits(), (false, true));
}

fn limited(text: &str) -> (Arc<Memory>, Limit) {
    let memory = Arc::new(Memory::with("t", Behaviour::s3()));
    let bandwidth = Bandwidth::with_clock(parse(text), Arc::new(|| week(1, 12, 0)));
    (Arc::clone(&memory), Limit::new(memory, Arc::new(bandwidth)))
}

fn key() -> Key {
    Key::new("a").unwrap()
}

fn took(start: Instant, wanted: Duration) {
    let took = start.elapsed();
    let slack = Duration::from_millis(300);
    assert!(took + slack >= wanted && took <= wanted + slack, "{took:?} instead of {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn each_way_has_its_rate() {
    let (memory, limit) = limited("100k:20k");
    let content = vec![1_u8; 1000 * 1024];
    let start = Instant::now();
    limit.put(&key(), PutRequest::default(), content.clone().into()).await.unwrap();
    took(start, Duration::from_secs(10));
    let start = Instant::now();
    assert_eq!(limit.get(&key()).await.unwrap(), content);
    took(start, Duration::from_secs(50));
    assert_eq!(memory.get(&key()).await.unwrap(), content);
}

#[tokio::test(start_paused = true)]
async fn all_who_share_a_bandwidth_share_it() {
    let (_, limit) = limited("100k");
    let start = Instant::now();
    let put = |name: &str| {
        let key = Key::new(name).unwrap();
        let limit = &limit;
        async move { limit.put(&key, PutRequest::default(), vec![1_u8; 50 * 1024].into()).await }
    };
    let (a, b, c, d) = futures::join!(put("a"), put("b"), put("c"), put("d"));
    assert!([a, b, c, d].iter().all(Result::is_ok));
    took(start, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_new_rate_holds_while_bytes_flow() {
    let memory = Arc::new(Memory::with("t", Behaviour::s3()));
    memory.put(&key(), PutRequest::default(), vec![1_u8; 400 * 1024].into()).await.unwrap();
    let hour = Arc::new(Mutex::new(8));
    let shown = Arc::clone(&hour);
    let clock = Arc::new(move || week(1, *shown.lock().unwrap(), 0));
    let bandwidth = Bandwidth::with_clock(parse("08:00,100k 09:00,off"), clock);
    let limit = Limit::new(memory, Arc::new(bandwidth));
    let start = Instant::now();
    let key = key();
    let get = limit.get(&key);
    let change = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        *hour.lock().unwrap() = 9;
    };
    let (got, ()) = futures::join!(get, change);
    assert_eq!(got.unwrap().len(), 400 * 1024);
    took(start, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_bodies_stay_as_they_are() {
    let (memory, limit) = limited("off:10k");
    let start = Instant::now();
    limit.put(&key(), PutRequest::default(), vec![1_u8; 10 * 1024 * 1024].into()).await.unwrap();
    took(start, Duration::ZERO);
    assert_eq!(memory.stat(&key(), None).await.unwrap().size, Some(10 * MIB));
    // Little ones are paid for and then sent as they are, so that a family can read them twice.
    let body = Body::from(&b"little"[..]);
    assert!(body.replay().is_some());
}
