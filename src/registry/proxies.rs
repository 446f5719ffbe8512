//! The proxies on the way to a registry, and the hosts that are reached without, as Go's clients read them.

use ipnet::IpNet;

use super::policy::{address, is_loopback};

/// Proxies as the usual environment variables name them. The loopback is always reached directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` URLs.
    pub http: Option<String>,
    /// For `https` URLs.
    pub https: Option<String>,
    /// Hosts to be reached directly, separated by commas: a name with its subdomains, `.NAME` or `*.NAME` for the
    /// subdomains alone, an address, each with an optional port; a CIDR; or `*`.
    pub none: Option<String>,
}

impl Proxies {
    /// Takes `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or their names in lower case, from an environment.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            [name.to_owned(), name.to_lowercase()]
                .iter()
                .find_map(|name| variable(name).filter(|text| !text.is_empty()))
        };
        Self { http: either("HTTP_PROXY"), https: either("HTTPS_PROXY"), none: either("NO_PROXY") }
    }

    /// The same, with what it does not say taken from another.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { http: self.http.or(other.http), https: self.https.or(other.https), none: self.none.or(other.none) }
    }

    /// The proxies on the way to a host, which are none where it is to be reached directly.
    pub(super) fn to(&self, host: &str, port: u16) -> Self {
        match is_loopback(host) || self.skips(host, port) {
            true => Self::default(),
            false => Self { http: self.http.clone(), https: self.https.clone(), none: None },
        }
    }

    fn skips(&self, host: &str, port: u16) -> bool {
        let entries = self.none.as_deref().unwrap_or_default().split(',').map(str::trim);
        entries.filter(|entry| !entry.is_empty()).any(|entry| covers(&entry.to_lowercase(), host, port))
    }
}

/// Whether an entry of the list is about a host on a port.
fn covers(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    let host_address = address(host);
    if let Ok(network) = entry.parse::<IpNet>() {
        return host_address.is_some_and(|address| network.contains(&address));
    }
    let (name, only) = with_port(entry);
    if only.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    match (address(name), host_address) {
        (Some(entry), Some(host)) => entry == host,
        (None, None) => {
            let host = host.trim_end_matches('.').to_lowercase();
            let name =
                name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name).trim_end_matches('.');
            match name.strip_prefix('.') {
                Some(domain) => is_below(&host, domain),
                None => !name.is_empty() && (host == name || is_below(&host, name)),
            }
        }
        _ => false,
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    !domain.is_empty() && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// The host and the port of `HOST:PORT`; an address of IPv6 with a port has brackets.
fn with_port(entry: &str) -> (&str, Option<&str>) {
    match entry.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_hosts_without_a_proxy_is_read_as_go_reads_it() {
        for (list, host, port, direct) in [
            ("reg.test:5000", "reg.test", 5000, true),
            ("reg.test:443", "reg.test", 5000, false),
            ("reg.test", "reg.test", 5000, true),
            ("reg.test", "a.reg.test", 5000, true),
            ("reg.test", "areg.test", 5000, false),
            ("REG.test", "reg.TEST", 443, true),
            ("*.test", "reg.test", 5000, true),
            ("*.test", "test", 5000, false),
            (".test", "a.reg.test", 443, true),
            (".reg.test", "reg.test", 443, false),
            (".test:443", "reg.test", 443, true),
            (".test:443", "reg.test", 5000, false),
            ("192.0.2.7", "192.0.2.7", 1, true),
            ("192.0.2.7:5000", "192.0.2.7", 5000, true),
            ("192.0.2.7:5000", "192.0.2.7", 443, false),
            ("192.0.2.0/24", "192.0.2.7", 443, true),
            ("192.0.2.0/24", "192.0.3.7", 443, false),
            ("2001:db8::1", "[2001:db8::1]", 443, true),
            ("[2001:db8::1]:5000", "[2001:db8::1]", 5000, true),
            ("[2001:db8::1]:5000", "[2001:db8::1]", 443, false),
            ("fd00::/8", "[fd00::1]", 443, true),
            ("*", "anything.example", 443, true),
            ("a.example, b.example ,,", "b.example", 443, true),
            ("a.example b.example", "b.example", 443, false),
            ("192.0.2.7", "reg.test", 443, false),
            (".", "reg.test", 443, false),
            ("", "reg.test", 443, false),
            ("", "localhost", 443, true),
            ("", "127.3.2.1", 443, true),
        ] {
            let proxies = Proxies { http: Some("http://p".into()), https: None, none: Some(list.into()) };
            assert_eq!(proxies.to(host, port).http.is_none(), direct, "{list} for {host}:{port}");
        }
    }
}
