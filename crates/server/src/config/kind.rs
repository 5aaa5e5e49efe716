//! The types that a key can have: how a value is judged, what the environment's text means, and the words for it.

use cr_types::timestamp::Timestamp;

use super::node::{Node, Origin, Value};
use super::{json, values};

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in this range, both ends included.
    Integer(i64, i64),
    /// `true` or `false`.
    Boolean,
    /// RFC 3339 with an offset.
    DateTime,
    /// A URL with one of these schemes.
    Url(&'static [&'static str]),
    /// A URL with one of these schemes that may hold a password, so that it may come from a file.
    SecretUrl(&'static [&'static str]),
    /// `databaseUrl`.
    DatabaseUrl,
    /// Text that is never shown.
    Secret,
    /// One secret or a list of them.
    Secrets,
    /// Seconds as a number, or a text with a unit.
    Lifetime,
    /// A list of texts, not empty.
    Texts,
    /// `"N/window"`, a list of such, or `"off"`.
    Limit,
    /// A template's path or `builtin`.
    Template,
    /// CIDR ranges, `loopback`, `private`.
    Networks,
    /// Calling codes.
    CallingCodes,
    /// A two-letter country.
    Country,
    /// `address:port`.
    SocketAddress,
    /// A URL path that begins with `/`.
    UrlPath,
    /// A level of logging, or directives as `RUST_LOG` has them.
    LogLevel,
    /// Not a value but an optional table: its defaults hold once it is there.
    Section,
}

/// How much of a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// All.
    Public,
    /// All but a password in it.
    Url,
    /// Nothing.
    Secret,
}

impl Kind {
    /// How much of a value may be shown.
    pub(crate) fn secrecy(self) -> Secrecy {
        match self {
            Self::Secret | Self::Secrets => Secrecy::Secret,
            Self::Url(_) | Self::SecretUrl(_) | Self::DatabaseUrl => Secrecy::Url,
            _ => Secrecy::Public,
        }
    }

    /// Whether `…_FILE` may name a file that holds the value.
    pub(crate) fn may_come_from_file(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets | Self::SecretUrl(_) | Self::DatabaseUrl)
    }

    /// What a value must be, as in "must be …".
    pub(crate) fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                if quoted.len() == 2 { quoted.join(" or ") } else { format!("one of {}", quoted.join(", ")) }
            }
            Self::Integer(least, i64::MAX) => format!("a whole number from {least}"),
            Self::Integer(least, most) => format!("a whole number from {least} to {most}"),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::DateTime => "a date and time with offset".to_owned(),
            Self::Url(schemes) | Self::SecretUrl(schemes) => {
                format!(
                    "a URL with {}",
                    schemes.iter().map(|scheme| format!("`{scheme}://`")).collect::<Vec<_>>().join(" or ")
                )
            }
            Self::DatabaseUrl => "a URL with `sqlite://` or `postgres://`".to_owned(),
            Self::Secret => "secret text".to_owned(),
            Self::Secrets => "secret text, or a list of secret texts".to_owned(),
            Self::Lifetime => "a number of seconds, or text with a unit".to_owned(),
            Self::Texts => "a list of texts".to_owned(),
            Self::Limit => "`\"N/window\"`, a list of such, or `\"off\"`".to_owned(),
            Self::Template => "a path or `builtin`".to_owned(),
            Self::Networks => "a list of CIDR ranges, `loopback` or `private`".to_owned(),
            Self::CallingCodes => "a list of calling codes".to_owned(),
            Self::Country => "an ISO 3166 country of two letters".to_owned(),
            Self::SocketAddress => "`address:port`".to_owned(),
            Self::UrlPath => "a path that begins with `/`".to_owned(),
            Self::LogLevel => "`error`, `warn`, `info`, `debug`, `trace`, `off`, or directives".to_owned(),
            Self::Section => "a table".to_owned(),
        }
    }

    /// A right value as TOML has it, for "write, for example, …".
    pub(crate) fn example(self) -> String {
        match self {
            Self::Text | Self::Secret => "\"…\"".to_owned(),
            Self::Choice(words) => format!("\"{}\"", words.first().unwrap_or(&"")),
            Self::Integer(least, _) => least.to_string(),
            Self::Boolean => "true".to_owned(),
            Self::DateTime => "\"2026-01-31T00:00:00Z\"".to_owned(),
            Self::Url(schemes) | Self::SecretUrl(schemes) => {
                format!("\"{}://shop.example.com\"", schemes.last().unwrap_or(&"https"))
            }
            Self::DatabaseUrl => "\"postgres://user:password@db.example.com/medusa\"".to_owned(),
            Self::Secrets => "\"<32 random bytes or more>\"".to_owned(),
            Self::Lifetime => "\"1d\"".to_owned(),
            Self::Texts => "[\"email\"]".to_owned(),
            Self::Limit => "\"5/1h\"".to_owned(),
            Self::Template => "\"templates/message.html\"".to_owned(),
            Self::Networks => "[\"loopback\", \"10.0.0.0/8\"]".to_owned(),
            Self::CallingCodes => "[\"49\", \"43\"]".to_owned(),
            Self::Country => "\"DE\"".to_owned(),
            Self::SocketAddress => "\"127.0.0.1:9100\"".to_owned(),
            Self::UrlPath => "\"/app\"".to_owned(),
            Self::LogLevel => "\"info\"".to_owned(),
            Self::Section => "{ … }".to_owned(),
        }
    }

    /// Judges a value.
    ///
    /// # Errors
    /// What it is instead, as in "must be …: …"; never a secret's text.
    pub(crate) fn judge(self, node: &Node) -> Result<(), String> {
        let other_type = || Err(format!("it is {}", node.value.type_words()));
        let text = match (&node.value, self.takes_only_text()) {
            (Value::Text(text), _) => text.as_str(),
            (_, true) => return other_type(),
            _ => "",
        };
        if self.takes_only_text() && text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        let is_right = |right: bool| if right { Ok(()) } else { Err(format!("it is `{text}`")) };
        match self {
            Self::Text | Self::Secret | Self::Template => Ok(()),
            Self::Choice(words) => is_right(words.contains(&text)),
            Self::Integer(least, most) => match node.value {
                Value::Integer(number) if (least..=most).contains(&number) => Ok(()),
                Value::Integer(number) => Err(format!("it is {number}")),
                _ => other_type(),
            },
            Self::Boolean => {
                if matches!(node.value, Value::Boolean(_)) {
                    Ok(())
                } else {
                    other_type()
                }
            }
            Self::DateTime => is_right(text.parse::<Timestamp>().is_ok()),
            Self::Url(schemes) | Self::SecretUrl(schemes) => values::url(text, schemes),
            Self::DatabaseUrl => values::database_url(text),
            Self::Secrets => judge_secrets(node),
            Self::Lifetime => values::lifetime_seconds(&node.value).map(drop),
            Self::Texts => judge_texts(node),
            Self::Limit => values::limit(&node.value).map(drop),
            Self::Networks => values::networks(node).map(drop),
            Self::CallingCodes => values::calling_codes(node).map(drop),
            Self::Country => is_right(text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())),
            Self::LogLevel => is_right(is_log_level(text)),
            Self::SocketAddress => is_right(text.parse::<std::net::SocketAddr>().is_ok()),
            Self::UrlPath => is_right(text.starts_with('/') && !text.contains(['?', '#', ' ']) && !text.contains("//")),
            Self::Section => {
                if matches!(node.value, Value::Table(_)) {
                    Ok(())
                } else {
                    other_type()
                }
            }
        }
    }

    /// Whether anything but text is a wrong type.
    fn takes_only_text(self) -> bool {
        !matches!(
            self,
            Self::Integer(..)
                | Self::Boolean
                | Self::Secrets
                | Self::Lifetime
                | Self::Texts
                | Self::Limit
                | Self::Networks
                | Self::CallingCodes
                | Self::Section
        )
    }

    /// What an environment variable's text means for this type: numbers and booleans as such, lists as JSON or with
    /// commas, tables as JSON.
    ///
    /// # Errors
    /// A sentence when a text that begins as JSON is not.
    pub(crate) fn read_text(self, text: &str, origin: &Origin) -> Result<Value, String> {
        let is_list = matches!(self, Self::Texts | Self::Limit | Self::Networks | Self::CallingCodes | Self::Secrets);
        let begins_json = (is_list && text.trim_start().starts_with('[')) || matches!(self, Self::Section);
        if begins_json {
            let parsed = json::parse(text, &|_| origin.clone());
            return parsed.map(|node| node.value).map_err(|(_, message)| format!("it is not JSON: {message}"));
        }
        let item = |part: &str| Node { value: Value::Text(part.trim().to_owned()), origin: origin.clone() };
        Ok(match self {
            Self::Integer(..) => text.trim().parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer),
            Self::Boolean => text.trim().parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Boolean),
            Self::Texts | Self::Networks | Self::CallingCodes => Value::List(text.split(',').map(item).collect()),
            Self::Limit if text.contains(',') => Value::List(text.split(',').map(item).collect()),
            _ => Value::Text(text.to_owned()),
        })
    }
}

/// Levels, and directives with a target (`info,cr_core=debug`); a word alone that is no level would switch all else
/// off.
fn is_log_level(text: &str) -> bool {
    let is_level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word);
    let mut directives = text.split(',').map(str::trim);
    directives.all(|directive| directive.contains('=') || is_level(&directive.to_ascii_lowercase()))
        && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

/// One secret or a list of secrets, none empty.
fn judge_secrets(node: &Node) -> Result<(), String> {
    match &node.value {
        Value::Text(text) if !text.is_empty() => Ok(()),
        Value::Text(_) => Err("it is empty".to_owned()),
        Value::List(items) if items.is_empty() => Err("the list is empty".to_owned()),
        Value::List(items) if items.iter().all(|item| item.text().is_some_and(|text| !text.is_empty())) => Ok(()),
        Value::List(_) => Err("the list holds something else than text, or an empty text".to_owned()),
        other => Err(format!("it is {}", other.type_words())),
    }
}

/// A list of texts, neither it nor they empty.
fn judge_texts(node: &Node) -> Result<(), String> {
    match &node.value {
        Value::List(items) if items.is_empty() => Err("the list is empty".to_owned()),
        Value::List(items) if items.iter().all(|item| item.text().is_some_and(|text| !text.trim().is_empty())) => {
            Ok(())
        }
        Value::List(_) => Err("the list holds something else than text, or an empty text".to_owned()),
        other => Err(format!("it is {}", other.type_words())),
    }
}
