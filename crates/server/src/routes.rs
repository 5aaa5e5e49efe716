//! The one policy table: every route that this server owns, who may call it, what limits it, and who answers.
//!
//! A request that no row matches is answered 404 by [`crate::dispatch`].

mod matching;

use http::Method;

use crate::admin::{inbox, pages};
use crate::api::auth::actor_type::auth_provider;
use crate::api::store::customers::account_deletion;
use crate::api::{admin, auth, health, store};
use crate::call::Handler;

pub use self::matching::{Found, Routes};

/// Which of Medusa's three namespaces a path is in: it decides CORS and whether a publishable key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `/auth`
    Auth,
    /// `/store`
    Store,
    /// `/admin`
    Admin,
    /// `/health`, our pages, everything else.
    None,
}

/// Who may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everybody; nobody is looked at.
    Public,
    /// Everybody; a customer or a registered identity is recognised, a bad token ignored.
    OptionalCustomer,
    /// An identity of the actor type `customer`, with or without a customer.
    Registrant,
    /// A customer that lives.
    Customer,
    /// An admin user, or a secret API key by Basic.
    Admin,
    /// A bearer token of any actor type, with or without an actor; never the session.
    BearerIdentity,
    /// A bearer token of any actor type, with an actor; never the session.
    BearerActor,
    /// The session cookie alone, of any actor type.
    Session,
}

/// The limits that a route's workflow counts against, named as in `options.limits` and the plugin's options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiter {
    /// `maxAttempts`
    MaxAttempts,
    /// `wrongCodes`
    WrongCodes,
    /// `resendThrottleSeconds`
    ResendThrottleSeconds,
    /// `sendsPerSubject`
    SendsPerSubject,
    /// `sendsPerDestination`
    SendsPerDestination,
    /// `sendsPerAddress`
    SendsPerAddress,
    /// `sendsPerChannel`
    SendsPerChannel,
    /// `loginFailures`
    LoginFailures,
    /// `loginFailuresPerAddress`
    LoginFailuresPerAddress,
    /// `registrationsPerAddress`
    RegistrationsPerAddress,
    /// `resets`
    Resets,
    /// `cancelRequestsPerAddress`
    CancelRequestsPerAddress,
    /// `passwordChanges`
    PasswordChanges,
    /// `referralGuesses`
    ReferralGuesses,
}

/// Who looks up the customer that a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUp {
    /// The gate.
    AtGate,
    /// The gate, with the addresses, for an answer that has them.
    WithAddresses,
    /// The workflow, in the transaction that it needs anyway. The gate does it all the same for a session, and where it has a publishable key
    /// to look up. Only for [`Gate::OptionalCustomer`], and for routes that are closed during a deletion.
    InWorkflow,
}

/// One row.
pub struct Route {
    /// The method; `GET` answers `HEAD` too.
    pub method: Method,
    /// The path; `{name}` stands for one segment.
    pub path: &'static str,
    /// Decides CORS and the publishable key.
    pub namespace: Namespace,
    /// Who may pass.
    pub gate: Gate,
    /// What the workflow behind it counts against.
    pub limiters: &'static [Limiter],
    /// Whether the answer may tell if an account exists.
    pub may_reveal: bool,
    /// Whether a customer with a pending deletion may still call it.
    pub during_deletion: bool,
    /// Who looks up the customer that a token names.
    pub look_up: LookUp,
    /// Who answers.
    pub handler: Handler,
}

impl Route {
    /// A row with no limit, closed during a deletion, that reveals nothing: what is more is asked for below.
    const fn new(method: Method, path: &'static str, namespace: Namespace, gate: Gate, handler: Handler) -> Self {
        Self {
            method,
            path,
            namespace,
            gate,
            limiters: &[],
            may_reveal: false,
            during_deletion: false,
            look_up: LookUp::AtGate,
            handler,
        }
    }

    /// A row below `/auth`.
    pub const fn auth(method: Method, path: &'static str, gate: Gate, handler: Handler) -> Self {
        Self::new(method, path, Namespace::Auth, gate, handler)
    }

    /// A row below `/store`.
    pub const fn store(method: Method, path: &'static str, gate: Gate, handler: Handler) -> Self {
        Self::new(method, path, Namespace::Store, gate, handler)
    }

    /// A row below `/admin`.
    pub const fn admin(method: Method, path: &'static str, handler: Handler) -> Self {
        Self::new(method, path, Namespace::Admin, Gate::Admin, handler)
    }

    /// A row outside of the three namespaces.
    pub const fn plain(method: Method, path: &'static str, handler: Handler) -> Self {
        Self::new(method, path, Namespace::None, Gate::Public, handler)
    }

    /// The same row with what it counts against.
    #[must_use]
    pub const fn limits(mut self, limiters: &'static [Limiter]) -> Self {
        self.limiters = limiters;
        self
    }

    /// The same row, whose answer may tell if an account exists: its caller has shown a secret, or says who they are.
    #[must_use]
    pub const fn may_reveal(mut self) -> Self {
        self.may_reveal = true;
        self
    }

    /// The same row, whose answer shows the customer as the gate found it, with the addresses.
    #[must_use]
    pub const fn shows_addresses(mut self) -> Self {
        self.look_up = LookUp::WithAddresses;
        self
    }

    /// The same row, whose workflow refuses a customer who is about to be deleted, and ignores a bearer token that counts no more.
    #[must_use]
    pub const fn looks_up_bearer(mut self) -> Self {
        self.look_up = LookUp::InWorkflow;
        self
    }

    /// The same row, open to customers who are about to be deleted.
    #[must_use]
    pub const fn during_deletion(mut self) -> Self {
        self.during_deletion = true;
        self
    }
}

impl Namespace {
    /// The namespace that a path as sent lies in.
    pub fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        // Two slashes in front make the first segment empty, and match nothing in Express.
        if path.starts_with("//") {
            return Self::None;
        }
        for (name, namespace) in [("auth", Self::Auth), ("store", Self::Store), ("admin", Self::Admin)] {
            if first.eq_ignore_ascii_case(name) {
                return namespace;
            }
        }
        Self::None
    }
}

/// The auth providers that there are. Their names are compared with case, as Medusa compares provider ids; routes fit others
/// too, and refuse them in Medusa's words.
pub use cr_core::options::OWNED_PROVIDERS;

/// What every send of a code counts against.
const SENDS: &[Limiter] = &[
    Limiter::WrongCodes,
    Limiter::ResendThrottleSeconds,
    Limiter::SendsPerSubject,
    Limiter::SendsPerDestination,
    Limiter::SendsPerAddress,
    Limiter::SendsPerChannel,
];

/// Every route, in the order in which Medusa registers them where that shows.
pub static TABLE: &[Route] = &[
    Route::auth(Method::POST, "/auth/token/refresh", Gate::BearerIdentity, |call| {
        Box::pin(auth::token::refresh::post(call))
    })
    .may_reveal(),
    Route::auth(Method::POST, "/auth/session", Gate::BearerActor, |call| Box::pin(auth::session::post(call)))
        .may_reveal(),
    Route::auth(Method::DELETE, "/auth/session", Gate::Session, |call| Box::pin(auth::session::delete(call)))
        .may_reveal(),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}/register", Gate::Public, |call| {
        Box::pin(auth_provider::register::post(call))
    })
    .limits(&[Limiter::RegistrationsPerAddress])
    .may_reveal(),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}/reset-password", Gate::Public, |call| {
        Box::pin(auth_provider::reset_password::post(call))
    })
    .limits(&[Limiter::Resets, Limiter::SendsPerAddress, Limiter::SendsPerChannel]),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}/update", Gate::Public, |call| {
        Box::pin(auth_provider::update::post(call))
    }),
    Route::auth(Method::GET, "/auth/{actor_type}/{auth_provider}/callback", Gate::Public, |call| {
        Box::pin(auth_provider::callback::get(call))
    }),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}/callback", Gate::Public, |call| {
        Box::pin(auth_provider::callback::post(call))
    }),
    Route::auth(Method::POST, "/auth/{actor_type}/{auth_provider}", Gate::Public, |call| {
        Box::pin(auth_provider::post(call))
    })
    .limits(&[Limiter::LoginFailures, Limiter::LoginFailuresPerAddress]),
    Route::auth(Method::GET, "/auth/{actor_type}/{auth_provider}", Gate::Public, |call| {
        Box::pin(auth_provider::get(call))
    })
    .limits(&[Limiter::LoginFailures, Limiter::LoginFailuresPerAddress]),
    // Sends on registration count too; one over a limit is left out and refuses nothing.
    Route::store(Method::POST, "/store/customers", Gate::Registrant, |call| Box::pin(store::customers::post(call)))
        .limits(&[Limiter::ReferralGuesses])
        .may_reveal(),
    Route::store(Method::GET, "/store/customers/me", Gate::Customer, |call| Box::pin(store::customers::me::get(call)))
        .shows_addresses()
        .may_reveal(),
    Route::store(Method::POST, "/store/customers/me", Gate::Customer, |call| {
        Box::pin(store::customers::me::post(call))
    })
    .may_reveal(),
    Route::store(Method::PATCH, "/store/customers/me", Gate::Customer, |call| {
        Box::pin(store::customers::me::patch(call))
    })
    .may_reveal(),
    Route::store(Method::POST, "/store/customers/otp/send", Gate::OptionalCustomer, |call| {
        Box::pin(store::customers::otp::send::post(call))
    })
    .limits(SENDS)
    .looks_up_bearer(),
    Route::store(Method::POST, "/store/customers/otp/verify", Gate::OptionalCustomer, |call| {
        Box::pin(store::customers::otp::verify::post(call))
    })
    .limits(&[Limiter::MaxAttempts, Limiter::WrongCodes])
    .looks_up_bearer(),
    Route::store(Method::POST, "/store/customers/me/contact", Gate::Customer, |call| {
        Box::pin(store::customers::me::contact::post(call))
    })
    .limits(SENDS)
    .may_reveal(),
    Route::store(Method::POST, "/store/customers/me/contact/verify", Gate::Customer, |call| {
        Box::pin(store::customers::me::contact::verify::post(call))
    })
    .limits(&[Limiter::MaxAttempts, Limiter::WrongCodes])
    .may_reveal(),
    Route::store(Method::POST, "/store/customers/contact/undo", Gate::Public, |call| {
        Box::pin(store::customers::contact::undo::post(call))
    })
    .may_reveal(),
    Route::store(Method::POST, "/store/customers/change-password", Gate::Customer, |call| {
        Box::pin(store::customers::change_password::post(call))
    })
    .limits(&[Limiter::PasswordChanges])
    .may_reveal(),
    Route::store(Method::POST, "/store/customers/account-deletion/request", Gate::Customer, |call| {
        Box::pin(account_deletion::request::post(call))
    })
    .limits(SENDS)
    .may_reveal()
    .during_deletion(),
    Route::store(Method::POST, "/store/customers/account-deletion/confirm", Gate::Public, |call| {
        Box::pin(account_deletion::confirm::post(call))
    })
    .limits(&[Limiter::MaxAttempts, Limiter::WrongCodes])
    .during_deletion(),
    Route::store(Method::POST, "/store/customers/account-deletion/cancel-request", Gate::Public, |call| {
        Box::pin(account_deletion::cancel_request::post(call))
    })
    .limits(&[
        Limiter::CancelRequestsPerAddress,
        Limiter::WrongCodes,
        Limiter::ResendThrottleSeconds,
        Limiter::SendsPerSubject,
        Limiter::SendsPerDestination,
        Limiter::SendsPerAddress,
        Limiter::SendsPerChannel,
    ])
    .during_deletion(),
    Route::store(Method::POST, "/store/customers/account-deletion/cancel-confirm", Gate::Public, |call| {
        Box::pin(account_deletion::cancel_confirm::post(call))
    })
    .limits(&[Limiter::MaxAttempts, Limiter::WrongCodes])
    .during_deletion(),
    Route::store(Method::GET, "/store/my-referrals", Gate::Customer, |call| Box::pin(store::my_referrals::get(call)))
        .may_reveal(),
    Route::admin(Method::GET, "/admin/account-deletion-requests", |call| {
        Box::pin(admin::account_deletion_requests::get(call))
    })
    .may_reveal(),
    Route::admin(Method::POST, "/admin/account-deletion-requests/{id}/cancel", |call| {
        Box::pin(admin::account_deletion_requests::id::cancel::post(call))
    })
    .may_reveal(),
    Route::admin(Method::POST, "/admin/account-deletion-requests/{id}/hold", |call| {
        Box::pin(admin::account_deletion_requests::id::hold::post(call))
    })
    .may_reveal(),
    Route::admin(Method::POST, "/admin/account-deletion-requests/{id}/release", |call| {
        Box::pin(admin::account_deletion_requests::id::release::post(call))
    })
    .may_reveal(),
    Route::admin(Method::POST, "/admin/account-deletion-requests/{id}/run", |call| {
        Box::pin(admin::account_deletion_requests::id::run::post(call))
    })
    .may_reveal(),
    Route::admin(Method::GET, "/admin/account-deletion-requests/{id}/messages", |call| {
        Box::pin(admin::account_deletion_requests::id::messages::get(call))
    })
    .may_reveal(),
    Route::admin(Method::POST, "/admin/customers/{id}/end-sessions", |call| {
        Box::pin(admin::customers::id::end_sessions::post(call))
    })
    .may_reveal(),
    Route::plain(Method::GET, "/health", |call| Box::pin(health::get(call))),
    Route::plain(Method::GET, "/health/ready", |call| Box::pin(health::ready::get(call))),
];

/// The API reference: no part of the API that it tells of.
pub static REFERENCE: &[Route] = &[
    Route::plain(Method::GET, "/openapi.json", |call| Box::pin(pages::document(call))),
    Route::plain(Method::GET, "/docs", |call| Box::pin(pages::reference(call))),
    Route::plain(Method::GET, "/docs/{file}", |call| Box::pin(pages::reference_file(call))),
];

/// Where a browser begins, unless it is the upstream's.
pub static DOOR: &[Route] = &[Route::plain(Method::GET, "/", |call| Box::pin(pages::door(call)))];

/// The rows below `{admin.path}`, which only the configuration knows. Made once a process, since rows live as long as it does.
pub fn pages(admin_path: &str) -> Vec<Route> {
    let at = |page: &str| -> &'static str { Box::leak(format!("{admin_path}{page}").into_boxed_str()) };
    vec![
        Route::plain(Method::GET, at(""), |call| Box::pin(pages::start(call))),
        Route::plain(Method::GET, at("/account-deletion-requests"), |call| {
            Box::pin(pages::account_deletion_requests(call))
        }),
        Route::plain(Method::GET, at("/inbox"), |call| Box::pin(inbox::page(call))),
        Route::plain(Method::GET, at("/inbox.json"), |call| Box::pin(inbox::list(call))),
        Route::plain(Method::DELETE, at("/inbox.json"), |call| Box::pin(inbox::clear(call))),
        Route::plain(Method::GET, at("/{file}"), |call| Box::pin(pages::file(call))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_told_by_the_first_segment() {
        for (path, namespace) in [
            ("/store", Namespace::Store),
            ("/STORE/x", Namespace::Store),
            ("/storefront", Namespace::None),
            ("/admin/x", Namespace::Admin),
            ("/auth/", Namespace::Auth),
            ("//store/x", Namespace::None),
            ("/", Namespace::None),
        ] {
            assert_eq!(Namespace::of(path), namespace, "{path}");
        }
    }

    /// No test that walks the table tries what stands beside it, so it is counted here: pages and their data.
    #[test]
    fn beside_the_table_are_pages_alone() {
        let admin = pages("/app");
        let beside = REFERENCE.iter().chain(DOOR).chain(&admin);
        let found: Vec<String> = beside.map(|row| format!("{} {} {:?}", row.method, row.path, row.gate)).collect();
        let pages =
            ["/openapi.json", "/docs", "/docs/{file}", "/", "/app", "/app/account-deletion-requests", "/app/inbox"];
        let mut expected: Vec<String> = pages.iter().map(|path| format!("GET {path} Public")).collect();
        expected.extend(
            ["GET /app/inbox.json Public", "DELETE /app/inbox.json Public", "GET /app/{file} Public"].map(Into::into),
        );
        assert_eq!(found, expected);
    }

    /// A row in the wrong namespace would have the wrong CORS list, or no publishable key.
    #[test]
    fn the_table_is_consistent() {
        for route in TABLE {
            assert_eq!(Namespace::of(route.path), route.namespace, "{}", route.path);
            if route.namespace == Namespace::Admin {
                assert_eq!(route.gate, Gate::Admin, "{}", route.path);
            }
            let twins = TABLE.iter().filter(|other| other.method == route.method && other.path == route.path).count();
            assert!(twins <= 1, "{} {} stands in the table twice", route.method, route.path);
        }
    }
}
