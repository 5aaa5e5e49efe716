//! "Did you mean": the known name that is nearest to one that somebody wrote.

/// The name without case and underscores: what the environment compares, and what mixes of camelCase and `snake_case`
/// come down to.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|symbol| *symbol != '_' && *symbol != '-').flat_map(char::to_lowercase).collect()
}

/// The nearest of the known names, if one is near enough to be meant: a third of the letters may differ, two in short
/// names.
pub(crate) fn nearest<'n>(written: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let folded = fold(written);
    let most = (folded.chars().count() / 3).max(2);
    known
        .map(|name| (distance(&folded, &fold(name)), name))
        .filter(|(distance, name)| *distance <= most && *distance < fold(name).chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits from one text to the other: insertions, deletions, replacements (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, symbol) in one.chars().enumerate() {
        let mut next = vec![number + 1];
        for ((target, pair), left_at) in other.iter().zip(row.windows(2)).zip(0..) {
            let [diagonal, above] = pair else { continue };
            let left: &usize = next.get(left_at).unwrap_or(&usize::MAX);
            let replaced = diagonal + usize::from(symbol != *target);
            next.push(replaced.min(above + 1).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["otpLength", "otpCharset", "email_verification", "http", "id"];
        for (written, meant) in [
            ("otpLenght", Some("otpLength")),
            ("otp_length", Some("otpLength")),
            ("OTPLENGTH", Some("otpLength")),
            ("emailVerification", Some("email_verification")),
            ("htpt", Some("http")),
            ("redisUrl", None),
            ("xy", None),
        ] {
            assert_eq!(nearest(written, known.iter().copied()), meant, "{written}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        for (one, other, edits) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), edits, "{one} {other}");
        }
    }
}
