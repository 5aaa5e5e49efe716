//! Whose request this is: the peer, or whom a trusted proxy names. What limits count by depends on it, so a header is
//! believed only as far as trusted hops vouch for it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;
use ipnet::IpNet;

/// Where a neighbour's address lies, which may well be a proxy: loopback, RFC 1918, RFC 6598, link-local, RFC 4193.
const PRIVATE: [&str; 9] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];

/// `http.trustProxy`, and what was warned about already.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    warned_unnamed: AtomicBool,
    warned_untrusted: AtomicBool,
}

/// What is known about where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client; `None` when a trusted proxy did not name one.
    pub address: Option<IpAddr>,
    /// Whether a trusted proxy said that the client came by TLS.
    pub secure: bool,
}

impl TrustedProxies {
    /// From the blocks that `http.trustProxy` comes to.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, ..Self::default() }
    }

    /// Judges a request by its peer and its `X-Forwarded-For` and `X-Forwarded-Proto`. Warns once a process where the
    /// configuration looks wrong.
    pub fn origin(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Origin {
        let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else {
            return Origin { address: None, secure: false };
        };
        let forwarded = headers.contains_key("x-forwarded-for");
        if !self.trusts(peer) {
            if forwarded && is_private(peer) && !self.warned_untrusted.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "Ignored `X-Forwarded-For` from a private address that `http.trustProxy` does not name; if that is your \
                     proxy, add its network there"
                );
            }
            return Origin { address: Some(peer), secure: false };
        }
        let secure = last_entry(headers, "x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        let address = self.rightmost_untrusted(headers);
        if address.is_none() && !self.warned_unnamed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "A peer that `http.trustProxy` names sent no usable `X-Forwarded-For`; its requests have no address limit"
            );
        }
        Origin { address, secure }
    }

    /// Walks the hops from the nearest outwards up to the first that is not trusted; if all are, the outermost counts. An
    /// entry that is no address ends the walk without an answer, since nobody vouches for what stands left of it.
    fn rightmost_untrusted(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut outermost = None;
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            for entry in value.to_str().ok()?.rsplit(',') {
                let address = parse_hop(entry)?;
                if !self.trusts(address) {
                    return Some(address);
                }
                outermost = Some(address);
            }
        }
        outermost
    }

    /// Whether an address is in one of the networks.
    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// What a limit counts an address by: IPv4 whole, IPv6 its /64, since one subscriber holds at least that much.
pub fn limiter_key(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// One `X-Forwarded-For` entry: an address, with or without a port, IPv6 with or without brackets.
fn parse_hop(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse::<IpAddr>().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

/// The entry that the nearest hop wrote into a comma-separated header.
fn last_entry<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

/// Whether an address is one that only a neighbour has.
fn is_private(address: IpAddr) -> bool {
    PRIVATE.iter().filter_map(|network| network.parse::<IpNet>().ok()).any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn origin_of(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        let proxies = proxies(trusted);
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        proxies.origin(Some(peer), &headers).address.map(|address| address.to_string())
    }

    /// A visitor who can choose the address that limits count by has no limits.
    #[test]
    fn the_client_is_the_rightmost_hop_that_is_not_trusted() {
        for (name, trusted, peer, forwarded, client) in [
            ("direct", &LOOPBACK[..], "203.0.113.9", &[][..], Some("203.0.113.9")),
            ("direct, forged header", &LOOPBACK, "203.0.113.9", &["1.1.1.1"], Some("203.0.113.9")),
            ("one proxy", &LOOPBACK, "127.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            ("one proxy, forged left part", &LOOPBACK, "127.0.0.1", &["1.1.1.1, 203.0.113.9"], Some("203.0.113.9")),
            ("two proxies", &PRIVATE, "127.0.0.1", &["203.0.113.9, 10.0.0.2"], Some("203.0.113.9")),
            ("two header lines", &PRIVATE, "::1", &["203.0.113.9", "10.0.0.2"], Some("203.0.113.9")),
            ("all trusted", &PRIVATE, "10.0.0.1", &["10.0.0.9, 10.0.0.2"], Some("10.0.0.9")),
            ("no header", &LOOPBACK, "127.0.0.1", &[], None),
            ("no address", &LOOPBACK, "127.0.0.1", &["1.1.1.1, unknown"], None),
            ("ports", &LOOPBACK, "127.0.0.1", &["203.0.113.9:4711"], Some("203.0.113.9")),
            ("IPv6 with port", &LOOPBACK, "127.0.0.1", &["[2001:db8::1]:4711"], Some("2001:db8::1")),
            ("IPv6 in brackets", &LOOPBACK, "127.0.0.1", &["[2001:db8::1]"], Some("2001:db8::1")),
            ("mapped peer", &LOOPBACK, "::ffff:127.0.0.1", &["203.0.113.9"], Some("203.0.113.9")),
            ("single address", &["198.51.100.4/32"], "198.51.100.4", &["203.0.113.9"], Some("203.0.113.9")),
            ("nobody trusted", &[], "127.0.0.1", &["203.0.113.9"], Some("127.0.0.1")),
        ] {
            assert_eq!(origin_of(trusted, peer, forwarded).as_deref(), client, "{name}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_makes_a_request_secure() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-proto"),
            HeaderValue::from_static("http, https"),
        )]);
        let proxies = proxies(&LOOPBACK);
        for (peer, secure) in [("127.0.0.1:1", true), ("203.0.113.9:1", false)] {
            assert_eq!(proxies.origin(Some(peer.parse().unwrap()), &headers).secure, secure, "{peer}");
        }
    }

    #[test]
    fn limits_count_an_ipv6_network_as_one() {
        for (address, key) in [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(limiter_key(address.parse().unwrap()), key, "{address}");
        }
    }
}
