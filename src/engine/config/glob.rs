//! Globs on names.

/// Whether `name` matches `pattern`, in which `*` stands for any characters and `?` for one.
pub(crate) fn glob_matches(pattern: &str, name: &str) -> bool {
    matches(pattern, name, |wanted, found| wanted == found)
}

/// Whether a metric's name matches `pattern`, which may be written as events write names: a character that became `_`
/// in the name, and a digit that got one in front, are found all the same.
pub(crate) fn metric_glob_matches(pattern: &str, name: &str) -> bool {
    let became = |wanted: char, found: char| {
        wanted == found || found == '_' && !wanted.is_ascii_alphanumeric() && wanted != ':'
    };
    let name = match name.strip_prefix('_') {
        Some(rest) if pattern.starts_with(|first: char| first.is_ascii_digit()) => rest,
        _ => name,
    };
    matches(pattern, name, became)
}

fn matches(pattern: &str, name: &str, is: impl Fn(char, char) -> bool) -> bool {
    if !pattern.contains(['*', '?']) {
        let mut found = name.chars();
        let begins = pattern.chars().all(|wanted| found.next().is_some_and(|found| is(wanted, found)));
        return begins && found.next().is_none();
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut star, mut from, mut retry) = (0, None, 0, 0);
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some(at);
                retry = from;
                at += 1;
            }
            Some(wanted) if *wanted == '?' || name.get(from).is_some_and(|found| is(*wanted, *found)) => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some(place) => {
                    retry += 1;
                    from = retry;
                    at = place + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_a_question_mark_for_one() {
        let cases = [
            ("db_*", "db_pool", true),
            ("*_total", "a_total", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_metric_is_found_by_the_name_that_its_events_carry() {
        let cases = [
            ("shop.orders", "shop_orders", true),
            ("shop.*", "shop_orders", true),
            ("shop-*.total", "shop_eu_total", true),
            ("9.lives", "_9_lives", true),
            ("9*", "_9_lives", true),
            ("größe", "gr__e", true),
            ("größe", "größe", true),
            ("shop:orders", "shop_orders", false),
            ("shopXorders", "shop_orders", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(metric_glob_matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
