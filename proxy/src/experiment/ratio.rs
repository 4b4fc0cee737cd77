//! The sample-ratio check: do the viewers of an experiment fall to its variants as its weights say?
//!
//! Pearson's chi-square test of the observed counts. A mismatch says that something other than the weights decides who is
//! counted (lost cookies, a variant whose answers never arrive, robots), and that the experiment's result is not to be trusted.

/// A probability below this is a mismatch: once in a thousand sound experiments.
pub(super) const SIGNIFICANT: f64 = 0.001;

/// The least count that every variant must expect for the test to mean anything.
const LEAST_EXPECTED: f64 = 5.0;

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Fewer than two variants take viewers, or too few viewers were counted.
    TooFew,
    /// The counts fit the weights.
    Fits {
        /// Pearson's statistic.
        statistic: f64,
        /// How likely counts at least as far off are when the weights decide.
        p: f64,
    },
    /// They do not.
    Mismatch {
        /// Pearson's statistic.
        statistic: f64,
        /// How likely counts at least as far off are when the weights decide.
        p: f64,
    },
}

/// Judges counts, given as weight and count. Variants of weight 0 take no viewers and are left out.
pub(super) fn judge(counts: &[(u32, u64)]) -> Verdict {
    let counts: Vec<(f64, f64)> = counts
        .iter()
        .filter(|(weight, _)| *weight > 0)
        .map(|(weight, count)| (f64::from(*weight), *count as f64))
        .collect();
    let weights: f64 = counts.iter().map(|(weight, _)| weight).sum();
    let total: f64 = counts.iter().map(|(_, count)| count).sum();
    let expected = |weight: f64| total * weight / weights;
    if counts.len() < 2 || counts.iter().any(|(weight, _)| expected(*weight) < LEAST_EXPECTED) {
        return Verdict::TooFew;
    }
    let statistic = counts.iter().map(|(weight, count)| (count - expected(*weight)).powi(2) / expected(*weight)).sum();
    let p = p_value(statistic, counts.len() - 1);
    if p < SIGNIFICANT { Verdict::Mismatch { statistic, p } } else { Verdict::Fits { statistic, p } }
}

/// The upper tail of the chi-square distribution with `freedom` degrees (Abramowitz and Stegun, 26.4.4 and 26.4.5).
pub(super) fn p_value(statistic: f64, freedom: usize) -> f64 {
    let half = (statistic / 2.0).max(0.0);
    let odd = freedom % 2 == 1;
    let (mut tail, mut term, first) = if odd {
        (libm::erfc(half.sqrt()), (-half).exp() * half.sqrt() / (std::f64::consts::PI.sqrt() / 2.0), 1.5)
    } else {
        (0.0, (-half).exp(), 1.0)
    };
    for step in 0..freedom / 2 {
        tail += term;
        term *= half / (first + step as f64);
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_agree_with_the_tables() {
        for (statistic, freedom, p) in [
            (3.841_459, 1, 0.05),
            (10.827_566, 1, 0.001),
            (5.991_465, 2, 0.05),
            (13.815_511, 2, 0.001),
            (7.814_728, 3, 0.05),
            (16.266_236, 3, 0.001),
            (18.307_038, 10, 0.05),
            (31.264_134, 11, 0.001),
        ] {
            let found = p_value(statistic, freedom);
            assert!((found / p - 1.0).abs() < 1e-5, "{statistic} {freedom}: {found}");
        }
        assert_eq!(p_value(0.0, 1), 1.0);
        assert_eq!(p_value(1e6, 3), 0.0);
    }

    #[test]
    fn verdicts() {
        assert!(matches!(judge(&[(90, 9_010), (10, 990)]), Verdict::Fits { .. }));
        assert!(matches!(judge(&[(90, 8_800), (10, 1_200)]), Verdict::Mismatch { .. }));
        assert!(matches!(judge(&[(1, 5_000), (1, 5_000), (0, 77)]), Verdict::Fits { statistic: 0.0, p: 1.0 }));
        assert_eq!(judge(&[(90, 40), (10, 9)]), Verdict::TooFew);
        assert!(matches!(judge(&[(90, 41), (10, 9)]), Verdict::Fits { .. }));
        assert_eq!(judge(&[(1, 1_000), (0, 0)]), Verdict::TooFew);
        assert_eq!(judge(&[]), Verdict::TooFew);
    }
}
