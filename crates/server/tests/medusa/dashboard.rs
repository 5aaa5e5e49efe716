//! Medusa's own dashboard, through the gateway, in a real browser.

use std::path::Path;

use cr_testkit::real_medusa::ADMINISTRATOR;

use crate::shop::Side::There;
use crate::shop::open;

crate::each_version! {
    /// An administrator could not do their work once this server stands in front.
    async fn the_dashboard_works_through_the_gateway(version: Version) {
        let shop = open(version).await;
        shop.customer(There, "ann@example.com").await;
        let screenshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/screenshots");
        let [email, password] = ADMINISTRATOR;
        let variables = [
            ("BASE_URL", shop.server.url.as_str()),
            ("ADMIN_EMAIL", email),
            ("ADMIN_PASSWORD", password),
            ("CUSTOMER_EMAIL", "ann@example.com"),
            ("MEDUSA_VERSION", version.number()),
            ("SCREENSHOTS", screenshots.to_str().unwrap()),
        ];
        let told = cr_testkit::node::run("dashboard.mjs", &variables).await;
        let steps: Vec<&str> = told.lines().collect();
        assert_eq!(steps, [
            r#"{"step":"sign in"}"#,
            r#"{"step":"customers"}"#,
            r#"{"step":"edit"}"#,
            r#"{"step":"reload"}"#,
            r#"{"step":"sign out"}"#,
        ]);
        shop.close().await;
    }
}
