//! Provider `local`: keeps messages in memory for the inbox page. For development; nothing leaves the machine.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cr_types::timestamp::Timestamp;
use serde::Serialize;

use crate::providers::notification::{NotificationProvider, Outgoing, Sending};

/// Messages kept; beyond these the oldest goes.
pub const CAPACITY: usize = 200;

/// A message as the inbox shows it. No `Debug`: it holds a contact and mostly a code.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InboxMessage {
    /// The outbox row's id.
    pub id: String,
    /// Notification channel.
    pub channel: String,
    /// E-mail address or phone number.
    pub to: String,
    /// The code in it, right after the address, so that nobody has to search, nor a shell script; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The mail's subject; null for a text message.
    pub subject: Option<String>,
    /// The mail's HTML part; null for a text message.
    pub html: Option<String>,
    /// The mail's text part, or the text message.
    pub text: String,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// The messages of this process, newest first. Cheap to clone; clones share the messages.
#[derive(Clone, Default)]
pub struct LocalInbox {
    messages: Arc<Mutex<VecDeque<InboxMessage>>>,
}

impl LocalInbox {
    /// All messages, newest first.
    pub fn messages(&self) -> Vec<InboxMessage> {
        self.lock().iter().cloned().collect()
    }

    /// Forgets all messages.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Adds a message at the front; one with the same id is replaced, as a repeat is no second message.
    fn keep(&self, message: InboxMessage) {
        let mut messages = self.lock();
        messages.retain(|kept| kept.id != message.id);
        messages.push_front(message);
        messages.truncate(CAPACITY);
    }

    /// The messages; a panic elsewhere while they were held has not harmed them.
    fn lock(&self) -> MutexGuard<'_, VecDeque<InboxMessage>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NotificationProvider for LocalInbox {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        self.keep(InboxMessage {
            id: message.id.to_owned(),
            channel: message.channel.to_owned(),
            to: message.to.to_owned(),
            subject: message.subject.map(str::to_owned),
            html: message.html.map(str::to_owned),
            text: message.text.to_owned(),
            code: message.data.get("code").filter(|code| !code.is_empty()).cloned(),
            created_at: message.created_at,
        });
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Sends a message under this id.
    async fn send(inbox: &LocalInbox, id: &str) {
        let now = "2026-01-02T03:04:05.000Z".parse().unwrap();
        let data = BTreeMap::from([("code".to_owned(), "123456".to_owned())]);
        let message = Outgoing {
            id,
            channel: "sms",
            to: "+15550001111",
            subject: None,
            html: None,
            text: "123456",
            data: &data,
            template: "phone_verification",
            trigger_type: "phone_verification",
            receiver_id: None,
            idempotency_key: id,
            created_at: now,
            now,
        };
        inbox.send(message).await.unwrap();
    }

    #[tokio::test]
    async fn the_newest_message_is_first_a_repeat_is_one_and_the_oldest_goes_beyond_200() {
        let inbox = LocalInbox::default();
        for number in 0..=CAPACITY {
            send(&inbox, &format!("msg_{number}")).await;
        }
        send(&inbox.clone(), "msg_5").await;
        let ids: Vec<String> = inbox.messages().into_iter().map(|message| message.id).collect();
        assert_eq!(ids.len(), CAPACITY);
        assert_eq!(ids[..2], ["msg_5", "msg_200"]);
        assert!(!ids.contains(&"msg_0".to_owned()));
        assert_eq!(
            serde_json::to_value(&inbox.messages()[0]).unwrap(),
            serde_json::json!({
                "id": "msg_5", "channel": "sms", "to": "+15550001111", "subject": null, "html": null,
                "text": "123456", "code": "123456", "created_at": "2026-01-02T03:04:05.000Z",
            })
        );
        inbox.clear();
        assert!(inbox.messages().is_empty());
    }
}
