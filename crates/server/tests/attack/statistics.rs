//! Whether two samples of durations tell their sources apart.

/// The middle of a sample.
pub(crate) fn median(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (lower, upper) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(lower, upper)
}

/// The p of the two-sided rank test of Mann and Whitney, by the normal distribution: how often samples of one source would differ at
/// least as much. Ties share their ranks.
pub(crate) fn mann_whitney(left: &[f64], right: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        left.iter().map(|it| (*it, true)).chain(right.iter().map(|it| (*it, false))).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut rank_sum, mut ties) = (0.0, 0.0);
    let mut start = 0;
    while start < all.len() {
        let equal = all[start..].iter().take_while(|it| it.0.total_cmp(&all[start].0).is_eq()).count();
        let rank = real(2 * start + equal + 1) / 2.0;
        rank_sum += rank * real(all[start..start + equal].iter().filter(|it| it.1).count());
        ties += real(equal).powi(3) - real(equal);
        start += equal;
    }
    let (n, m, all) = (real(left.len()), real(right.len()), real(all.len()));
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    complementary_error(z / std::f64::consts::SQRT_2)
}

/// The complementary error function of a number that is not negative (Abramowitz and Stegun, 7.1.26; off by 2e-7 at most).
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592]
        .iter()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    polynomial * (-x * x).exp()
}

/// A count as a real number.
fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// Known values of tables; a rank test that always says 1 would find nothing.
#[test]
fn the_rank_test_tells_samples_apart() {
    let low: Vec<f64> = (0..10).map(f64::from).collect();
    let high: Vec<f64> = (10..20).map(f64::from).collect();
    let mixed: Vec<f64> = (0..10).map(|number| f64::from(number) + 0.5).collect();
    // U = 0, z = 49.5 / 13.2288.
    assert!((mann_whitney(&low, &high) - 0.000_183).abs() < 1e-5, "{}", mann_whitney(&low, &high));
    // U = 45, z = 4.5 / 13.2288.
    assert!((mann_whitney(&low, &mixed) - 0.733_7).abs() < 1e-3, "{}", mann_whitney(&low, &mixed));
    assert!((mann_whitney(&low, &low) - 1.0).abs() < 1e-6);
    assert!((mann_whitney(&[1.0; 5], &[1.0; 5]) - 1.0).abs() < 1e-6);
    assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9 && (median(&[1.0, 2.0]) - 1.5).abs() < 1e-9);
}
