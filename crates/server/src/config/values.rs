//! Value forms of our own, from a checked or unchecked value: rates, lifetimes, networks, calling codes, URLs.
//!
//! Each function gives a sentence on failure that says what the value is, or should be, never the key's name.

use cr_core::options::{Limit, Rate};
use ipnet::IpNet;

use super::node::{Node, Value};

/// The longest window of a limit: 31 days.
const LONGEST_WINDOW_SECONDS: i64 = 31 * 86_400;
/// The longest life of a login token: ten years.
const LONGEST_LIFETIME_SECONDS: i64 = 3650 * 86_400;
/// What `loopback` stands for.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
/// What `private` stands for: RFC 1918 and RFC 4193.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// `"N/window"`: `5/1h` is at most 5 an hour; windows in `s`, `m`, `h`, `d`.
///
/// # Errors
/// A sentence when it is not of that form, or not between 1 and 1,000,000,000 in 1 second to 31 days.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is not of the form `N/window`");
    let (count, window) = text.split_once('/').ok_or_else(wrong)?;
    let count: i64 = count.trim().parse().map_err(|_| wrong())?;
    let window = window.trim();
    let unit = window.bytes().last().ok_or_else(wrong)?;
    let factor = match unit {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = window.trim_end_matches(['s', 'm', 'h', 'd']).parse().map_err(|_| wrong())?;
    if window.len() != number.to_string().len() + 1 {
        return Err(wrong());
    }
    let seconds = number.checked_mul(factor).filter(|seconds| (1..=LONGEST_WINDOW_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("the window of `{text}` is not between 1 second and 31 days"))?;
    if !(1..=1_000_000_000).contains(&count) {
        return Err(format!("the count of `{text}` is not between 1 and 1000000000; `off` turns a limit off"));
    }
    Ok(Rate { count, seconds })
}

/// A limit: one rate, a list of rates, or `off` (no rate).
///
/// # Errors
/// The first rate's sentence, or that it is none of the three.
pub(crate) fn limit(value: &Value) -> Result<Limit, String> {
    match value {
        Value::Text(text) if text == "off" => Ok(Vec::new()),
        Value::Text(text) => rate(text).map(|rate| vec![rate]),
        Value::List(items) if items.is_empty() => Err("the list is empty".to_owned()),
        Value::List(items) => {
            let mut rates = Limit::new();
            for item in items {
                let text = item.text().ok_or_else(|| format!("the list holds {}", item.value.type_words()))?;
                let rate = rate(text)?;
                if rates.iter().any(|other| other.seconds == rate.seconds) {
                    return Err(format!(
                        "two of its rates have a window of {} seconds: keep the narrower one",
                        rate.seconds
                    ));
                }
                rates.push(rate);
            }
            Ok(rates)
        }
        other => Err(format!("it is {}", other.type_words())),
    }
}

/// `http.jwtExpiresIn` in whole seconds: a number is seconds, a text is a number with a unit as the npm package `ms` has
/// them.
///
/// # Errors
/// A sentence; for a bare number in a text one that names both readings (`jsonwebtoken` takes it for milliseconds).
pub(crate) fn lifetime_seconds(value: &Value) -> Result<i64, String> {
    let seconds = match value {
        Value::Integer(seconds) => *seconds,
        Value::Text(text) => text_lifetime(text)?,
        other => return Err(format!("it is {}", other.type_words())),
    };
    if (1..=LONGEST_LIFETIME_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    Err("it is not between 1 second and 10 years".to_owned())
}

/// `15m`, `1.5 hours`, in whole seconds, rounded down.
fn text_lifetime(text: &str) -> Result<i64, String> {
    let trimmed = text.trim();
    let split = trimmed.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.').unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at_checked(split).unwrap_or((trimmed, ""));
    let wrong = || format!("`{text}` is no number with a unit");
    if unit.is_empty() && digits.parse::<f64>().is_ok() {
        return Err(format!(
            "`\"{text}\"` is a bare number in a text: it reads as {digits} seconds, or, as Medusa's \
                `jsonwebtoken` takes it, as {digits} milliseconds"
        ));
    }
    let unit_millis: i64 = match unit.trim().to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 604_800_000,
        "y" | "yr" | "yrs" | "year" | "years" => 31_557_600_000,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 6 || (whole.is_empty() && fraction.is_empty()) {
        return Err(wrong());
    }
    let scale = 10_i64.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let number: i64 = format!("{whole}{fraction}").parse().map_err(|_| wrong())?;
    Ok(number.checked_mul(unit_millis).ok_or_else(wrong)? / scale / 1_000)
}

/// `http.trustProxy`: CIDR ranges and single addresses; `loopback` and `private` become their ranges.
///
/// # Errors
/// A sentence naming the first item that is none of these.
pub(crate) fn networks(node: &Node) -> Result<Vec<IpNet>, String> {
    let mut networks = Vec::new();
    for item in list_items(node)? {
        let text = item.text().ok_or_else(|| format!("the list holds {}", item.value.type_words()))?;
        let named: &[&str] = match text {
            "loopback" => &LOOPBACK,
            "private" => &PRIVATE,
            other => &[other],
        };
        for range in named {
            let network = range.parse::<IpNet>().or_else(|_| range.parse::<std::net::IpAddr>().map(IpNet::from));
            networks.push(network.map_err(|_| format!("`{range}` is no network"))?);
        }
    }
    Ok(networks)
}

/// `limits.smsCountries`: calling codes without `+`.
///
/// # Errors
/// A sentence naming the first item that is not one to three digits.
pub(crate) fn calling_codes(node: &Node) -> Result<Vec<String>, String> {
    let code = |item: &Node| {
        let digits = match &item.value {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text.strip_prefix('+').unwrap_or(text).to_owned(),
            other => return Err(format!("the list holds {}", other.type_words())),
        };
        let right = (1..=3).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if right { Ok(digits) } else { Err(format!("`{digits}` is no calling code")) }
    };
    list_items(node)?.iter().map(code).collect()
}

/// The items of a list.
fn list_items(node: &Node) -> Result<&[Node], String> {
    match &node.value {
        Value::List(items) => Ok(items),
        other => Err(format!("it is {}", other.type_words())),
    }
}

/// Judges a URL by scheme (`http`, with or without the trailing `:`) and the presence of a host. Never quotes it.
///
/// # Errors
/// A sentence.
pub(crate) fn url(text: &str, schemes: &[&str]) -> Result<(), String> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| "it is no URL".to_owned())?;
    if !schemes.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(format!("its scheme is `{scheme}`"));
    }
    if text.chars().any(|symbol| symbol.is_whitespace() || symbol.is_control()) {
        return Err("it holds a space or a control character".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err("it has no host".to_owned());
    }
    let is_web = scheme.to_ascii_lowercase().starts_with("http");
    if is_web && text.parse::<http::Uri>().is_err() {
        return Err("it is no URL".to_owned());
    }
    Ok(())
}

/// Judges `databaseUrl`: `sqlite:` with a path, or `postgres://` with a host or a socket's `host=` parameter.
///
/// # Errors
/// A sentence that does not quote it, since it may hold a password.
pub(crate) fn database_url(text: &str) -> Result<(), String> {
    let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
    match path {
        Some(path) if path.split('?').next().unwrap_or_default().is_empty() => Err("it names no file".to_owned()),
        Some(_) => Ok(()),
        None if text.starts_with("postgres://") || text.starts_with("postgresql://") => Ok(()),
        None => Err("it is neither SQLite nor PostgreSQL".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::node::Origin;

    fn node(value: Value) -> Node {
        Node { value, origin: Origin::Default }
    }

    fn text_list(items: &[&str]) -> Node {
        node(Value::List(items.iter().map(|item| node(Value::Text((*item).to_owned()))).collect()))
    }

    #[test]
    fn a_rate_is_a_count_and_a_window() {
        for (text, expected) in [
            ("5/1h", Some((5, 3_600))),
            ("20/24h", Some((20, 86_400))),
            ("1/90s", Some((1, 90))),
            ("30/5m", Some((30, 300))),
            ("7/31d", Some((7, 2_678_400))),
            ("5 / 1h", Some((5, 3_600))),
            ("7/32d", None),
            ("0/1h", None),
            ("-1/1h", None),
            ("5/0s", None),
            ("5/-1h", None),
            ("5/+1h", None),
            ("5/h", None),
            ("5/1", None),
            ("5/1hh", None),
            ("5/1w", None),
            ("5/1é", None),
            ("5/", None),
            ("5", None),
            ("/1h", None),
            ("", None),
            ("5/9999999999999999999h", None),
        ] {
            let found = rate(text).ok().map(|rate| (rate.count, rate.seconds));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_limit_is_a_rate_or_several_or_off() {
        assert_eq!(limit(&Value::Text("off".to_owned())), Ok(Vec::new()));
        assert_eq!(limit(&text_list(&["5/1h", "10/24h"]).value).unwrap().len(), 2);
        assert!(limit(&text_list(&[]).value).is_err());
        assert!(limit(&text_list(&["off"]).value).is_err());
        assert!(limit(&Value::Boolean(false)).is_err());
        assert!(limit(&Value::Integer(5)).is_err());
    }

    /// A number is seconds; Medusa's units hold in a text; a bare number in a text could be either and is refused.
    #[test]
    fn a_lifetime_needs_a_unit_in_a_text() {
        for (text, expected) in [
            ("1d", Some(86_400)),
            ("15m", Some(900)),
            ("2 days", Some(172_800)),
            ("1.5h", Some(5_400)),
            ("60000ms", Some(60)),
            ("1y", Some(31_557_600)),
            ("1w", Some(604_800)),
            ("90S", Some(90)),
            ("3600", None),
            ("1", None),
            ("500ms", None),
            ("1dd", None),
            ("-1d", None),
            ("d", None),
            (".", None),
            ("", None),
            ("11y", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(lifetime_seconds(&Value::Text(text.to_owned())).ok(), expected, "{text}");
        }
        assert_eq!(lifetime_seconds(&Value::Integer(3_600)), Ok(3_600));
        assert!(lifetime_seconds(&Value::Integer(0)).is_err());
        let both = lifetime_seconds(&Value::Text("3600".to_owned())).unwrap_err();
        assert!(both.contains("3600 seconds") && both.contains("3600 milliseconds"), "{both}");
    }

    #[test]
    fn networks_are_ranges_addresses_and_two_words() {
        for (items, expected) in [
            (vec!["loopback"], Some("127.0.0.0/8 ::1/128")),
            (vec!["private"], Some("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7")),
            (vec!["203.0.113.7", "2001:db8::/32"], Some("203.0.113.7/32 2001:db8::/32")),
            (vec![], Some("")),
            (vec!["10.0.0.0/33"], None),
            (vec!["proxy.example.com"], None),
        ] {
            let found = networks(&text_list(&items)).ok();
            let found = found.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), expected, "{items:?}");
        }
    }

    #[test]
    fn calling_codes_are_one_to_three_digits() {
        for (item, expected) in
            [("49", Some("49")), ("+1", Some("1")), ("880", Some("880")), ("0049", None), ("DE", None), ("", None)]
        {
            assert_eq!(calling_codes(&text_list(&[item])).ok(), expected.map(|code| vec![code.to_owned()]), "{item}");
        }
        assert_eq!(calling_codes(&node(Value::List(vec![node(Value::Integer(49))]))), Ok(vec!["49".to_owned()]));
    }

    #[test]
    fn urls_have_a_known_scheme_and_a_host() {
        for (text, right) in [
            ("https://shop.example.com", true),
            ("http://localhost:8000/de", true),
            ("HTTPS://shop.example.com", true),
            ("ftp://shop.example.com", false),
            ("shop.example.com", false),
            ("https://", false),
            ("https:///path", false),
            ("https://:80", false),
            ("https://a b", false),
        ] {
            assert_eq!(url(text, &["http", "https"]).is_ok(), right, "{text}");
        }
        for (text, right) in [
            ("sqlite://a.db?mode=rwc", true),
            ("sqlite::memory:", true),
            ("sqlite://", false),
            ("postgres://u:p@h/db?sslmode=require", true),
            ("postgresql:///db?host=/run/postgresql", true),
            ("mysql://h/db", false),
            ("a.db", false),
        ] {
            assert_eq!(database_url(text).is_ok(), right, "{text}");
        }
    }
}
