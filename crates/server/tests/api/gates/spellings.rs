//! One route has many spellings. Whoever finds one that this server does not take for the route, and something behind it does, goes
//! around the gate.

use http::Method;

use super::{Gate, rows};
use crate::stage::{request, schedule_deletion, stage, told, verified};

/// An upstream that nobody answers at: what would go through comes back as 502.
const GATEWAY: &str = "[gateway]\nupstream = \"http://127.0.0.1:9\"\n\n[options]\n";

/// A path as clients, proxies and frameworks might write it and still mean the same.
fn spellings(path: &str) -> Vec<String> {
    let (start, last) = path.rsplit_once('/').unwrap();
    let (letter, rest) = last.split_at(1);
    let code = letter.as_bytes()[0];
    let mut all = vec![
        path.to_owned(),
        path.to_uppercase(),
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("{start}//{last}"),
        format!("{start}/./{last}"),
        format!("{start}/x/../{last}"),
        format!("{path}/x/.."),
        format!("/x/..{path}"),
        format!("{start}/x/%2e%2e/{last}"),
        format!("{start}/%{code:02x}{rest}"),
        format!("{start}/%25{code:02x}{rest}"),
        format!("{start}%2f{last}"),
        format!("{start}\\{last}"),
        format!("{start}%5C{last}"),
        format!("{path};x=1"),
        format!("{start};x=1/{last}"),
        format!("{path}/."),
        format!("{path}%2f"),
        format!("{path}%20"),
        format!("{path}%09"),
        format!("{path}?x=/.."),
    ];
    // Without a slash at its begin it is no request at all.
    all.retain(|spelling| spelling.starts_with('/'));
    all
}

cr_testkit::both! {
    /// Medusa has routes of the same names, without our limits and our guard.
    async fn no_spelling_of_a_route_goes_around_its_gate(database: TestDatabase) {
        let (server, _) = stage(&database, &[]).await;
        let leaving = verified(&server).await;
        schedule_deletion(&database, &leaving.id).await;
        server.stop().await;
        let bearer = format!("Bearer {}", leaving.login);
        for edits in [&[][..], &[("[options]\n", GATEWAY)]] {
            let (server, _) = stage(&database, edits).await;
            // What is no route of ours does go through, where there is a way.
            let other = server.get("/custom/x", None).await;
            assert_eq!(other.status.as_u16(), if edits.is_empty() { 404 } else { 502 });
            for target in rows() {
                for path in spellings(&target.path) {
                    let method = || target.method.clone();
                    let twin = (target.method == Method::GET).then_some(Method::HEAD);
                    for method in [Some(method()), twin].into_iter().flatten() {
                        for headers in [&[][..], &[("authorization", bearer.as_str())]] {
                            let answer = server.raw(request(method.clone(), &path, headers, None)).await;
                            let said = told(&answer);
                            let what = format!("{method} {path} {} at gateway {}: {said}", headers.len(), !edits.is_empty());
                            assert_ne!(answer.status.as_u16(), 502, "{what}");
                            if matches!(target.gate, Gate::Public | Gate::OptionalCustomer) || target.during_deletion {
                                continue;
                            }
                            assert!([401, 403, 404].contains(&answer.status.as_u16()), "{what}");
                        }
                    }
                }
            }
            server.stop().await;
        }
    }
}
