//! What a registry may name: where else it may send the daemon, and what goes along.
//!
//! A registry speaks of itself and of others in token services, redirects, upload locations, next pages and the URLs of
//! foreign layers. Each of these passes here. What can be read as something safe is changed to that: an `http` URL of a
//! registry that is reached over https, a next page under another name. The rest is refused with a reason. The table of
//! all rules is in `docs/registries.md`.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use super::hosts::{same_registry, url_of_server};
use super::policy::{Policy, address, is_private, same_host, same_origin, shown};
use crate::domain::error::{Error, Result};

/// A token service that may have a registry's credential although it is of another domain: `REGISTRY=HOST`, each with an
/// optional port. Shown as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenService {
    text: String,
    registry: Url,
    service: Url,
}

/// The rules for everything that a registry names.
pub(super) struct Naming {
    pub policy: Policy,
    token_services: Vec<TokenService>,
}

/// A token service that a registry may use.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Realm {
    pub url: Url,
    /// Whether it may have the registry's credential. Others are asked for what anyone gets.
    pub own: bool,
}

impl Naming {
    pub fn new(policy: Policy, token_services: Vec<TokenService>) -> Self {
        Self { policy, token_services }
    }

    /// Where an answer at `at` to a request to `home` sends it on to: a redirect, or the place of an upload.
    ///
    /// # Errors
    /// What is wrong with the place, to be put after `… redirects to`.
    pub fn place(&self, home: &Url, at: &Url, location: &str) -> Result<Url, String> {
        let next = at.join(location).map_err(|_| "something that is no URL".to_owned())?;
        let next = secured(home, next);
        self.may_visit(home, &next)?;
        Ok(next)
    }

    /// The next page of a list that was read at `at` from the registry at `base`. Its path and query are asked for where the
    /// list was read, whatever name and scheme the registry gives itself.
    ///
    /// # Errors
    /// As [`Naming::place`].
    pub fn next_page(&self, base: &Url, at: &Url, link: &str) -> Result<Url, String> {
        let next = at.join(link).map_err(|_| "something that is no URL".to_owned())?;
        if !matches!(next.scheme(), "http" | "https") {
            return Err(format!("{}, which is neither http nor https", shown(&next)));
        }
        if same_origin(at, &next) {
            self.may_visit(at, &next)?;
            return Ok(next);
        }
        let mut own = at.clone();
        match next.path().strip_prefix('/') {
            // Whoever speaks of the registry behind a mirror does not know the mirror's own path.
            Some(rest) if same_origin(base, at) && rest.starts_with("v2/") && !next.path().starts_with(base.path()) => {
                own.set_path(&format!("{}{rest}", base.path()));
            }
            _ => own.set_path(next.path()),
        }
        own.set_query(next.query());
        own.set_fragment(None);
        Ok(own)
    }

    /// The token service that the registry at `home` names.
    ///
    /// # Errors
    /// What is wrong with it, to be put after `its token service is`.
    pub fn realm(&self, home: &Url, realm: &str) -> Result<Realm, String> {
        let url = Url::parse(realm).map_err(|_| "no URL".to_owned())?;
        let url = secured(home, url);
        self.may_visit(home, &url)?;
        // Tokens over a bare wire only for a registry that itself is on one.
        if url.scheme() != "https" && home.scheme() == "https" {
            return Err(format!("{}, which is not encrypted", shown(&url)));
        }
        let own = same_site(home, &url) || self.token_services.iter().any(|allowed| allowed.covers(home, &url));
        Ok(Realm { url, own })
    }

    /// A URL at which a layer is said to be that the registry at `home` does not serve itself.
    ///
    /// # Errors
    /// As [`Naming::place`].
    pub fn foreign(&self, home: &Url, url: &str) -> Result<Url, String> {
        let url = Url::parse(url).map_err(|_| "something that is no URL".to_owned())?;
        self.may_visit(home, &url)?;
        Ok(url)
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
        if !self.policy.lists(host, port) && is_private(host) && !home.host_str().is_some_and(is_private) {
            return Err(format!("{shown}, an address of a private network"));
        }
        match target.scheme() {
            "https" => Ok(()),
            "http" if self.policy.allows_plain(host, port) => Ok(()),
            "http" => {
                Err(format!("{shown}, which is not encrypted, and {host} is not on the list of insecure registries"))
            }
            _ => Err(format!("{shown}, which is neither http nor https")),
        }
    }
}

impl TokenService {
    fn covers(&self, registry: &Url, service: &Url) -> bool {
        let same = |a: &Url, b: &Url| a.host_str() == b.host_str() && port(a) == port(b);
        // Without a port, the usual one of the scheme.
        fn port(url: &Url) -> Option<u16> {
            url.port().or_else(|| (!matches!(url.port_or_known_default(), Some(80 | 443))).then_some(0))
        }
        let of_registry = same(&self.registry, registry) || same_registry(&self.registry, registry);
        of_registry && same(&self.service, service)
    }
}

impl FromStr for TokenService {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::invalid(format!("invalid token service {text:?}: write REGISTRY=HOST"));
        let (registry, service) = text.split_once('=').ok_or_else(refused)?;
        if registry.is_empty() || service.is_empty() || text.contains('/') {
            return Err(refused());
        }
        let registry = url_of_server(registry).map_err(|cause| refused().with_cause(cause))?;
        let service = Url::parse(&format!("https://{service}/")).map_err(|cause| refused().with_cause(cause))?;
        if !service.username().is_empty() || service.query().is_some() || service.fragment().is_some() {
            return Err(refused());
        }
        Ok(Self { text: text.to_owned(), registry, service })
    }
}

impl fmt::Display for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a registry says of itself, over TLS where it is reached so: one behind a proxy that ends TLS often does not know of
/// it.
fn secured(home: &Url, mut url: Url) -> Url {
    let own_host = match (home.host_str(), url.host_str()) {
        (Some(home), Some(other)) => same_host(home, other),
        _ => false,
    };
    if home.scheme() == "https" && url.scheme() == "http" && own_host {
        let its_port = url.port().is_none() || url.port() == home.port_or_known_default();
        if its_port {
            // http and https may be changed for one another.
            let _ = url.set_scheme("https");
        }
    }
    url
}

/// Whether a registry's token service may be given the registry's credential: it is the same host, or both are hosts of
/// one registered domain, such as `registry-1.docker.io` and `auth.docker.io`.
fn same_site(a: &Url, b: &Url) -> bool {
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

#[cfg(test)]
mod tests;
