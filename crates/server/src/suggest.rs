//! "Did you mean": the known name nearest to a mistyped one.

/// The known name within two slips (insert, drop, change of a letter; case does not count) of the
/// given one, the nearest first; none for names too short or too long to guess from.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given: Vec<char> = given.to_lowercase().chars().take(NAME_CHARS_MAX + 1).collect();
    if given.len() > NAME_CHARS_MAX {
        return None;
    }
    let allowed = if given.len() < 4 { 1 } else { 2 };
    known
        .map(|name| (slips(&given, &name.to_lowercase()), name))
        .filter(|&(slips, _)| slips <= allowed)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, name)| name)
}

/// Nobody mistypes a name this long; comparing costs the product of the two lengths.
const NAME_CHARS_MAX: usize = 40;

/// The Levenshtein distance, one row at a time.
fn slips(given: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=given.len()).collect();
    for (line, letter) in name.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..given.len() {
            let changed = diagonal + usize::from(given[column] != letter);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[given.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, expected) in
            [("kitten", "sitting", 3), ("", "ab", 2), ("ab", "", 2), ("same", "same", 0)]
        {
            assert_eq!(slips(&a.chars().collect::<Vec<_>>(), b), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = || ["repo", "region", "http-port"].into_iter();
        assert_eq!(nearest("rpeo", known()), Some("repo"));
        assert_eq!(nearest("regoin", known()), Some("region"));
        assert_eq!(nearest("HTTP-PORT", known()), Some("http-port"));
        assert_eq!(nearest("updatedat", ["UpdateData"].into_iter()), Some("UpdateData"));
        assert_eq!(nearest("banana", known()), None);
        assert_eq!(nearest(&"x".repeat(1000), known()), None);
    }
}
