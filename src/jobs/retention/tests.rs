use std::{cmp::Ordering, collections::BTreeSet, time::Duration};

use jiff::civil::date;
use proptest::prelude::*;
use sterna_backends::{Entry, Key, Timestamp};

use super::{Decision, InvalidRetention, Retention, Saving, Stocktake, natural};
use crate::{
    jobs::{Word, Words},
    price::{Book, Decimal, Stock},
};

const DAY: i64 = 86_400;

/// The customer's own expression, and their names: `haiku-master-hrev57937_129-x86_64-anyboot.zip` and what stands beside it.
const IMAGES: &str = "haiku-master-(?<rev>hrev[0-9]+(_[0-9]+)?)-(?<arch>[^-]+)";

/// The directories of the package repositories: `master/x86_64/r1~beta5_hrev57937_129/packages/…`.
const REPOSITORIES: &str = "^(?<branch>[^/]+)/(?<arch>[^/]+)/(?<rev>[^/]+)/";

fn retention(words: &[(&str, &str)]) -> Result<Retention, InvalidRetention> {
    let words: Words = words.iter().map(|(key, value)| ((*key).to_owned(), Word::Text((*value).to_owned()))).collect();
    let days = |text: &str| Some(Duration::from_secs(text.strip_suffix('d')?.parse::<u64>().ok()? * 86_400));
    Retention::of(&words, days)
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// An object that is so many days old at day 10,000.
fn aged(name: &str, days: i64) -> Entry {
    Entry { modified: Some(Timestamp::from_parts((10_000 - days) * DAY, 0)), ..Entry::object(key(name), 1 << 30) }
}

fn now() -> Timestamp {
    Timestamp::from_parts(10_000 * DAY, 0)
}

fn stocktake<'a>(retention: &Retention, names: impl IntoIterator<Item = &'a str>) -> Stocktake {
    let mut stocktake = Stocktake::default();
    for name in names {
        stocktake.add(retention, &aged(name, 1000));
    }
    stocktake
}

fn goes(decision: &Decision) -> Vec<String> {
    decision.keys().map(|key| key.as_str().to_owned()).collect()
}

#[test]
fn revisions_are_counted_as_people_count() {
    let ordered = [
        "hrev9",
        "hrev57937",
        "hrev57937_9",
        "hrev57937_10",
        "hrev57937_129",
        "hrev57938",
        "hrev100000",
        "r1~alpha4",
        "r1~beta5",
        "r1~beta5_hrev57937_129",
        "r1~beta10",
        "r1",
        "r1.1",
        "r2",
    ];
    for (at, earlier) in ordered.iter().enumerate() {
        for later in &ordered[at + 1..] {
            assert_eq!(natural(earlier, later), Ordering::Less, "{earlier} {later}");
            assert_eq!(natural(later, earlier), Ordering::Greater, "{later} {earlier}");
        }
    }
    assert_eq!(natural("a007", "a7"), Ordering::Less, "different texts are never equal");
    assert_eq!(natural(&"9".repeat(99), &"1".repeat(100)), Ordering::Less);
}

#[test]
fn the_newest_of_each_group_stay_with_all_that_stands_beside_them() {
    let rules = retention(&[("keep_last", "2"), ("group_by", IMAGES)]).unwrap();
    let names: Vec<String> = ["hrev57937_9", "hrev57937_129", "hrev57937_10", "hrev57936"]
        .iter()
        .flat_map(|rev| {
            ["", ".sha256", ".minisig", ".torrent", ".torrent.sig"]
                .map(|ending| format!("x86_64/haiku-master-{rev}-x86_64-anyboot.zip{ending}"))
        })
        .chain(["arm64/haiku-master-hrev1-arm64-mmc.zip", "x86_64/README", "SHA256SUMS"].map(str::to_owned))
        .collect();
    let decision = stocktake(&rules, names.iter().map(String::as_str)).decide(&rules, now());
    let told: Vec<_> =
        decision.groups.iter().map(|group| (group.name.as_str(), group.kept, group.goes.len())).collect();
    assert_eq!(told, [("arm64/ arm64", 1, 0), ("x86_64/ x86_64", 2, 2)]);
    let revisions: Vec<_> = decision.groups[1].goes.iter().map(|gone| gone.revision.as_str()).collect();
    assert_eq!(revisions, ["hrev57936", "hrev57937_9"], "the oldest first");
    assert_eq!(decision.keys().count(), 10);
}

#[test]
fn what_stands_beside_an_image_follows_it_past_the_end_of_the_expression() {
    let rules =
        retention(&[("keep_last", "1"), ("group_by", r"-(?<rev>r1beta[0-9]+)-(?<arch>[^-]+)-anyboot\.iso$")]).unwrap();
    let names = [
        "haiku-r1beta4-x86_64-anyboot.iso",
        "haiku-r1beta4-x86_64-anyboot.iso.torrent",
        "haiku-r1beta5-x86_64-anyboot.iso",
    ];
    assert_eq!(goes(&stocktake(&rules, names).decide(&rules, now())), names[..2]);
}

#[test]
fn a_revision_of_a_repository_goes_whole() {
    let rules = retention(&[("keep_last", "1"), ("group_by", REPOSITORIES)]).unwrap();
    let names = [
        "master/x86_64/r1~beta5_hrev57937_129/packages/haiku-r1~beta5_hrev57937_129-1-x86_64.hpkg",
        "master/x86_64/r1~beta5_hrev57937_129/repo",
        "master/x86_64/r1~beta5_hrev57937_130/repo",
        "r1beta5/x86_64/r1~beta5_hrev57937_1/repo",
    ];
    assert_eq!(goes(&stocktake(&rules, names).decide(&rules, now())), names[..2]);
}

/// Their cleaner of repositories: what is younger than 182 days, and of the older ones those whose number is divisible by
/// three. Their reaper of images.
#[test]
fn the_rules_of_the_first_customer_can_be_written() {
    let cleaner =
        retention(&[("keep_last", "1"), ("keep_within", "182d"), ("keep_every", "3"), ("group_by", REPOSITORIES)])
            .unwrap();
    let mut all = Stocktake::default();
    for (revision, days) in
        [(57001, 400), (57002, 300), (57003, 200), (57004, 183), (57005, 182), (57006, 181), (57007, 1)]
    {
        all.add(&cleaner, &aged(&format!("master/x86_64/r1~beta5_hrev{revision}/repo"), days));
    }
    let left =
        |decision: &Decision| decision.groups[0].goes.iter().map(|gone| gone.revision.clone()).collect::<Vec<_>>();
    // The first number of `r1~beta5_hrev57001` is the 1 of `r1`, so the expression has to say which is meant.
    assert_eq!(left(&all.decide(&cleaner, now())).len(), 5);
    let by_number = "^(?<branch>[^/]+)/(?<arch>[^/]+)/[^/]*_(?<rev>hrev[0-9_]+)/";
    let cleaner =
        retention(&[("keep_last", "1"), ("keep_within", "182d"), ("keep_every", "3"), ("group_by", by_number)])
            .unwrap();
    let mut all = Stocktake::default();
    for (revision, days) in
        [(57001, 400), (57002, 300), (57003, 200), (57004, 183), (57005, 182), (57006, 181), (57007, 1)]
    {
        all.add(&cleaner, &aged(&format!("master/x86_64/r1~beta5_hrev{revision}/repo"), days));
    }
    assert_eq!(left(&all.decide(&cleaner, now())), ["hrev57001", "hrev57002", "hrev57004", "hrev57005"]);

    // Their reaper: nothing below a hundred, all within the last fifty revisions, and of the others the odd ones.
    let reaper = retention(&[
        ("keep_last", "1"),
        ("keep_all_below", "100"),
        ("keep_within_revisions", "50"),
        ("keep_every", "2n+1"),
        ("group_by", IMAGES),
    ])
    .unwrap();
    // Not every revision has an image: fifty revisions are fewer images.
    let images = |images: u32| {
        let names: Vec<String> = (0..images)
            .map(|image| 57_000 + image * 3 / 2)
            .map(|rev| format!("haiku-master-hrev{rev}-x86_64-anyboot.zip"))
            .collect();
        stocktake(&reaper, names.iter().map(String::as_str)).decide(&reaper, now())
    };
    assert_eq!(images(99).keys().count(), 0);
    let decision = images(100);
    let latest = 57_000 + 99 * 3 / 2;
    let by_hand = (0..100).map(|image| 57_000 + image * 3 / 2).filter(|rev| *rev <= latest - 50 && rev % 2 == 0);
    let by_hand: Vec<String> = by_hand.map(|rev| format!("hrev{rev}")).collect();
    assert_eq!(left(&decision), by_hand);
    assert_eq!((decision.groups[0].kept, by_hand.len()), (67, 33));
}

#[test]
fn by_time_the_newest_stay_and_so_does_what_has_no_time() {
    let rules = retention(&[("keep_last", "1"), ("order", "time"), ("group_by", IMAGES)]).unwrap();
    let name = |rev: &str| format!("haiku-master-{rev}-x86_64-anyboot.zip");
    let mut all = Stocktake::default();
    all.add(&rules, &aged(&name("hrev3"), 30));
    all.add(&rules, &aged(&name("hrev2"), 10));
    assert_eq!(goes(&all.decide(&rules, now())), [name("hrev3")]);
    all.add(&rules, &Entry::object(key(&name("hrev1")), 1));
    assert_eq!(goes(&all.decide(&rules, now())), [name("hrev3"), name("hrev2")]);
}

#[test]
fn a_source_that_has_lost_its_images_takes_none_below_the_least() {
    let rules = retention(&[("keep_last", "3"), ("group_by", IMAGES)]).unwrap();
    let name = |rev: u32| format!("haiku-master-hrev{rev}-x86_64-anyboot.zip");
    let of = |revs: &[u32]| {
        let names: Vec<String> = revs.iter().flat_map(|rev| [name(*rev), name(*rev) + ".sha256"]).collect();
        stocktake(&rules, names.iter().map(String::as_str))
    };
    let held = |target: &[u32], source: &[u32]| {
        let keys = of(target).holds(&rules, &of(source), now());
        keys.iter()
            .filter(|key| key.as_str().ends_with("zip"))
            .map(|key| key.as_str()[17..19].parse::<u32>().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(held(&[10, 11, 12, 13, 14], &[]), [12, 13, 14], "all lost: the least is left");
    assert_eq!(held(&[10, 11, 12, 13, 14], &[14]), [12, 13]);
    assert_eq!(held(&[10, 11, 12, 13], &[13, 14, 15]), [0; 0], "enough at the source");
    assert_eq!(held(&[10, 11, 12, 13], &[10, 11, 12, 13, 14]), [0; 0], "what the source passes over is not held");
    assert_eq!(of(&[10]).holds(&rules, &of(&[]), now()).len(), 2, "with what stands beside it");
}

#[test]
fn what_goes_is_worth_something() {
    let rules = retention(&[("keep_last", "1"), ("group_by", IMAGES)]).unwrap();
    let names: Vec<String> = (0..100).map(|rev| format!("haiku-master-hrev{rev}-x86_64-anyboot.zip")).collect();
    let mut all = Stocktake::default();
    let mut stock = Stock::default();
    for name in &names {
        all.add(&rules, &aged(name, 30));
        stock.add_about(1 << 30);
    }
    let decision = all.decide(&rules, now());
    let offer = |provider: &str| Book::shipped().offer_of(provider, None, date(2026, 11, 25)).unwrap();
    let b2 = Saving::of(&decision, &stock, &offer("b2"), now());
    let wasabi = Saving::of(&decision, &stock, &offer("wasabi"), now());
    assert_eq!(b2.currency, "USD");
    assert!(b2.per_month > Decimal::ZERO && b2.early.is_zero(), "{b2:?}");
    // Ninety days are billed, thirty are over, two months are left.
    assert!(wasabi.early > Decimal::ZERO, "{wasabi:?}");
}

#[test]
fn what_is_wrong_is_said() {
    let error = |words: &[(&str, &str)]| retention(words).unwrap_err().to_string();
    assert_eq!(error(&[("keep_lats", "1")]), "retention has no 'keep_lats'; did you mean 'keep_last'?");
    assert_eq!(error(&[("group_by", IMAGES)]), "retention has no keep_last");
    assert_eq!(error(&[("keep_last", "1")]), "retention has no group_by");
    assert_eq!(error(&[("keep_all_below", "x")]), "keep_all_below = \"x\": expected a number");
    assert_eq!(error(&[("keep_last", "0")]), "keep_last = \"0\": expected a number from 1");
    assert!(error(&[("keep_last", "1"), ("group_by", "a(b")]).contains("unclosed group"));
    assert!(error(&[("keep_last", "1"), ("group_by", "a(?<revision>b)")]).contains("(?<rev>…)"));
    for every in ["0", "2n+2", "n", "-1", "2n-1", "x"] {
        assert!(error(&[("keep_every", every)]).contains("2n+1"), "{every}");
    }
}

fn names() -> impl Strategy<Value = Vec<(u32, u8, i64)>> {
    prop::collection::vec((0_u32..60, 0_u8..3, 0_i64..400), 0..80)
}

fn name((rev, arch, _): (u32, u8, i64)) -> String {
    format!("haiku-master-hrev{rev}-arch{arch}-anyboot.zip")
}

proptest! {
    #[test]
    fn the_order_is_total(a in "[a-z0-9~_.]{0,8}", b in "[a-z0-9~_.]{0,8}", c in "[a-z0-9~_.]{0,8}") {
        prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
        prop_assert_eq!(natural(&a, &b).is_eq(), a == b);
        if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
            prop_assert!(natural(&a, &c).is_le());
        }
    }

    /// Never below `keep_last`, and never one that is newer than one that stays by number.
    #[test]
    fn enough_is_kept(names in names(), last in 1_usize..20, every in 1_u64..5, days in 0_u64..400, by_time: bool) {
        let order = if by_time { "time" } else { "natural" };
        let (last_text, every, days) = (last.to_string(), every.to_string(), format!("{days}d"));
        let plain = retention(&[("keep_last", &last_text), ("group_by", IMAGES), ("order", order)]).unwrap();
        let more = retention(&[
            ("keep_last", &last_text), ("group_by", IMAGES), ("order", order), ("keep_every", &every), ("keep_within", &days),
        ]).unwrap();
        let mut all = Stocktake::default();
        for &one in &names {
            all.add(&plain, &aged(&name(one), one.2));
        }
        let decision = all.decide(&plain, now());
        for group in &decision.groups {
            let items = group.kept + group.goes.len();
            prop_assert_eq!(group.kept, items.min(last));
        }
        let fewer: BTreeSet<Key> = all.decide(&more, now()).keys().cloned().collect();
        let goes: BTreeSet<Key> = decision.keys().cloned().collect();
        prop_assert!(fewer.is_subset(&goes), "more rules keep more");
        // What is left is left alone the next time.
        let mut left = Stocktake::default();
        for &one in names.iter().filter(|one| !goes.contains(&key(&name(**one)))) {
            left.add(&plain, &aged(&name(one), one.2));
        }
        prop_assert_eq!(left.decide(&plain, now()).keys().count(), 0);
    }

    /// Whatever the source has lost, a target keeps so many as it has, up to `keep_last`.
    #[test]
    fn a_target_keeps_enough(source in names(), target in names(), last in 1_usize..20) {
        let rules = retention(&[("keep_last", &last.to_string()), ("group_by", IMAGES)]).unwrap();
        let names = |all: &[(u32, u8, i64)]| all.iter().map(|one| name(*one)).collect::<BTreeSet<String>>();
        let (source, target) = (names(&source), names(&target));
        let take = |names: &BTreeSet<String>| stocktake(&rules, names.iter().map(String::as_str));
        let passed_over: BTreeSet<String> = goes(&take(&source).decide(&rules, now())).into_iter().collect();
        let held = take(&target).holds(&rules, &take(&source), now());
        let after: BTreeSet<&String> = source.difference(&passed_over)
            .chain(target.iter().filter(|name| held.contains(&key(name))))
            .collect();
        for arch in 0..3 {
            let of = |name: &&String| name.contains(&format!("-arch{arch}-"));
            let had = target.iter().filter(of).count();
            let kept = after.iter().filter(|name| of(name)).count();
            prop_assert!(kept >= had.min(last), "arch {} had {} and keeps {}", arch, had, kept);
        }
    }
}
