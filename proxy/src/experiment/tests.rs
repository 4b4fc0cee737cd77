//! The properties that an experiment's result rests on, on hundreds of thousands of simulated viewers.

use super::assignment::{Evidence, address, choose, decide, digest};
use super::ratio::{Verdict, judge};
use super::*;
use proptest::prelude::*;

const VIEWERS: u64 = 200_000;

fn assigned(experiment: &str, variants: &[(&str, u32)]) -> Vec<usize> {
    let viewer = |viewer: u64| digest(experiment, format!("viewer-{viewer}").as_bytes());
    (0..VIEWERS).map(|number| choose(variants.iter().copied(), viewer(number)).unwrap()).collect()
}

fn counts(variants: &[(&str, u32)], assigned: &[usize]) -> Vec<(u32, u64)> {
    let count = |index: usize| assigned.iter().filter(|variant| **variant == index).count() as u64;
    variants.iter().enumerate().map(|(index, (_, weight))| (*weight, count(index))).collect()
}

/// How many change, from which name to which.
fn moved(before: &[(&str, u32)], after: &[(&str, u32)]) -> Vec<(String, String)> {
    let pairs = assigned("e", before).into_iter().zip(assigned("e", after));
    let names = pairs.map(|(from, to)| (before[from].0.to_owned(), after[to].0.to_owned()));
    names.filter(|(from, to)| from != to).collect()
}

/// Four standard deviations of a count whose expectation is `share` of all viewers.
fn tolerance(share: f64) -> f64 {
    4.0 * (VIEWERS as f64 * share * (1.0 - share)).sqrt()
}

#[test]
fn two_hundred_thousand_viewers_fall_as_the_weights_say() {
    for variants in [
        &[("control", 90), ("new", 10)][..],
        &[("a", 1), ("b", 1)],
        &[("a", 50), ("b", 30), ("c", 20)],
        &[("a", 999_000), ("b", 1_000)],
        &[("a", 3), ("gone", 0), ("b", 2), ("c", 1), ("d", 1)],
    ] {
        for experiment in ["checkout", "docs"] {
            let counts = counts(variants, &assigned(experiment, variants));
            let verdict = judge(&counts);
            assert!(matches!(verdict, Verdict::Fits { .. }), "{experiment} {counts:?}: {verdict:?}");
        }
    }
}

#[test]
fn experiments_do_not_depend_on_each_other() {
    let variants = [("a", 1), ("b", 1)];
    let both = assigned("one", &variants).into_iter().zip(assigned("other", &variants));
    let mut cells = [(1, 0); 4];
    both.for_each(|(one, other)| cells[one * 2 + other].1 += 1);
    assert!(matches!(judge(&cells), Verdict::Fits { .. }), "{cells:?}");
}

#[test]
fn of_two_variants_exactly_the_difference_moves() {
    for (before, after) in [(10, 20), (20, 10), (1, 50), (50, 49)] {
        let variants = |new: u32| [("control", 100 - new), ("new", new)];
        let moved = moved(&variants(before), &variants(after));
        let share = (f64::from(before) - f64::from(after)).abs() / 100.0;
        let expected = share * VIEWERS as f64;
        assert!((moved.len() as f64 - expected).abs() < tolerance(share), "{before} to {after}: {}", moved.len());
        let grows = if after > before { "new" } else { "control" };
        assert!(moved.iter().all(|(_, to)| to == grows), "{before} to {after}: somebody moved the wrong way");
    }
}

#[test]
fn of_more_variants_no_more_move_than_the_bound() {
    let before = [("a", 50_u32), ("b", 30), ("c", 20)];
    for after in
        [[("a", 30), ("b", 50), ("c", 20)], [("a", 50), ("b", 20), ("c", 30)], [("a", 10), ("b", 10), ("c", 80)]]
    {
        let least: f64 =
            before.iter().zip(&after).map(|(b, a)| f64::from(u32::abs_diff(a.1, b.1))).sum::<f64>() / 200.0;
        let bound = 2.0 * least / (1.0 + least);
        let moved = moved(&before, &after).len() as f64;
        assert!(moved <= bound * VIEWERS as f64 + tolerance(bound), "{after:?}: {moved}");
        assert!(moved >= least * VIEWERS as f64 - tolerance(least), "{after:?}: {moved}");
    }
}

#[test]
fn a_variant_that_comes_or_goes_leaves_the_others_their_viewers() {
    let two = [("a", 60), ("b", 30)];
    let three = [("a", 60), ("b", 30), ("c", 10)];
    assert!(moved(&two, &three).iter().all(|(_, to)| to == "c"));
    assert!(moved(&three, &two).iter().all(|(from, _)| from == "c"));
    let retired = [("a", 60), ("b", 30), ("c", 0)];
    assert!(moved(&three, &retired).iter().all(|(from, _)| from == "c"));
    // The order in the file says nothing, and neither does the unit of the weights.
    assert_eq!(moved(&three, &[("c", 10), ("b", 30), ("a", 60)]), []);
    assert_eq!(moved(&three, &[("a", 600), ("b", 300), ("c", 100)]), []);
}

/// Written down once: a new version or another machine must not move anybody.
#[test]
fn assignments_are_the_same_everywhere_and_for_ever() {
    let variants = [("control", 50), ("new", 30), ("other", 20)];
    let viewer = |name: &str| choose(variants.into_iter(), digest("checkout", name.as_bytes())).unwrap();
    let found: Vec<usize> = ["u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "u10"].map(viewer).to_vec();
    assert_eq!(found, EXPECTED);
}

const EXPECTED: [usize; 10] = [2, 2, 2, 0, 2, 0, 1, 0, 2, 0];

fn variants(names: &[(&str, u32)]) -> Vec<Variant> {
    let variant = |(name, weight): &(&str, u32)| Variant {
        name: (*name).to_owned(),
        weight: *weight,
        keyed: false,
        set_cookie: None,
        changes: Changes::default(),
    };
    names.iter().map(variant).collect()
}

#[test]
fn cookies_keep_their_variant_and_lose_a_retired_one_to_the_fallback() {
    let variants = variants(&[("control", 99), ("new", 1), ("closing", 0)]);
    assert_eq!(decide(&variants, 0, Evidence::Held("new")), (1, How::Kept));
    assert_eq!(decide(&variants, 0, Evidence::Held("closing")), (2, How::Kept));
    assert_eq!(decide(&variants, 0, Evidence::Held("gone")), (0, How::Moved));
    assert_eq!(decide(&variants, 1, Evidence::Held("")), (1, How::Moved));
    assert!(matches!(decide(&variants, 0, Evidence::Draw(digest("e", b"x"))), (0 | 1, How::Drawn)));
}

#[test]
fn an_ipv6_viewer_is_its_network() {
    let of = |text: &str| address(text.parse().unwrap());
    assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:1"));
    assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
}

#[test]
fn header_names_join_every_kind_of_selection() {
    let names = || ["x-b".to_owned()].into_iter();
    let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(with_names(&Selection::None, names()), Selection::Include(listed(&["x-b"])));
    assert_eq!(with_names(&Selection::Include(listed(&["a"])), names()), Selection::Include(listed(&["a", "x-b"])));
    assert_eq!(with_names(&Selection::All, names()), Selection::All);
    assert_eq!(with_names(&Selection::Exclude(listed(&["x-b", "c"])), names()), Selection::Exclude(listed(&["c"])));
}

proptest! {
    /// Raising one weight takes viewers from others and moves nobody between them.
    #[test]
    fn a_raise_moves_only_towards_it(
        weights in prop::collection::vec(1_u32..1000, 2..6), raised in any::<prop::sample::Index>(), by in 1_u32..1000, viewer: u64,
    ) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let raised = raised.index(weights.len());
        let with = |extra: u32| {
            let shares = weights.iter().enumerate().map(move |(index, weight)| (names[index], weight + if index == raised { extra } else { 0 }));
            choose(shares, digest("e", &viewer.to_be_bytes())).unwrap()
        };
        let (before, after) = (with(0), with(by));
        prop_assert!(before == after || after == raised);
    }
}
