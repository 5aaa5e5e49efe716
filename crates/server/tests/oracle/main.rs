//! What was recorded of Medusa 2.11.2 is replayed against this server; `oracle/deviations.toml` lists where it answers otherwise, and
//! anything else that differs fails. The same through the gateway with a real Medusa behind it, and `oracle/gateway.toml`.

#![cfg(test)]

mod client;
mod compare;
mod deviations;
mod instrument;
mod normalise;
mod recorded;
mod replay;
mod rules;
#[path = "../support/mod.rs"]
mod support;
mod through;
mod tokens;
mod transcript;

use cr_testkit::real_medusa::Version;
use deviations::Plan;

/// A deviation that names a step which is not there, or that says what Medusa says anyway, would hide nothing and mislead everybody.
#[test]
fn every_listed_deviation_is_one() {
    let problems = Plan::load().problems(&transcript::load());
    assert!(problems.is_empty(), "oracle/deviations.toml:\n{}", problems.join("\n"));
    for version in [Version::Pinned, Version::Newest] {
        let problems = Plan::load_gateway(version).problems(&transcript::load());
        assert!(problems.is_empty(), "gateway, {version:?}:\n{}", problems.join("\n"));
    }
}
