//! "Did you mean": the known names nearest to one that does not exist.
//!
//! Used for keys, references and words of a choice alike, so that all of them answer in one form. Pure.

/// At most this many candidates are offered.
const MAX_CANDIDATES: usize = 3;
/// More names than this are not listed beside a candidate.
const MAX_LISTED: usize = 24;
/// Offered from this likeness on: "sight" has 0.707 with "site", three edits away.
const LIKENESS: f64 = 0.7;
/// Names this much less alike than the best one are not offered beside it.
const BEHIND_BEST: f64 = 0.1;

/// The names similar to `wrong`, best first; names that merely share a letter or two are left out.
pub(crate) fn nearest<'n>(wrong: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let wrong = wrong.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (likeness(&wrong, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = scored.first().map_or(0.0, |(likeness, _)| *likeness);
    let near = scored.into_iter().take_while(|(likeness, _)| best - likeness <= BEHIND_BEST);
    near.take(MAX_CANDIDATES).map(|(_, name)| name).collect()
}

/// Jaro-Winkler with its bonus for a common beginning given to all pairs, since names are mostly spoilt at their end.
fn likeness(a: &str, b: &str) -> f64 {
    let jaro = strsim::jaro(a, b);
    let beginning = a.chars().zip(b.chars()).take(4).take_while(|(a, b)| a == b).map(|_| 0.1);
    jaro + beginning.sum::<f64>() * (1.0 - jaro)
}

/// The help line for an unknown name: `did you mean "site"?   origins: site, app`.
///
/// `plural` says what the names are; with none declared the line says so. A list that nobody would read is left out where
/// there is something to offer.
pub(crate) fn help(wrong: &str, names: &[&str], plural: &str) -> String {
    let list = if names.is_empty() { format!("{plural}: none") } else { format!("{plural}: {}", names.join(", ")) };
    let near: Vec<String> = nearest(wrong, names.iter().copied()).iter().map(|name| format!("\"{name}\"")).collect();
    match near.join(" or ") {
        offer if offer.is_empty() => list,
        offer if names.len() > MAX_LISTED => format!("did you mean {offer}?"),
        offer => format!("did you mean {offer}?   {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_the_misspelt_name_and_the_list() {
        assert_eq!(help("sight", &["site", "app"], "origins"), "did you mean \"site\"?   origins: site, app");
    }

    #[test]
    fn offers_nothing_for_a_stranger() {
        assert_eq!(help("database", &["site", "app"], "origins"), "origins: site, app");
        assert_eq!(help("x", &[], "origins"), "origins: none");
    }

    #[test]
    fn best_comes_first_and_case_does_not_matter() {
        assert_eq!(nearest("READ_TIMEOUTS", ["read_timeout", "read_timer", "url"]), ["read_timeout", "read_timer"]);
    }
}
