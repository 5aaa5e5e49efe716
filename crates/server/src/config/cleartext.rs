//! Warnings of what would leave this machine unencrypted: codes and links in messages, customers in events.
//!
//! Nothing is refused: a mail server or a receiver may stand in a network that is trusted.

use cr_core::options::EventWebhook;
use http::Uri;
use secrecy::ExposeSecret as _;

use super::reading::Reader;
use super::{NotificationConfig, ProviderKind};
use crate::admin::inbox::is_loopback_name;

/// Warns of each address in production; development sends to whatever is at hand. The addresses are not told, since they may hold
/// passwords.
pub(crate) fn warn(reader: &mut Reader<'_>, notification: &NotificationConfig, webhooks: &[EventWebhook]) {
    if !reader.production {
        return;
    }
    for (index, provider) in notification.providers.iter().enumerate() {
        let (key, is_clear, fix) = match &provider.kind {
            ProviderKind::Smtp { url, .. } => {
                ("url", is_clear_mail(url.expose_secret()), "Use smtps://, or add ?tls=required.")
            }
            ProviderKind::Twilio { base_url, .. } => ("baseUrl", is_clear_http(base_url), "Use https://."),
            ProviderKind::Webhook { url, .. } => ("url", is_clear_http(url), "Use https://."),
            ProviderKind::Local => continue,
        };
        if is_clear {
            reader.warnings.push(format!(
                "notification.providers[{index}].options.{key} is not encrypted: codes and links travel in the clear. {fix}"
            ));
        }
    }
    for (index, _) in webhooks.iter().enumerate().filter(|(_, webhook)| is_clear_http(&webhook.url)) {
        reader
            .warnings
            .push(format!("events.webhooks[{index}].url is not encrypted: events travel in the clear. Use https://."));
    }
}

/// Whether mail to a server could go over a network unencrypted: `tls=opportunistic` leaves that to whoever is in between.
fn is_clear_mail(url: &str) -> bool {
    let is_required =
        url.rsplit_once('?').is_some_and(|(_, query)| query.split('&').any(|pair| pair == "tls=required"));
    has_scheme(url, "smtp") && !is_required && !is_on_loopback(url)
}

/// Whether what is posted there goes over a network unencrypted.
fn is_clear_http(url: &str) -> bool {
    has_scheme(url, "http") && !is_on_loopback(url)
}

/// Whether a URL begins with a scheme, in any case.
fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once("://").is_some_and(|(found, _)| found.eq_ignore_ascii_case(scheme))
}

/// Whether the host is this machine. What cannot be read is taken for another.
fn is_on_loopback(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.host().is_some_and(is_loopback_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_or_stays_here_is_told_apart() {
        for (url, is_clear) in [
            ("smtps://u:p@mail.example.com", false),
            ("smtp://mail.example.com", true),
            ("SMTP://u:p%40x@mail.example.com:25", true),
            ("smtp://mail.example.com?tls=none", true),
            ("smtp://mail.example.com:587?tls=opportunistic", true),
            ("smtp://u:p@mail.example.com:587?tls=required", false),
            ("smtp://mail.example.com:587/shop.example?tls=required", false),
            ("smtp://127.0.0.1:2525", false),
            ("smtp://u:p@localhost", false),
            ("smtp://localhost:p@mail.example.com", true),
            ("smtp://[::1]:25", false),
            ("smtp://[::ffff:127.0.0.1]", false),
            ("smtp://[2001:db8::1]", true),
            ("smtp://localhost.example.com", true),
        ] {
            assert_eq!(is_clear_mail(url), is_clear, "{url}");
        }
        for (url, is_clear) in [
            ("https://hooks.example.com", false),
            ("http://hooks.example.com/x?tls=required", true),
            ("HTTP://10.0.0.1:80", true),
            ("http://127.0.0.1:8080/hook", false),
            ("http://localhost/hook", false),
            ("http://127.0.0.1@hooks.example.com", true),
            ("http://hooks.example.com#@127.0.0.1", true),
        ] {
            assert_eq!(is_clear_http(url), is_clear, "{url}");
        }
    }
}
