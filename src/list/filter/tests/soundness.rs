//! What must hold whatever the rules are.

use proptest::prelude::*;

use crate::list::filter::{Filter, FilterBuilder};

/// Patterns over few letters, so that they often match; with everything the language has.
fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => Just("a"), 3 => Just("b"), 2 => Just("c"), 4 => Just("/"), 3 => Just("*"), 3 => Just("**"), 1 => Just("?"),
        1 => Just("[ab]"), 2 => Just("[^a]"), 2 => Just("**[^a]"), 1 => Just("{a,b}"), 1 => Just("{a/,**}"), 1 => Just("{{a|b/c}}"),
        1 => Just("{{[^b]*}}"), 1 => Just("\\*"), 1 => Just("\\D"), 1 => Just("a/b"), 1 => Just("/**"), 1 => Just("//"),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn rules() -> impl Strategy<Value = Vec<String>> {
    let rule =
        (prop::bool::ANY, pattern()).prop_map(|(include, it)| format!("{} {it}", if include { '+' } else { '-' }));
    prop::collection::vec(prop_oneof![6 => rule, 1 => Just("- *".to_owned()), 1 => Just("- **".to_owned())], 1..5)
}

fn keys() -> impl Strategy<Value = Vec<String>> {
    let segment = prop::sample::select(vec!["a", "b", "c", "ab", "ba", "abc", "a*", "", "\n"]);
    let key = prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("/"));
    prop::collection::vec(key, 1..12)
}

/// `None` where the patterns are not well formed, which random ones often are not.
fn build(rules: &[String], includes: &[String]) -> Option<Filter> {
    let mut builder = FilterBuilder::new();
    rules.iter().fold(&mut builder, |builder, rule| builder.rule(rule));
    includes.iter().fold(&mut builder, |builder, pattern| builder.include(pattern)).build().ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is not entered holds nothing that is admitted; what is admitted starts with the prefix.
    #[test]
    fn nothing_admitted_is_missed(rules in rules(), includes in prop::collection::vec(pattern(), 0..3), keys in keys()) {
        let filter = build(&rules, &includes);
        prop_assume!(filter.is_some());
        let filter = filter.expect("assumed");
        for key in keys.iter().filter(|key| filter.admits_key(key)) {
            prop_assert!(key.starts_with(filter.prefix()), "{key:?} {:?}", filter.prefix());
            for (at, _) in key.match_indices('/') {
                prop_assert!(filter.enters(&key[..=at]), "{key:?} is in, {:?} is not entered", &key[..=at]);
            }
        }
    }

    /// The shortcuts say what the regular expressions say: with `--ignore-case` everything is a regular expression.
    #[test]
    fn shortcuts_change_nothing(rules in rules(), keys in keys()) {
        let plain = build(&rules, &[]);
        prop_assume!(plain.is_some());
        let mut builder = FilterBuilder::new();
        let slow = rules.iter().fold(&mut builder, |builder, rule| builder.rule(rule)).ignore_case(true).build().expect("the same rules");
        for key in keys {
            prop_assert_eq!(plain.as_ref().map(|plain| plain.admits_key(&key)), Some(slow.admits_key(&key)), "{:?}", key);
        }
    }
}
