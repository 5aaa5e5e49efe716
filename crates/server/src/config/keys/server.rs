//! The keys outside of `options`: `projectConfig`, notifications, and what is not Medusa's.

use super::{Key, Kind, key};

/// Schemes of web addresses.
const WEB: &[&str] = &["http", "https"];
/// Schemes of mail servers: TLS by STARTTLS or plain, TLS from the start.
const MAIL: &[&str] = &["smtp", "smtps"];

/// `projectConfig`.
pub(super) static PROJECT: &[Key] = &[
    key(
        "projectConfig.databaseUrl",
        Kind::DatabaseUrl,
        "Where the data lives; `sslmode` as libpq has it. A Medusa database is the normal \
        production case.",
    )
    .variable("DATABASE_URL"),
    key("projectConfig.databaseSchema", Kind::Text, "The PostgreSQL schema; SQLite has none."),
    key("projectConfig.databaseDriverOptions.pool.min", Kind::Integer(0, 1_000), "Connections kept open."),
    key("projectConfig.databaseDriverOptions.pool.max", Kind::Integer(1, 1_000), "Connections at most."),
    key(
        "projectConfig.http.host",
        Kind::Text,
        "The address to listen on. Development refuses another than a loopback host without \
        `--dev-public`.",
    )
    .variable("HOST"),
    key("projectConfig.http.port", Kind::Integer(0, 65_535), "The port to listen on; 0 takes a free one.")
        .variable("PORT"),
    key(
        "projectConfig.http.jwtSecret",
        Kind::Secrets,
        "Signs login tokens; shared with Medusa. A list rotates: signs with the first, takes all. \
        A file has one secret a line.",
    )
    .variable("JWT_SECRET")
    .unset("required in production; development keeps a random one beside the database"),
    key(
        "projectConfig.http.jwtExpiresIn",
        Kind::Lifetime,
        "How long a login token lives. A number is seconds; text needs a unit (`15m`, `1d`).",
    ),
    key("projectConfig.http.cookieSecret", Kind::Secret, "Protects session cookies.")
        .variable("COOKIE_SECRET")
        .unset("required in production; random in development"),
    key(
        "projectConfig.http.allowWeakSecrets",
        Kind::Boolean,
        "Lets production start with a secret of fewer than 32 bytes, with a warning.",
    ),
    key(
        "projectConfig.http.storeCors",
        Kind::Text,
        "Origins that may call `/store`: comma-separated, `/re/flags` is a regular expression.",
    )
    .variable("STORE_CORS")
    .unset("none"),
    key("projectConfig.http.adminCors", Kind::Text, "Origins that may call `/admin`.")
        .variable("ADMIN_CORS")
        .unset("none"),
    key("projectConfig.http.authCors", Kind::Text, "Origins that may call `/auth`.")
        .variable("AUTH_CORS")
        .unset("none"),
    key(
        "projectConfig.http.authMethodsPerActor.*",
        Kind::Texts,
        "Auth providers that this actor type may use; an actor type that is not named may use all.",
    )
    .unset("all"),
    key(
        "projectConfig.http.publishableKey",
        Kind::Choice(&["auto", "required", "off"]),
        "Whether `/store` asks for a publishable key. `auto`: exactly where Medusa made the \
        database.",
    ),
    key(
        "projectConfig.http.trustProxy",
        Kind::Networks,
        "Whose `X-Forwarded-For` is believed: the right-most hop outside of these is the client. \
        Storefront servers belong here.",
    ),
    key(
        "projectConfig.http.bodyLimit",
        Kind::Integer(1, 1_073_741_824),
        "Bytes of a request body; larger ones are answered 413.",
    ),
    key(
        "projectConfig.http.hashQueue",
        Kind::Integer(1, 1_000_000),
        "Password hashes that may wait; past it requests are answered 503.",
    )
    .unset("max(64, 32 × cores)"),
];

/// What `caFile` means with every provider.
const CA_FILE_DOC: &str = "A PEM file of root certificates to trust besides the usual ones, by its path from the \
                           configuration file; for a server with a private authority.";
/// A right `caFile`.
const CA_FILE: &str = "\"authority.pem\"";

/// `notification`.
pub(super) static NOTIFICATION: &[Key] = &[
    key(
        "notification.providers[].id",
        Kind::Choice(&["local", "smtp", "twilio", "webhook"]),
        "The provider. `local` keeps messages for the development inbox and is refused in \
        production.",
    )
    .required(),
    key(
        "notification.providers[].channels",
        Kind::Texts,
        "The channels that it serves, `email`, `sms` or a word of your own.",
    )
    .required(),
    key(
        "notification.providers[smtp].options.url",
        Kind::SecretUrl(MAIL),
        "`smtps://user:password@host` for TLS from the start, \
        `smtp://user:password@host:587?tls=required` for STARTTLS.",
    )
    .required()
    .example("\"smtps://user:password@mail.example.com\""),
    key("notification.providers[smtp].options.from", Kind::Text, "The sender, `Shop <no-reply@example.com>`.")
        .required()
        .example("\"Shop <no-reply@example.com>\""),
    key("notification.providers[smtp].options.caFile", Kind::Text, CA_FILE_DOC).unset("none").example(CA_FILE),
    key("notification.providers[twilio].options.accountSid", Kind::Text, "The account's id, `AC…`.").required(),
    key("notification.providers[twilio].options.authToken", Kind::Secret, "The account's token.").required(),
    key("notification.providers[twilio].options.from", Kind::Text, "The sending number, `+15550001111`.")
        .required()
        .example("\"+15550001111\""),
    key(
        "notification.providers[twilio].options.baseUrl",
        Kind::Url(WEB),
        "Another server that speaks Twilio's Messages API.",
    )
    .unset("`https://api.twilio.com`"),
    key("notification.providers[twilio].options.caFile", Kind::Text, CA_FILE_DOC).unset("none").example(CA_FILE),
    key("notification.providers[webhook].options.url", Kind::Url(WEB), "Where messages are posted to.").required(),
    key("notification.providers[webhook].options.secret", Kind::Secret, "Signs what is posted.").required(),
    key("notification.providers[webhook].options.caFile", Kind::Text, CA_FILE_DOC).unset("none").example(CA_FILE),
    key("notification.retry.attempts", Kind::Integer(1, 100), "Tries before a message is given up."),
    key(
        "notification.retry.firstSeconds",
        Kind::Integer(1, 86_400),
        "Seconds before the second try; doubled for each further one.",
    ),
    key("notification.retry.maxSeconds", Kind::Integer(1, 604_800), "Seconds between two tries at most."),
];

/// What is left.
pub(super) static REST: &[Key] = &[
    key("events.webhooks[].url", Kind::Url(WEB), "Where events are posted to.").required(),
    key("events.webhooks[].secret", Kind::Secret, "Signs what is posted.").required(),
    key("events.webhooks[].events", Kind::Texts, "Names of events; a `*` at the end stands for the rest.")
        .unset("`[\"customer.*\"]`"),
    key(
        "gateway.upstream",
        Kind::Url(WEB),
        "A Medusa backend: every route that this server does not own is passed on to it.",
    )
    .unset("none: such routes are answered 404"),
    key(
        "gateway.timeoutSeconds",
        Kind::Integer(1, 3_600),
        "Seconds to the upstream's response header: 504 after it, 502 when it cannot be reached.",
    ),
    key("admin.path", Kind::UrlPath, "Where the admin pages live.")
        .unset("`/app`, with a gateway `/customer-registration`"),
    key("admin.disable", Kind::Boolean, "Serves no admin pages."),
    key("metrics.listen", Kind::SocketAddress, "Address for `/metrics`; never on the public port.").unset("none"),
    key("log.format", Kind::Choice(&["text", "json"]), "Form of log lines.").unset("`text` on a terminal, else `json`"),
    key(
        "log.level",
        Kind::LogLevel,
        "Least level that is logged (`error`, `warn`, `info`, `debug`, `trace`), or directives as \
            `RUST_LOG` has them.",
    ),
];
