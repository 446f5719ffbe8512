//! Which hosts may be reached without TLS, and what a host is as far as its name says.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use reqwest::Url;

use crate::domain::error::{Error, Result};

/// A registry that may be reached without TLS, or with a certificate that does not check: `host`, `host:port`, or a CIDR,
/// which covers addresses as they stand in names. Shown as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsecureRegistry {
    text: String,
    covers: Covers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Covers {
    Network(IpNet),
    Host { name: String, port: Option<u16> },
}

/// The hosts that may be reached without TLS, and what follows from it.
pub(super) struct Policy {
    insecure: Vec<InsecureRegistry>,
}

impl Policy {
    pub fn new(insecure: Vec<InsecureRegistry>) -> Self {
        Self { insecure }
    }

    /// Whether a host may be reached without TLS, or with a certificate that does not check: it is listed, or is this
    /// machine. Names are not resolved for that, so no answer of a name server turns TLS off.
    pub fn allows_plain(&self, host: &str, port: u16) -> bool {
        self.lists(host, port) || is_loopback(host)
    }

    /// Whether a host is on the list.
    pub fn lists(&self, host: &str, port: u16) -> bool {
        self.insecure.iter().any(|registry| registry.covers(host, port))
    }
}

impl InsecureRegistry {
    fn covers(&self, host: &str, port: u16) -> bool {
        match &self.covers {
            Covers::Network(network) => address(host).is_some_and(|address| network.contains(&address)),
            Covers::Host { name, port: Some(own) } => *own == port && same_host(name, host),
            Covers::Host { name, port: None } => matches!(port, 80 | 443) && same_host(name, host),
        }
    }
}

impl FromStr for InsecureRegistry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: &str| Error::invalid(format!("invalid insecure registry {text:?}: {why}"));
        if text.contains("://") {
            return Err(refused("write HOST[:PORT] without a scheme"));
        }
        let covers = if let Some((address, _)) = text.split_once('/') {
            if address.parse::<IpAddr>().is_err() {
                return Err(refused("write HOST[:PORT] or a CIDR, without a path"));
            }
            let network = text.parse::<IpNet>();
            Covers::Network(network.map_err(|_| refused("the prefix length of the CIDR is out of range"))?)
        } else {
            let authority: http::uri::Authority =
                text.parse().map_err(|cause| refused("write HOST[:PORT] or a CIDR").with_cause(cause))?;
            if text.contains('@') {
                return Err(refused("write HOST[:PORT] without a user"));
            }
            if authority.host().is_empty() {
                return Err(refused("the host is missing"));
            }
            let port = authority.port_u16();
            if port.is_none() && text != authority.host() {
                return Err(refused("the port is not a number up to 65535"));
            }
            Covers::Host { name: authority.host().to_owned(), port }
        };
        Ok(Self { text: text.to_owned(), covers })
    }
}

impl fmt::Display for InsecureRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether two URLs have one scheme, host and port: then, and only then, what is for one may be sent to the other.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.port_or_known_default() == b.port_or_known_default()
}

/// A URL as it may be shown: without user, query and fragment, which may hold a signature.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // These fail for URLs that cannot have a user.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

/// Whether two hosts are one: the same address, or the same name.
pub(super) fn same_host(a: &str, b: &str) -> bool {
    match (address(a), address(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a.trim_end_matches('.').eq_ignore_ascii_case(b.trim_end_matches('.')),
    }
}

/// Whether a host is this machine, as far as its name says.
pub(super) fn is_loopback(host: &str) -> bool {
    address(host).map_or_else(|| is_localhost(host), |address| address.is_loopback())
}

fn is_localhost(host: &str) -> bool {
    same_host(host, "localhost")
}

/// The address that a host is, with or without brackets.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether a host is this machine, or an address that is not routed on the Internet.
pub(super) fn is_private(host: &str) -> bool {
    match address(host) {
        None => is_localhost(host) || host.to_ascii_lowercase().trim_end_matches('.').ends_with(".localhost"),
        Some(IpAddr::V4(v4)) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.octets()[0] == 0 || shared
        }
        Some(IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy<const N: usize>(insecure: [&str; N]) -> Policy {
        Policy::new(insecure.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn only_listed_hosts_and_this_machine_may_do_without_tls() {
        let policy = policy(["reg.example:5000", "plain.example", "10.1.0.0/16", "fd00::/8", "[2001:db8::1]:80"]);
        for (host, port, allowed) in [
            ("reg.example", 5000, true),
            ("REG.example.", 5000, true),
            ("reg.example", 5001, false),
            ("reg.example.evil", 5000, false),
            ("notreg.example", 5000, false),
            ("plain.example", 443, true),
            ("plain.example", 5000, false),
            ("10.1.255.3", 1, true),
            ("10.2.0.1", 1, false),
            ("[::ffff:10.1.0.1]", 1, true),
            ("[fd12::1]", 1, true),
            ("[2001:db8::1]", 80, true),
            ("localhost", 5000, true),
            ("127.9.9.9", 5000, true),
            ("[::1]", 5000, true),
            ("localhost.evil", 5000, false),
            ("127.0.0.1.evil", 5000, false),
            ("8.8.8.8", 443, false),
        ] {
            assert_eq!(policy.allows_plain(host, port), allowed, "{host}:{port}");
        }
    }

    #[test]
    fn an_insecure_registry_is_a_host_or_a_network_and_shown_as_it_was_written() {
        for text in ["localhost", "Reg.example:5000", "10.1.2.3/8", "fd00::/8", "[::1]:5000", "[::1]", "0.0.0.0/0"] {
            assert_eq!(text.parse::<InsecureRegistry>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("http://a", "without a scheme"),
            ("a/b", "without a path"),
            ("10.0.0.0/33", "out of range"),
            ("10.0.0.0/", "out of range"),
            ("fd00::/129", "out of range"),
            ("u:p@a", "without a user"),
            ("", "HOST[:PORT]"),
            ("a b", "HOST[:PORT]"),
            (":5000", "host is missing"),
            ("host:99999", "not a number"),
            ("host:port", "not a number"),
            ("host:", "not a number"),
        ] {
            let error = text.parse::<InsecureRegistry>().unwrap_err();
            assert!(error.public().starts_with("invalid insecure registry") && error.public().contains(why), "{error}");
        }
    }
}
