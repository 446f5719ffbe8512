//! From the domain of a name to the URL of its registry.

use reqwest::Url;

use super::policy::same_origin;
use crate::domain::error::{Error, Result};

/// The domain of names without one.
pub(super) const HUB_NAME: &str = "docker.io";
/// The host that serves them.
pub(super) const HUB_HOST: &str = "registry-1.docker.io";
/// Every host that is Docker Hub, as clients and credential stores write it.
const HUB_HOSTS: [&str; 5] = [HUB_NAME, "index.docker.io", HUB_HOST, "registry.hub.docker.com", "hub.docker.com"];

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

/// The https URL of the registry that a client's `serveraddress` names: a host with or without port, or a URL, of which
/// scheme and path are ignored, as Docker ignores them. Empty is Docker Hub.
///
/// # Errors
/// `InvalidArgument` where it is neither.
pub(super) fn url_of_server(server: &str) -> Result<Url> {
    let server = server.trim();
    let host = match server.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest.split('/').next().unwrap_or_default()
        }
        Some(_) => server,
        None => server.split('/').next().unwrap_or_default(),
    };
    let url = url_of(if host.is_empty() { HUB_NAME } else { host })?;
    if is_hub(&url) { url_of(HUB_NAME) } else { Ok(url) }
}

/// Whether two registries' URLs are of one registry: the same host and port, or two names of Docker Hub.
pub(super) fn same_registry(a: &Url, b: &Url) -> bool {
    same_origin(a, b) || (is_hub(a) && is_hub(b))
}

/// A URL's host, with the port where that is not the usual one.
pub(super) fn shown_host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

fn is_hub(url: &Url) -> bool {
    url.port().is_none() && url.host_str().is_some_and(|host| HUB_HOSTS.contains(&host))
}

/// A mirror's URL, ending with a slash and without the `/v2` that requests begin with.
///
/// # Errors
/// `InvalidArgument` where it is no http or https URL of a host, or holds a user, query or fragment.
pub(super) fn mirror(text: &str) -> Result<Url> {
    let bare = text.trim_end_matches('/');
    let bare = bare.strip_suffix("/v2").unwrap_or(bare).trim_end_matches('/');
    let url = Url::parse(&format!("{bare}/")).ok().filter(|url| {
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
    fn a_mirror_may_end_with_the_path_of_the_protocol() {
        for (text, url) in [
            ("https://m.example", "https://m.example/"),
            ("https://m.example/v2", "https://m.example/"),
            ("https://m.example/v2/", "https://m.example/"),
            ("http://m.example:5000/proxy/v2", "http://m.example:5000/proxy/"),
            ("https://m.example/xv2", "https://m.example/xv2/"),
        ] {
            assert_eq!(mirror(text).unwrap().as_str(), url);
        }
        for text in ["https://u@m.example", "ftp://m.example", "m.example", "https://m.example/?x", "v2", "/v2"] {
            assert!(mirror(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_address_names_a_registry() {
        for (server, url) in [
            ("", "https://registry-1.docker.io/"),
            ("https://index.docker.io/v1/", "https://registry-1.docker.io/"),
            ("Index.Docker.IO", "https://registry-1.docker.io/"),
            ("registry.hub.docker.com", "https://registry-1.docker.io/"),
            ("docker.io:5000", "https://docker.io:5000/"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000/"),
            ("HTTPS://reg.example", "https://reg.example/"),
            ("http://reg.example:5000/v2/", "https://reg.example:5000/"),
        ] {
            assert_eq!(url_of_server(server).unwrap().as_str(), url);
        }
        for server in ["https://user:pass@reg.example", "ftp://reg.example", "reg example"] {
            assert!(url_of_server(server).is_err(), "{server}");
        }
    }
}
