//! The npm package's helpers against this server, by plain fetch and by the real Medusa JS SDK.

use cr_core::env::Env;
use cr_core::workflows::create_api_key::{self, ApiKeyType};
use cr_testkit::TestDatabase;
use serde_json::json;

use crate::support::{CHEAP, DEVELOPMENT, TestServer};

/// The development configuration without verification, so that a password is all that a login wants.
fn configuration() -> String {
    DEVELOPMENT.replace(
        "identifier = \"both\"\n\n[options.login]",
        "identifier = \"both\"\nrequire_verification = false\n\n[options.login]",
    )
}

/// What a script prints that resets the password of Ada by e-mail and of Bob by phone.
async fn with_two_people(database: &TestDatabase, config: &str, script: &str) -> String {
    let server = TestServer::start(database, config, &[], Env::system(), CHEAP).await;
    let key = create_api_key::run(&server.app, ApiKeyType::Publishable, "storefront").await.unwrap();
    // Two people: a reset of a contact that was never proven clears the other one.
    for (email, phone) in [("ada@example.com", "+15550000001"), ("bob@example.com", "+15551234567")] {
        let token = server.register(email).await;
        let body = json!({"email": email, "phone": phone});
        assert_eq!(server.post("/store/customers", Some(&token), body).await.status.as_u16(), 200);
    }
    let variables = [
        ("BASE_URL", server.url.as_str()),
        ("PUBLISHABLE_KEY", key.as_str()),
        ("EMAIL", "ada@example.com"),
        ("PHONE", "+15551234567"),
    ];
    let printed = cr_testkit::node::run(script, &variables).await;
    server.stop().await;
    printed
}

cr_testkit::both! {
    /// A storefront that uses the helpers as their page says would not reset a password.
    async fn the_helpers_reset_a_password_by_fetch_and_by_the_sdk(database: TestDatabase) {
        let printed = with_two_people(&database, &configuration(), "helpers.mjs").await;
        let steps: Vec<&str> = printed.lines().collect();
        assert_eq!(steps, [
            r#"{"mode":"fetch","step":"reset"}"#,
            r#"{"mode":"sdk","step":"reset"}"#,
            r#"{"mode":"fetch","step":"refused"}"#,
            r#"{"mode":"sdk","step":"refused"}"#,
            r#"{"mode":"none","step":"refused"}"#,
        ]);
    }
}

cr_testkit::both! {
    /// The same in a page: another origin, a real browser, the bundle that a storefront would ship.
    async fn the_helpers_reset_a_password_in_a_page(database: TestDatabase) {
        // Any port of this machine, since the page's is not known before.
        let origins = r#"trustProxy = []
storeCors = "/^http:\/\/127\.0\.0\.1:\d+$/"
authCors = "/^http:\/\/127\.0\.0\.1:\d+$/""#.replace('\\', "\\\\");
        let config = configuration().replace("trustProxy = []", &origins);
        let printed = with_two_people(&database, &config, "helpers-in-browser.mjs").await;
        let steps: Vec<&str> = printed.lines().collect();
        assert_eq!(steps, [r#"{"mode":"fetch","step":"reset in a page"}"#, r#"{"mode":"sdk","step":"reset in a page"}"#]);
    }
}

/// A storefront in TypeScript would not compile, or would compile what the server refuses.
#[test]
fn the_types_take_what_is_right_and_nothing_else() {
    let printed = cr_testkit::run(cr_testkit::node::run("types.mjs", &[]));
    let projects: Vec<&str> = printed.lines().collect();
    assert_eq!(
        projects,
        [
            r#"{"project":"types/tsconfig.json","step":"compiled"}"#,
            r#"{"project":"types/tsconfig.node.json","step":"compiled"}"#,
        ]
    );
}
