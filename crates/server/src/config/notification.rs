//! `notification` and `events` out of the tree: providers and webhooks, and which channels somebody must serve.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cr_core::delivery::message::NOBODY;
use cr_core::events::EVENT_CHANNEL;
use cr_core::options::{ContactType, EventWebhook, Options};
use secrecy::SecretString;

use super::node::Node;
use super::reading::Reader;
use super::{NotificationConfig, ProviderConfig, ProviderKind, RetryConfig};

/// Twilio's own API.
const TWILIO: &str = "https://api.twilio.com";
/// What a webhook gets that names no events.
const ALL_CUSTOMER_EVENTS: &str = "customer.*";

/// Builds `notification`; without providers, development serves e-mail and text messages by `local`.
pub(crate) fn build(reader: &mut Reader<'_>) -> NotificationConfig {
    let retry = RetryConfig {
        attempts: reader.integer("notification.retry.attempts"),
        first_seconds: reader.integer("notification.retry.firstSeconds"),
        max_seconds: reader.integer("notification.retry.maxSeconds"),
    };
    if retry.first_seconds > retry.max_seconds {
        reader.tell(
            "notification.retry.firstSeconds",
            "firstSeconds is greater than maxSeconds",
            "Lower firstSeconds or raise maxSeconds.",
        );
    }
    let elements = reader.node("notification.providers").map_or(&[][..], Node::items);
    let mut providers: Vec<ProviderConfig> = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        providers.push(provider(reader, index, element));
    }
    if providers.is_empty() && reader.production {
        reader.tell_missing(
            "notification.providers",
            "notification",
            "no notification provider is configured: production cannot send messages",
            "Add `[[notification.providers]]` with `id = \"smtp\"`, `\"twilio\"` or `\"webhook\"`.",
        );
    }
    if providers.is_empty() && !reader.production {
        let channels = vec!["email".to_owned(), "sms".to_owned()];
        providers.push(ProviderConfig { id: "local".to_owned(), channels, kind: ProviderKind::Local });
    }
    judge_local(reader, &providers);
    judge_channels(reader, &providers);
    NotificationConfig { providers, retry }
}

/// One element of `notification.providers`; what is missing has been told.
fn provider(reader: &mut Reader<'_>, index: usize, element: &Node) -> ProviderConfig {
    let text = |path: &str| element.at(path).and_then(Node::text).unwrap_or_default().to_owned();
    let secret = |path: &str| SecretString::from(text(path));
    let id = text("id");
    let ca_file = ca_file(reader, index, element);
    let kind = match id.as_str() {
        "smtp" => ProviderKind::Smtp { url: secret("options.url"), from: text("options.from"), ca_file },
        "twilio" => ProviderKind::Twilio {
            account_sid: text("options.accountSid"),
            auth_token: secret("options.authToken"),
            from: text("options.from"),
            base_url: Some(text("options.baseUrl"))
                .filter(|url| !url.is_empty())
                .map_or(TWILIO.to_owned(), |url| url.trim_end_matches('/').to_owned()),
            ca_file,
        },
        "webhook" => ProviderKind::Webhook { url: text("options.url"), secret: secret("options.secret"), ca_file },
        _ => ProviderKind::Local,
    };
    ProviderConfig { channels: element.child("channels").map(Node::texts).unwrap_or_default(), id, kind }
}

/// `options.caFile` of a provider, made absolute; a file that is not there is told.
fn ca_file(reader: &mut Reader<'_>, index: usize, element: &Node) -> Option<PathBuf> {
    let node = element.at("options.caFile")?;
    let file = reader.base_of(node).join(node.text()?);
    if !file.is_file() {
        let message = format!("the file `{}` is not there", file.display());
        let fix = "Name a PEM file of certificates by its path from the configuration file.".to_owned();
        let path = format!("notification.providers[{index}].options.caFile");
        reader.findings.tell(&path, &node.origin, message, fix);
    }
    Some(file)
}

/// Production does not keep messages in an inbox that anybody may read.
fn judge_local(reader: &mut Reader<'_>, providers: &[ProviderConfig]) {
    if !reader.production {
        return;
    }
    for (index, _) in providers.iter().enumerate().filter(|(_, provider)| provider.id == "local") {
        let path = format!("notification.providers[{index}].id");
        let elements = reader.node("notification.providers").map_or(&[][..], Node::items);
        let Some(id) = elements.get(index).and_then(|element| element.child("id")) else { continue };
        reader.findings.tell(
            &path,
            &id.origin,
            "the provider `local` is for development: it shows every message to whoever opens the inbox".to_owned(),
            "Use `smtp`, `twilio` or `webhook`, or unset NODE_ENV.".to_owned(),
        );
    }
}

/// No channel has two providers (the sentence is Medusa 2.11.2's, `notification` module), and none is one of the outbox's own.
fn judge_channels(reader: &mut Reader<'_>, providers: &[ProviderConfig]) {
    let mut served: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, provider) in providers.iter().enumerate() {
        for channel in &provider.channels {
            let (problem, advice) = if [NOBODY, EVENT_CHANNEL].contains(&channel.as_str()) {
                (format!("The channel `{channel}` is the outbox's own"), "Call the channel something else.".to_owned())
            } else if served.insert(channel, index).is_some() {
                (
                    format!("Multiple providers are configured for the same channel: {channel}"),
                    format!("Leave `{channel}` to one provider."),
                )
            } else {
                continue;
            };
            let elements = reader.node("notification.providers").map_or(&[][..], Node::items);
            let origin =
                elements.get(index).and_then(|element| element.child("channels")).map(|node| node.origin.clone());
            reader.findings.tell(
                &format!("notification.providers[{index}].channels"),
                &origin.unwrap_or(super::Origin::Missing),
                problem,
                advice,
            );
        }
    }
}

/// Every channel that an option names has a provider.
pub(crate) fn judge_named_channels(reader: &mut Reader<'_>, options: &Options, notification: &NotificationConfig) {
    if reader.findings.is_left_out("notification.providers") || (reader.production && notification.providers.is_empty())
    {
        return;
    }
    let sections = [
        ("options.email_verification", &options.email_verification),
        ("options.phone_verification", &options.phone_verification),
        ("options.account_deletion_request", &options.account_deletion_request),
        ("options.account_deletion_cancel", &options.account_deletion_cancel),
    ];
    let mut named: Vec<(String, String)> = sections
        .into_iter()
        .filter_map(|(path, section)| Some((format!("{path}.channel"), section.as_ref()?.channel.clone())))
        .collect();
    if let Some(reset) = &options.password_reset {
        if reset.template.is_some() && options.login_identifier.takes(ContactType::Email) {
            named.push(("options.password_reset.template".to_owned(), "email".to_owned()));
        }
        if reset.sms_body.is_some() && options.login_identifier.takes(ContactType::Phone) {
            named.push(("options.password_reset.sms_body".to_owned(), "sms".to_owned()));
        }
    }
    let is_served = |channel: &str| {
        notification.providers.iter().any(|provider| provider.channels.iter().any(|served| served == channel))
    };
    for (path, channel) in named.iter().filter(|(_, channel)| !channel.is_empty() && !is_served(channel)) {
        reader.tell(
            path,
            &format!("no provider serves the channel `{channel}`"),
            &format!("Add `\"{channel}\"` to the `channels` of one of `notification.providers`."),
        );
    }
}

/// Builds `events.webhooks`.
pub(crate) fn webhooks(reader: &mut Reader<'_>) -> Vec<EventWebhook> {
    let elements = reader.node("events.webhooks").map_or(&[][..], Node::items);
    let webhook = |element: &Node| {
        let text = |name: &str| element.child(name).and_then(Node::text).unwrap_or_default().to_owned();
        EventWebhook {
            url: text("url"),
            secret: text("secret").into(),
            events: element.child("events").map_or_else(|| vec![ALL_CUSTOMER_EVENTS.to_owned()], Node::texts),
        }
    };
    elements.iter().map(webhook).collect()
}
