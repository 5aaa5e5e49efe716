//! The policy table's gates: every row of the table, and what is no row but guarded all the same, against every kind of wrong
//! credential. One table says what each gate answers to each: status and whole body. A row that is new is tried by being there.

pub(crate) mod credentials;
mod publishable_key;
mod spellings;

use std::collections::HashMap;

use cr_server::routes::{Gate, LookUp, TABLE};
use http::Method;
use serde_json::{Value, json};

use self::credentials::{Credential, credentials};
use crate::stage::{EMAIL, request, stage, told};
use crate::support::TestServer;

/// The guard's refusal.
const OUT: &str = r#"401 {"message":"Unauthorized"}"#;
/// An account that is about to be deleted.
const LEAVING: &str = r#"403 {"code":"account_deletion_pending","type":"not_allowed","message":"Account deletion is scheduled","deletion_scheduled_at":"2026-01-09T03:04:05.678Z"}"#;
/// A write with a session cookie from a foreign page.
const FOREIGN: &str = r#"403 {"code":"cross_site_request","type":"not_allowed","message":"A session can be used for writing only from the shop's own pages"}"#;
/// A token whose second factor was not shown, as Medusa 2.21 refuses it.
const FACTOR: &str = r#"401 {"message":"MFA verification is required to complete this request"}"#;
/// `auth/token/refresh` when the identity of a good token is gone, as Medusa 2.11.2 says it.
const NO_IDENTITY: &str = r#"404 {"type":"not_found","message":"AuthIdentity with id: <authid> was not found"}"#;
/// `update` with a good reset token and no password, as Medusa 2.11.2 says it.
const NO_PASSWORD: &str = r#"401 {"type":"unauthorized","message":"Unauthorized"}"#;

/// What a row answers to a credential.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not a gate's refusal.
    In,
    /// [`OUT`].
    Out,
    /// What it answers to nobody.
    Ignored,
    /// [`LEAVING`], but where the row is open during a deletion.
    Leaving,
    /// [`FOREIGN`], but where the row only reads.
    Foreign,
    /// [`FACTOR`].
    Factor,
    /// [`NO_IDENTITY`].
    NoIdentity,
    /// [`NO_PASSWORD`].
    NoPassword,
}

use Verdict::{Factor, Foreign, Ignored, In, Leaving, NoIdentity, NoPassword, Out};

/// What each gate answers to one kind of credential; [`Gate::Public`] looks at none.
#[derive(Clone, Copy)]
pub(crate) struct Verdicts {
    optional: Verdict,
    registrant: Verdict,
    customer: Verdict,
    admin: Verdict,
    /// With what `auth/token/refresh`, the one row behind it, asks further.
    bearer_identity: Verdict,
    /// With what `POST /auth/session`, the one row behind it, asks further.
    bearer_actor: Verdict,
    session: Verdict,
    /// `update`, which everybody may call and which takes a reset token itself.
    update: Verdict,
}

/// Opens nothing.
pub(crate) const NOBODY: Verdicts = Verdicts {
    optional: Ignored,
    registrant: Out,
    customer: Out,
    admin: Out,
    bearer_identity: Out,
    bearer_actor: Out,
    session: Out,
    update: Ignored,
};
/// The token of a customer.
pub(crate) const CUSTOMER: Verdicts =
    Verdicts { optional: In, registrant: In, customer: In, bearer_identity: In, bearer_actor: In, ..NOBODY };
/// The token of a registration, which names no customer.
pub(crate) const REGISTRATION: Verdicts = Verdicts { customer: Out, bearer_actor: Out, ..CUSTOMER };
/// The token of an administrator.
pub(crate) const ADMIN: Verdicts = Verdicts { admin: In, bearer_identity: In, bearer_actor: In, ..NOBODY };
/// The token of somebody whom only Medusa knows.
const STRANGER: Verdicts = Verdicts { admin: Out, ..ADMIN };
/// A customer's session.
const CUSTOMER_SESSION: Verdicts = Verdicts { optional: In, registrant: In, customer: In, session: In, ..NOBODY };
/// A customer's session, of which a foreign page makes use.
const ABUSED_SESSION: Verdicts =
    Verdicts { optional: Foreign, registrant: Foreign, customer: Foreign, session: Foreign, ..NOBODY };
/// A session that counts no more: all that is left is to log out.
const ENDED_SESSION: Verdicts = Verdicts { session: In, ..NOBODY };
/// An administrator's session.
const ADMIN_SESSION: Verdicts = Verdicts { admin: In, session: In, ..NOBODY };
/// A secret API key.
const SECRET_KEY: Verdicts = Verdicts { admin: In, ..NOBODY };
/// The token of a customer who is about to be deleted.
const LEAVING_CUSTOMER: Verdicts = Verdicts {
    optional: Leaving,
    registrant: Leaving,
    customer: Leaving,
    bearer_identity: Leaving,
    bearer_actor: Leaving,
    ..NOBODY
};
/// The session of a customer who is about to be deleted.
const LEAVING_SESSION: Verdicts = Verdicts { bearer_identity: Out, bearer_actor: Out, session: In, ..LEAVING_CUSTOMER };
/// A token without the second factor that its identity asks for.
const WITHOUT_FACTOR: Verdicts = Verdicts { registrant: Factor, customer: Factor, ..NOBODY };
/// A token whose identity is not there.
pub(crate) const WITHOUT_IDENTITY: Verdicts = Verdicts { bearer_identity: NoIdentity, ..NOBODY };
/// A token whose customer is not its identity's: a refresh looks at the identity alone, and gives it its own customer.
pub(crate) const FOREIGN_CUSTOMER: Verdicts = Verdicts { bearer_identity: In, ..NOBODY };
/// A reset token.
pub(crate) const RESET: Verdicts = Verdicts { update: NoPassword, ..NOBODY };

/// Something that can be called: a row of the table, or a path of the upstream's behind a gate of ours.
struct Target {
    method: Method,
    path: String,
    gate: Gate,
    during_deletion: bool,
}

impl Target {
    /// What it answers to one kind of credential.
    fn verdict(&self, verdicts: Verdicts) -> Verdict {
        match self.gate {
            Gate::Public if self.path.ends_with("/update") => verdicts.update,
            Gate::Public => Ignored,
            Gate::OptionalCustomer => verdicts.optional,
            Gate::Registrant => verdicts.registrant,
            Gate::Customer => verdicts.customer,
            Gate::Admin => verdicts.admin,
            Gate::BearerIdentity => verdicts.bearer_identity,
            Gate::BearerActor => verdicts.bearer_actor,
            Gate::Session => verdicts.session,
        }
    }

    /// A body that goes as far as the gate and says something behind it; none changes what a later request meets.
    fn body(&self) -> Value {
        match self.path.as_str() {
            "/store/customers/otp/send" => json!({"type": "email_verification", "email": EMAIL}),
            "/store/customers/otp/verify" => json!({"token": "none", "code": "123456"}),
            _ => json!({}),
        }
    }

    /// What it says to a credential.
    async fn ask(&self, server: &TestServer, credential: &Credential) -> String {
        let headers: Vec<_> = credential.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let body = (self.method != Method::GET).then(|| self.body());
        told(&server.raw(request(self.method.clone(), &self.path, &headers, body)).await)
    }
}

/// Every row of the table.
fn rows() -> impl Iterator<Item = Target> {
    TABLE.iter().map(|route| Target {
        method: route.method.clone(),
        path: route
            .path
            .replace("{actor_type}", "customer")
            .replace("{auth_provider}", "emailpass")
            // Nobody's, so that a decision that is let in changes nothing.
            .replace("{id}", "adr_9"),
        gate: route.gate,
        during_deletion: route.during_deletion,
    })
}

/// Paths of Medusa's that are behind a gate, though no row is.
fn guarded() -> impl Iterator<Item = Target> {
    [("/store/customers/me/addresses", Gate::Customer), ("/admin/anything", Gate::Admin)]
        .into_iter()
        .map(|(path, gate)| Target { method: Method::GET, path: path.to_owned(), gate, during_deletion: false })
}

cr_testkit::both! {
    /// A gate that lets in one credential too many is the way into accounts; one that answers another way than its kin tells
    /// which accounts there are.
    async fn every_gate_answers_every_credential_by_the_table(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let credentials = credentials(&server, &database).await;
        let nobody = Credential { name: "nobody".to_owned(), headers: Vec::new(), verdicts: NOBODY };
        let mut let_in = HashMap::new();
        for target in rows().chain(guarded()) {
            let to_nobody = target.ask(&server, &nobody).await;
            for credential in std::iter::once(&nobody).chain(&credentials) {
                let said = target.ask(&server, credential).await;
                let what = format!("{} at {} {}", credential.name, target.method, target.path);
                let expected = match target.verdict(credential.verdicts) {
                    Leaving if !target.during_deletion => LEAVING,
                    Foreign if target.method != Method::GET => FOREIGN,
                    In | Leaving | Foreign => {
                        assert!(![OUT, LEAVING, FOREIGN, FACTOR].contains(&said.as_str()), "{what}: {said}");
                        *let_in.entry(format!("{:?}", target.gate)).or_insert(0) += 1;
                        continue;
                    }
                    Out => OUT,
                    Ignored => &to_nobody,
                    Factor => FACTOR,
                    NoIdentity => NO_IDENTITY,
                    NoPassword => NO_PASSWORD,
                };
                assert_eq!(said, expected, "{what}");
            }
        }
        // Else a gate that refuses everybody would pass.
        for gate in ["OptionalCustomer", "Registrant", "Customer", "Admin", "BearerIdentity", "BearerActor", "Session"] {
            assert!(let_in.get(gate).is_some_and(|count| *count > 1), "{gate} let nobody in: {let_in:?}");
        }
        server.stop().await;
    }
}

/// Elsewhere the gate would have to let in whom the workflow refuses, or the answer to a refusal would not be the gate's.
#[test]
fn only_what_everybody_may_call_leaves_the_look_up_to_its_workflow() {
    let left: Vec<_> = TABLE.iter().filter(|route| route.look_up == LookUp::InWorkflow).collect();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|route| route.gate == Gate::OptionalCustomer && !route.during_deletion));
}

/// What [`Verdicts`] says of these gates holds for the one row that each has; a second row needs a column of its own.
#[test]
fn gates_that_are_judged_with_their_row_have_one() {
    for gate in [Gate::BearerIdentity, Gate::BearerActor, Gate::Session, Gate::Registrant] {
        let rows: Vec<_> = TABLE.iter().filter(|route| route.gate == gate).map(|route| route.path).collect();
        assert_eq!(rows.len(), 1, "{gate:?} has {rows:?}");
    }
}
