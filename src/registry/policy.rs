//! Which hosts may be reached how: plain HTTP, redirects, and where a credential may go.

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

    fn lists(&self, host: &str, port: u16) -> bool {
        self.insecure.iter().any(|registry| registry.covers(host, port))
    }

    /// Whether a registry at `home` may send the daemon to another URL.
    ///
    /// # Errors
    /// A text for a scheme other than https (or http to a host that allows it), for a user in the URL, and for an
    /// address of this machine or its networks where the registry itself is not there: a registry on the Internet must
    /// not make the daemon knock at doors behind the firewall.
    pub fn may_visit(&self, home: &Url, target: &Url) -> Result<(), String> {
        let shown = shown(target);
        if !target.username().is_empty() || target.password().is_some() {
            return Err("a URL with a user name in it".to_owned());
        }
        let (Some(host), Some(port)) = (target.host_str(), target.port_or_known_default()) else {
            return Err(format!("{shown}, which has no host"));
        };
        if same_origin(home, target) {
            return Ok(());
        }
        if !self.lists(host, port) && is_private(host) && !home.host_str().is_some_and(is_private) {
            return Err(format!("{shown}, an address of a private network"));
        }
        match target.scheme() {
            "https" => Ok(()),
            "http" if self.allows_plain(host, port) => Ok(()),
            "http" => {
                Err(format!("{shown}, which is not encrypted, and {host} is not on the list of insecure registries"))
            }
            _ => Err(format!("{shown}, which is neither http nor https")),
        }
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

/// Whether a registry's token service may be given the registry's credential: it is the same host, or both are hosts of
/// one registered domain, such as `registry-1.docker.io` and `auth.docker.io`.
pub(super) fn same_site(a: &Url, b: &Url) -> bool {
    let (Some(a), Some(b)) = (a.host_str(), b.host_str()) else { return false };
    if same_host(a, b) {
        return true;
    }
    if address(a).is_some() || address(b).is_some() {
        return false;
    }
    registered_domain(a)
        .is_some_and(|domain| registered_domain(b).is_some_and(|other| domain.eq_ignore_ascii_case(other)))
}

/// The part of a host name that someone has registered, by the public suffix list, which also has the suffixes under
/// which tenants who do not know each other have their hosts: `example.co.uk`, `tenant.github.io`. `None` for a suffix
/// itself and for names of one label.
fn registered_domain(host: &str) -> Option<&str> {
    psl::domain_str(host.trim_end_matches('.'))
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

fn same_host(a: &str, b: &str) -> bool {
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
fn address(host: &str) -> Option<IpAddr> {
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

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

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

    #[test]
    fn a_registry_cannot_send_the_daemon_anywhere() {
        let policy = policy(["10.0.0.0/8"]);
        for (home, target, allowed) in [
            ("https://reg.example", "https://cdn.example/blob?sig=1", true),
            ("https://reg.example", "http://cdn.example/blob", false),
            ("https://reg.example", "http://reg.example/blob", false),
            ("https://reg.example", "https://169.254.169.254/latest", false),
            ("https://reg.example", "https://127.0.0.1/", false),
            ("https://reg.example", "http://127.0.0.1/", false),
            ("https://reg.example", "https://a.localhost/", false),
            ("https://reg.example", "https://[fe80::1]/", false),
            ("https://reg.example", "http://10.0.0.1/", true),
            ("https://reg.example", "https://user:pass@cdn.example/", false),
            ("https://reg.example", "ftp://cdn.example/", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/x", true),
            ("http://127.0.0.1:5000", "http://cdn.example/x", false),
        ] {
            assert_eq!(policy.may_visit(&url(home), &url(target)).is_ok(), allowed, "{home} to {target}");
        }
    }

    #[test]
    fn a_token_service_is_of_the_registrys_own_site() {
        for (registry, realm, same) in [
            ("https://registry-1.docker.io", "https://auth.docker.io/token", true),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
            ("https://reg.io", "https://reg.io.evil/token", false),
            ("https://reg.io", "https://evilreg.io/token", false),
            ("https://a.foo.co.uk", "https://b.foo.co.uk", true),
            ("https://foo.co.uk", "https://bar.co.uk", false),
            ("https://10.0.0.1:5000", "https://10.0.0.1:5001", true),
            ("https://10.0.0.1:5000", "https://11.0.0.1:5000", false),
            ("https://registry", "https://evil", false),
            ("https://registry.foo.io", "https://auth.foo.io", true),
            ("https://registry.corp.internal", "https://auth.corp.internal", true),
            ("https://registry.internal", "https://auth.internal", false),
            // Tenants of one host know nothing of each other.
            ("https://ann.github.io", "https://bob.github.io", false),
            ("https://registry.ann.github.io", "https://auth.ann.github.io", true),
            ("https://ann.github.io", "https://github.io", false),
            ("https://ann.blob.core.windows.net", "https://bob.blob.core.windows.net", false),
            ("https://ann.herokuapp.com", "https://bob.herokuapp.com", false),
            ("https://ann.ngrok.io", "https://bob.ngrok.io", false),
            ("https://co.uk", "https://foo.co.uk", false),
            ("https://[2001:db8::1]", "https://[2001:db8::2]", false),
            ("https://1.2.3.4.example", "https://9.2.3.4.example", true),
        ] {
            assert_eq!(same_site(&url(registry), &url(realm)), same, "{registry} and {realm}");
        }
    }
}
