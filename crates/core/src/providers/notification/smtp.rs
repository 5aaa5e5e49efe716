//! Provider `smtp`: one conversation with a mail server a message, as HTML with a text part.
//!
//! The steps are taken one by one, because a refusal means different things at different steps: of the session it is the
//! operator's to mend, of the recipient it is final. A connection is not kept: one that the server closed meanwhile would
//! cost a message an attempt.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use lettre::address::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::{ExposeSecret as _, SecretString};

use crate::delivery::retry::Failure;
use crate::providers::notification::smtp_url::{Encryption, ServerAddress};
use crate::providers::notification::{NotificationProvider, OptionProblem, Outgoing, Sending, read_ca_file};

/// How long a whole conversation may take, from the name's resolution to the server's last word.
pub const SMTP_TIMEOUT: Duration = Duration::from_secs(25);
/// How long the farewell may take; the message is delivered by then.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);

/// `options` of an `smtp` provider.
#[derive(Clone, Debug)]
pub struct SmtpOptions {
    /// `smtps://user:password@host:port` or `smtp://…?tls=required|opportunistic|none`.
    pub url: SecretString,
    /// `Shop <no-reply@example.com>` or the address alone.
    pub from: String,
    /// PEM file of root certificates to trust besides the usual ones, for a server with a private authority.
    pub ca_file: Option<PathBuf>,
    /// For a whole conversation; [`SMTP_TIMEOUT`] unless a test has less time.
    pub timeout: Duration,
}

/// The provider.
pub struct Smtp {
    host: String,
    port: u16,
    encryption: Encryption,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    hello: ClientId,
    from: Mailbox,
    timeout: Duration,
}

impl Smtp {
    /// Makes the provider and connects nowhere.
    pub(super) fn new(options: &SmtpOptions) -> Result<Self, OptionProblem> {
        let address = ServerAddress::parse(options.url.expose_secret())?;
        let from: Mailbox = options
            .from
            .parse()
            .map_err(|_| ("options.from", "Must be an address, or a name and an address in <>".to_owned()))?;
        let mut tls = TlsParameters::builder(address.host.clone());
        if let Some(path) = &options.ca_file {
            let certificate = Certificate::from_pem(&read_ca_file(path)?)
                .map_err(|_| ("options.caFile", format!("{} is no PEM file of certificates", path.display())))?;
            tls = tls.add_root_certificate(certificate);
        }
        // A broken certificate is noticed only when TLS is prepared.
        let blamed = if options.ca_file.is_some() { "options.caFile" } else { "options.url" };
        if address.credentials.is_some() && matches!(address.encryption, Encryption::None | Encryption::Opportunistic) {
            tracing::warn!(
                "The mail server's password may go over the network in the clear; use smtps:// or tls=required"
            );
        }
        Ok(Self {
            tls: tls.build().map_err(|error| (blamed, format!("TLS cannot be prepared: {error}")))?,
            host: address.host,
            port: address.port,
            encryption: address.encryption,
            credentials: address.credentials.map(|(user, password)| Credentials::new(user, password)),
            hello: address.hello.map_or_else(ClientId::default, ClientId::Domain),
            from,
            timeout: options.timeout,
        })
    }

    /// Sends within the time limit. After the server took the message, nothing can make it a failure any more.
    async fn deliver(&self, message: Outgoing<'_>) -> Result<(), Failure> {
        let recipient: Address = message.to.parse().map_err(|_| Failure::Unsendable)?;
        let mail = self.compose(message, &recipient)?;
        let conversation = async {
            let mut connection = self.connect().await.map_err(|error| classify(&error, Failure::SmtpSession))?;
            self.hand_over(&mut connection, recipient, &mail).await?;
            Ok(connection)
        };
        let mut connection = tokio::time::timeout(self.timeout, conversation).await.map_err(|_| Failure::Timeout)??;
        if !matches!(tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await, Ok(Ok(_))) {
            tracing::debug!(outbox.id = message.id, "Mail server took message {} and no farewell", message.id);
        }
        Ok(())
    }

    /// Connects, encrypts and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let wrapped = (self.encryption == Encryption::Wrapped).then(|| self.tls.clone());
        let server = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &self.hello, wrapped, None).await?;
        let upgrade = match self.encryption {
            Encryption::Required => true,
            Encryption::Opportunistic => connection.can_starttls(),
            Encryption::None | Encryption::Wrapped => false,
        };
        if upgrade {
            connection.starttls(self.tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// Envelope and message. A refused sender is the operator's to mend; a refused recipient or message is final.
    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        recipient: Address,
        mail: &[u8],
    ) -> Result<(), Failure> {
        let international = !recipient.to_string().is_ascii() || !self.from.email.to_string().is_ascii();
        if international && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Unsendable);
        }
        let parameters = if international { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
        let sender = Mail::new(Some(self.from.email.clone()), parameters);
        connection.command(sender).await.map_err(|error| classify(&error, Failure::SmtpSession))?;
        let recipient = Rcpt::new(recipient, Vec::new());
        connection.command(recipient).await.map_err(|error| classify(&error, Failure::SmtpMessage))?;
        connection.command(Data).await.map_err(|error| classify(&error, Failure::SmtpMessage))?;
        connection.message(mail).await.map_err(|error| classify(&error, Failure::SmtpMessage))?;
        Ok(())
    }

    /// The mail, the same bytes at every attempt: id, date and boundary come from the row.
    fn compose(&self, message: Outgoing<'_>, recipient: &Address) -> Result<Vec<u8>, Failure> {
        let millis = u64::try_from(message.created_at.millis()).map_err(|_| Failure::Unsendable)?;
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient.clone()))
            .subject(message.subject.unwrap_or_default())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{}>", message.id, self.from.email.domain())))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let text = part(ContentType::TEXT_PLAIN, message.text)?;
        let mail = match message.html {
            None => mail.singlepart(text),
            Some(html) => mail.multipart(
                MultiPart::alternative()
                    .boundary(format!("=_{}", message.id))
                    .singlepart(text)
                    .singlepart(part(ContentType::TEXT_HTML, html)?),
            ),
        };
        mail.map(|mail| mail.formatted()).map_err(|_| Failure::Unsendable)
    }
}

impl NotificationProvider for Smtp {
    fn send<'a>(&'a self, message: Outgoing<'a>) -> Sending<'a> {
        Box::pin(self.deliver(message))
    }
}

/// A part in quoted-printable, which every server takes whatever the line lengths and characters.
fn part(content_type: ContentType, content: &str) -> Result<SinglePart, Failure> {
    let content = content.replace("\r\n", "\n").replace('\n', "\r\n");
    let body =
        Body::new_with_encoding(content, ContentTransferEncoding::QuotedPrintable).map_err(|_| Failure::Unsendable)?;
    Ok(SinglePart::builder().header(content_type).body(body))
}

/// The class of an error; `refused` is what a refusal with a code means at this step.
fn classify(error: &SmtpError, refused: fn(u16) -> Failure) -> Failure {
    if let Some(code) = error.status() {
        return refused(code.into());
    }
    if error.is_timeout() {
        return Failure::Timeout;
    }
    if error.is_client() || error.is_response() {
        return Failure::SmtpProtocol;
    }
    Failure::Connection
}
