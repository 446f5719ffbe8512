//! From the domain of a name to the URL of its registry.

use reqwest::Url;

use crate::domain::error::{Error, Result};

/// The domain of names without one.
pub(super) const HUB_NAME: &str = "docker.io";
/// The host that serves them.
pub(super) const HUB_HOST: &str = "registry-1.docker.io";
/// What clients write for Docker Hub where they log in.
const HUB_LOGINS: [&str; 4] = [HUB_NAME, "index.docker.io", HUB_HOST, ""];

/// The https URL of the registry that serves a domain.
///
/// # Errors
/// `InvalidArgument` where the domain is no host.
pub(super) fn url_of(domain: &str) -> Result<Url> {
    let host = if domain == HUB_NAME { HUB_HOST } else { domain };
    let url = Url::parse(&format!("https://{host}/")).ok().filter(|url| {
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        bare && url.host_str().is_some() && url.username().is_empty() && url.password().is_none()
    });
    url.ok_or_else(|| Error::invalid(format!("invalid registry {domain:?}")))
}

/// The URL of the registry that a client logs in to: a host with or without port, or a URL whose path is not looked at.
///
/// # Errors
/// `InvalidArgument` where it is neither.
pub(super) fn url_of_login(server: &str) -> Result<Url> {
    let server = server.trim();
    let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or(server);
    let host = host.split('/').next().unwrap_or_default();
    url_of(if HUB_LOGINS.contains(&host) { HUB_NAME } else { host })
}

/// A mirror's URL, ending with a slash.
///
/// # Errors
/// `InvalidArgument` where it is no http or https URL of a host, or holds a user, query or fragment.
pub(super) fn mirror(text: &str) -> Result<Url> {
    let url = Url::parse(&format!("{}/", text.trim_end_matches('/'))).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        plain && url.password().is_none() && matches!(url.scheme(), "http" | "https") && url.host_str().is_some()
    });
    url.ok_or_else(|| Error::invalid("invalid registry mirror: write http://HOST or https://HOST, without a user"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_become_urls() {
        for (domain, url) in [
            ("docker.io", "https://registry-1.docker.io/"),
            ("reg.example:5000", "https://reg.example:5000/"),
            ("[::1]:5000", "https://[::1]:5000/"),
            ("localhost", "https://localhost/"),
        ] {
            assert_eq!(url_of(domain).unwrap().as_str(), url);
        }
        for domain in ["", "a b", "user@host", "host/path", "host?x", "host:99999"] {
            assert!(url_of(domain).is_err(), "{domain}");
        }
    }

    #[test]
    fn a_login_is_for_a_host() {
        for (server, url) in [
            ("", "https://registry-1.docker.io/"),
            ("https://index.docker.io/v1/", "https://registry-1.docker.io/"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/"),
            ("http://reg.example:5000/v2/", "https://reg.example:5000/"),
        ] {
            assert_eq!(url_of_login(server).unwrap().as_str(), url);
        }
        assert!(url_of_login("https://user:pass@reg.example").is_err());
    }
}
